// SPDX-License-Identifier: Apache-2.0
#include "compiler/ir/print.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "fmt/format.h"

#include "model/base/overloaded.h"

namespace felix::ir {
namespace {

std::string_view Not(bool negated) {
  return negated ? "! " : "";
}

std::string PortList(const std::vector<model::PortRange>& ranges) {
  std::string text;
  for (const model::PortRange& range : ranges) {
    if (!text.empty()) text += ',';
    text += range.ToString();
  }
  return text;
}

// In the order in which iptables-save names the states.
std::string StateList(std::uint8_t states) {
  static constexpr std::array<std::pair<std::uint8_t, std::string_view>, 5> kStates = {{
      {ConntrackMatch::kInvalid, "INVALID"},
      {ConntrackMatch::kNew, "NEW"},
      {ConntrackMatch::kRelated, "RELATED"},
      {ConntrackMatch::kEstablished, "ESTABLISHED"},
      {ConntrackMatch::kDnat, "DNAT"},
  }};
  std::string text;
  for (const auto& [bit, name] : kStates) {
    if ((states & bit) == 0) continue;
    if (!text.empty()) text += ',';
    text += name;
  }
  return text;
}

std::string IcmpText(const model::IcmpMatch& icmp) {
  return icmp.code.has_value() ? fmt::format("{}/{}", icmp.type, *icmp.code)
                               : fmt::format("{}", icmp.type);
}

std::string SetDirections(const SetMatch& m) {
  const std::string_view word = m.side == Side::kSource ? "src" : "dst";
  return m.with_port ? fmt::format("{},{}", word, word) : std::string(word);
}

std::string PrintMatch(const Match& match, model::IpFamily family) {
  return std::visit(
      Overloaded{
          [](const InterfaceMatch& m) {
            return fmt::format("{}{} {}{}", Not(m.negated),
                               m.way == InterfaceMatch::Way::kIn ? "-i" : "-o", m.name,
                               m.is_prefix ? "+" : "");
          },
          [](const AddressMatch& m) {
            return fmt::format("{}{} {}", Not(m.negated), m.side == Side::kSource ? "-s" : "-d",
                               m.net.ToString());
          },
          [](const ProtocolMatch& m) {
            return fmt::format("{}-p {}", Not(m.negated), m.protocol.ToString());
          },
          [](const PortsMatch& m) {
            return fmt::format("-m multiport {}{} {}", Not(m.negated),
                               m.side == Side::kSource ? "--sports" : "--dports",
                               PortList(m.ranges));
          },
          [](const SetMatch& m) {
            return fmt::format("-m set {}--match-set {} {}", Not(m.negated), m.set_id,
                               SetDirections(m));
          },
          [&](const IcmpTypeMatch& m) {
            const bool v4 = family == model::IpFamily::kV4;
            return fmt::format("-m {} {}{} {}", v4 ? "icmp" : "icmp6", Not(m.negated),
                               v4 ? "--icmp-type" : "--icmpv6-type", IcmpText(m.icmp));
          },
          [](const ConntrackMatch& m) {
            return fmt::format("-m conntrack {}--ctstate {}", Not(m.negated), StateList(m.states));
          },
          [](const MarkMatch& m) {
            return fmt::format("-m mark {}--mark {:#x}/{:#x}", Not(m.negated), m.value, m.mask);
          },
          [](const LocalAddressMatch& m) {
            return fmt::format("-m addrtype {}--{}-type LOCAL{}", Not(m.negated),
                               m.side == Side::kSource ? "src" : "dst",
                               m.of_out_interface ? " --limit-iface-out" : "");
          },
          [](const ReversePathMatch& m) {
            return fmt::format("-m rpfilter{}{}", m.with_mark ? " --validmark" : "",
                               m.negated ? " --invert" : "");
          },
          [](const LimitMatch& m) {
            return fmt::format("-m limit --limit {} --limit-burst {}", LimitText(m), m.burst);
          },
      },
      match);
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string PortsSuffix(const std::optional<model::PortRange>& ports) {
  return ports.has_value() ? fmt::format(":{}", ports->ToString()) : std::string();
}

std::string_view RandomSuffix(bool fully_random) {
  return fully_random ? " --random-fully" : "";
}

std::string NetlinkLogText(const NetlinkLog& log) {
  std::string text = fmt::format("-j NFLOG --nflog-group {}", log.group);
  if (!log.prefix.empty()) text += fmt::format(" --nflog-prefix {}", Quoted(log.prefix));
  if (log.size != 0) text += fmt::format(" --nflog-size {}", log.size);
  return text;
}

// Of an address with ports in the notation that tells the two apart.
std::string Endpoint(const model::IpAddress& address,
                     const std::optional<model::PortRange>& ports) {
  const bool brackets = ports.has_value() && address.family() == model::IpFamily::kV6;
  return fmt::format("{}{}{}{}", brackets ? "[" : "", address.ToString(), brackets ? "]" : "",
                     PortsSuffix(ports));
}

std::string MapSetText(const MapSet& map) {
  const std::string_view side = map.side == Side::kSource ? "src" : "dst";
  std::string sides(side);
  for (int i = 1; i < map.dimensions; ++i) sides += fmt::format(",{}", side);
  return fmt::format("-j SET --map-set {} {} --map-mark", map.set_id, sides);
}

std::string PrintAction(const Action& action) {
  return std::visit(
      Overloaded{
          [](const Accept&) { return std::string("-j ACCEPT"); },
          [](const Drop&) { return std::string("-j DROP"); },
          [](const Reject&) { return std::string("-j REJECT"); },
          [](const Return&) { return std::string("-j RETURN"); },
          [](const Jump& a) { return fmt::format("-j {}", a.chain); },
          [](const Goto& a) { return fmt::format("-g {}", a.chain); },
          [](const SetMark& a) {
            return fmt::format("-j MARK --set-mark {:#x}/{:#x}", a.value, a.mask);
          },
          [](const Log& a) {
            return fmt::format("-j LOG --log-prefix {} --log-level {}", Quoted(a.prefix), a.level);
          },
          [](const NetlinkLog& a) { return NetlinkLogText(a); },
          [](const NoTrack&) { return std::string("-j CT --notrack"); },
          [](const Masquerade& a) {
            return fmt::format("-j MASQUERADE{}{}{}", a.ports.has_value() ? " --to-ports " : "",
                               a.ports.has_value() ? a.ports->ToString() : "",
                               RandomSuffix(a.fully_random));
          },
          [](const SourceNat& a) {
            return fmt::format("-j SNAT --to-source {}{}", Endpoint(a.address, a.ports),
                               RandomSuffix(a.fully_random));
          },
          [](const DestinationNat& a) {
            return fmt::format("-j DNAT --to-destination {}{}", Endpoint(a.address, a.ports),
                               RandomSuffix(a.fully_random));
          },
          [](const MapSet& a) { return MapSetText(a); },
      },
      action);
}

void AppendSets(const DesiredState& state, model::IpFamily family, std::string& text) {
  for (const auto& [key, set] : state.sets) {
    if (key.family != family) continue;
    text += fmt::format("create {} {}\n", key.id, set.kind == SetKind::kNet ? "net" : "ip,port");
    for (const SetMember& member : set.members) {
      text += fmt::format("add {} {}\n", key.id, member.ToString());
    }
  }
  for (const auto& [key, map] : state.mark_maps) {
    if (key.family != family) continue;
    text += fmt::format("create {} net,iface skbinfo\n", key.id);
    for (const auto& [local, value] : map.values) {
      text += fmt::format("add {} {},{} skbmark {:#x}/{:#x}\n", key.id, local.address.ToString(),
                          local.interface_name, value, map.mask);
    }
  }
}

void AppendTable(const DesiredState& state, model::IpFamily family, Table table,
                 std::string& text) {
  std::string declarations;
  std::string rules;
  for (const auto& [key, hook_rules] : state.hooks) {
    if (key.family != family || key.table != table) continue;
    const std::string_view command = key.position == HookPosition::kFirst ? "-I" : "-A";
    for (const Rule& rule : hook_rules) {
      rules += fmt::format("{} {} {}\n", command, BaseChainName(key.base), Print(rule, family));
    }
  }
  for (const auto& [key, chain] : state.chains) {
    if (key.family != family || key.table != table) continue;
    declarations += fmt::format(":{}\n", key.name);
    for (const Rule& rule : chain.rules) {
      rules += fmt::format("-A {} {}\n", key.name, Print(rule, family));
    }
  }
  if (declarations.empty() && rules.empty()) return;
  text += fmt::format("*{}\n{}{}", TableName(table), declarations, rules);
}

}  // namespace

std::string Print(const Rule& rule, model::IpFamily family) {
  std::string text;
  for (const Match& match : rule.matches) text += PrintMatch(match, family) + " ";
  text += PrintAction(rule.action);
  const Provenance& from = rule.provenance;
  if (!from.owner.empty()) text += fmt::format("  # {}", from.owner);
  if (from.direction) text += *from.direction == Direction::kIngress ? " ingress" : " egress";
  if (from.rule_index >= 0) text += fmt::format("[{}]", from.rule_index);
  return text;
}

std::string Print(const DesiredState& state) {
  std::string text;
  for (const model::IpFamily family : model::kIpFamilies) {
    std::string section;
    for (const LocalAddress& local : state.local_addresses) {
      if (local.address.family() != family) continue;
      section += fmt::format("local {} {}\n", local.interface_name, local.address.ToString());
    }
    AppendSets(state, family, section);
    for (const Table table : {Table::kRaw, Table::kMangle, Table::kNat, Table::kFilter}) {
      AppendTable(state, family, table, section);
    }
    if (section.empty()) continue;
    text += family == model::IpFamily::kV4 ? "# IPv4\n" : "# IPv6\n";
    text += section;
  }
  return text;
}

}  // namespace felix::ir
