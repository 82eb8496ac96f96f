// SPDX-License-Identifier: Apache-2.0
#include "iptables/restore_text.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "fmt/format.h"

#include "model/base/overloaded.h"

namespace felix::iptables {
namespace {

std::string_view Not(bool negated) {
  return negated ? "! " : "";
}

std::string_view SideWord(ir::Side side) {
  return side == ir::Side::kSource ? "src" : "dst";
}

std::string PortList(const std::vector<model::PortRange>& ranges) {
  std::string text;
  for (const model::PortRange& range : ranges) {
    if (!text.empty()) text += ',';
    text += range.ToString();
  }
  return text;
}

std::string StateList(std::uint8_t states) {
  static constexpr std::array<std::pair<std::uint8_t, std::string_view>, 5> kStates = {{
      {ir::ConntrackMatch::kInvalid, "INVALID"},
      {ir::ConntrackMatch::kNew, "NEW"},
      {ir::ConntrackMatch::kRelated, "RELATED"},
      {ir::ConntrackMatch::kEstablished, "ESTABLISHED"},
      {ir::ConntrackMatch::kDnat, "DNAT"},
  }};
  std::string text;
  for (const auto& [bit, name] : kStates) {
    if ((states & bit) == 0) continue;
    if (!text.empty()) text += ',';
    text += name;
  }
  return text;
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// Translations write ranges with a dash where matches have a colon.
std::string DashedPorts(const model::PortRange& ports) {
  return ports.first == ports.last ? fmt::format("{}", ports.first)
                                   : fmt::format("{}-{}", ports.first, ports.last);
}

std::string Translated(const model::IpAddress& address,
                       const std::optional<model::PortRange>& ports) {
  if (!ports) return address.ToString();
  const bool v6 = address.family() == model::IpFamily::kV6;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", address.ToString(), v6 ? "]" : "",
                     DashedPorts(*ports));
}

std::string_view Random(bool fully_random) {
  return fully_random ? " --random-fully" : "";
}

class Speller {
 public:
  Speller(model::IpFamily family, const SetNamer& name_of) : family_(family), name_of_(name_of) {}

  std::string operator()(const ir::InterfaceMatch& m) const {
    return fmt::format("{}{} {}{}", Not(m.negated),
                       m.way == ir::InterfaceMatch::Way::kIn ? "-i" : "-o", m.name,
                       m.is_prefix ? "+" : "");
  }
  std::string operator()(const ir::AddressMatch& m) const {
    return fmt::format("{}{} {}", Not(m.negated), m.side == ir::Side::kSource ? "-s" : "-d",
                       m.net.ToString());
  }
  // By number where a name could be taken for another protocol or be unknown to the host.
  std::string operator()(const ir::ProtocolMatch& m) const {
    const bool common = m.protocol == model::kTcp || m.protocol == model::kUdp ||
                        m.protocol == model::kSctp || m.protocol == model::kIcmp;
    return common ? fmt::format("{}-p {}", Not(m.negated), m.protocol.ToString())
                  : fmt::format("{}-p {}", Not(m.negated), m.protocol.number);
  }
  std::string operator()(const ir::PortsMatch& m) const {
    return fmt::format("-m multiport {}{} {}", Not(m.negated),
                       m.side == ir::Side::kSource ? "--sports" : "--dports", PortList(m.ranges));
  }
  std::string operator()(const ir::SetMatch& m) const {
    const std::string_view side = SideWord(m.side);
    return fmt::format("-m set {}--match-set {} {}{}{}", Not(m.negated), NameOf(m.set_id), side,
                       m.with_port ? "," : "", m.with_port ? side : "");
  }
  std::string operator()(const ir::IcmpTypeMatch& m) const {
    const bool v4 = family_ == model::IpFamily::kV4;
    const std::string code = m.icmp.code ? fmt::format("/{}", *m.icmp.code) : std::string();
    return fmt::format("-m {} {}{} {}{}", v4 ? "icmp" : "icmp6", Not(m.negated),
                       v4 ? "--icmp-type" : "--icmpv6-type", m.icmp.type, code);
  }
  std::string operator()(const ir::ConntrackMatch& m) const {
    return fmt::format("-m conntrack {}--ctstate {}", Not(m.negated), StateList(m.states));
  }
  std::string operator()(const ir::MarkMatch& m) const {
    return fmt::format("-m mark {}--mark {:#x}/{:#x}", Not(m.negated), m.value, m.mask);
  }
  std::string operator()(const ir::LocalAddressMatch& m) const {
    return fmt::format("-m addrtype {}--{}-type LOCAL{}", Not(m.negated), SideWord(m.side),
                       m.of_out_interface ? " --limit-iface-out" : "");
  }
  std::string operator()(const ir::ReversePathMatch& m) const {
    return fmt::format("-m rpfilter{}{}", m.with_mark ? " --validmark" : "",
                       m.negated ? " --invert" : "");
  }
  std::string operator()(const ir::LimitMatch& m) const {
    return fmt::format("-m limit --limit {} --limit-burst {}", ir::LimitText(m), m.burst);
  }

  std::string operator()(const ir::Accept&) const { return "-j ACCEPT"; }
  std::string operator()(const ir::Drop&) const { return "-j DROP"; }
  std::string operator()(const ir::Reject&) const { return "-j REJECT"; }
  std::string operator()(const ir::Return&) const { return "-j RETURN"; }
  std::string operator()(const ir::Jump& a) const { return fmt::format("-j {}", a.chain); }
  std::string operator()(const ir::Goto& a) const { return fmt::format("-g {}", a.chain); }
  std::string operator()(const ir::SetMark& a) const {
    return fmt::format("-j MARK --set-xmark {:#x}/{:#x}", a.value, a.mask | a.value);
  }
  std::string operator()(const ir::Log& a) const {
    return fmt::format("-j LOG --log-prefix {} --log-level {}", Quoted(a.prefix), a.level);
  }
  std::string operator()(const ir::NetlinkLog& a) const {
    std::string text = fmt::format("-j NFLOG --nflog-group {}", a.group);
    if (!a.prefix.empty()) text += fmt::format(" --nflog-prefix {}", Quoted(a.prefix));
    if (a.size != 0) text += fmt::format(" --nflog-size {}", a.size);
    return text;
  }
  std::string operator()(const ir::NoTrack&) const { return "-j CT --notrack"; }
  std::string operator()(const ir::Masquerade& a) const {
    return fmt::format("-j MASQUERADE{}{}{}", a.ports ? " --to-ports " : "",
                       a.ports ? DashedPorts(*a.ports) : "", Random(a.fully_random));
  }
  std::string operator()(const ir::SourceNat& a) const {
    return fmt::format("-j SNAT --to-source {}{}", Translated(a.address, a.ports),
                       Random(a.fully_random));
  }
  std::string operator()(const ir::DestinationNat& a) const {
    return fmt::format("-j DNAT --to-destination {}{}", Translated(a.address, a.ports),
                       Random(a.fully_random));
  }
  std::string operator()(const ir::MapSet& a) const {
    std::string sides(SideWord(a.side));
    for (int i = 1; i < a.dimensions; ++i) sides += fmt::format(",{}", SideWord(a.side));
    return fmt::format("-j SET --map-set {} {} --map-mark", NameOf(a.set_id), sides);
  }

 private:
  [[nodiscard]] std::string NameOf(const std::string& id) const {
    return name_of_(ir::SetKey{.family = family_, .id = id});
  }
  model::IpFamily family_;
  const SetNamer& name_of_;
};

void AppendTable(const ir::DesiredState& state, model::IpFamily family, ir::Table table,
                 const SetNamer& name_of, std::string& text) {
  std::string declarations;
  std::string rules;
  for (const auto& [key, hook_rules] : state.hooks) {
    if (key.family != family || key.table != table) continue;
    int place = 0;
    for (const ir::Rule& rule : hook_rules) {
      const std::string_view base = ir::BaseChainName(key.base);
      const std::string spelt = RestoreRule(rule, family, name_of);
      rules += key.position == ir::HookPosition::kFirst
                   ? fmt::format("-I {} {} {}\n", base, ++place, spelt)
                   : fmt::format("-A {} {}\n", base, spelt);
    }
  }
  for (const auto& [key, chain] : state.chains) {
    if (key.family != family || key.table != table) continue;
    declarations += fmt::format(":{} - [0:0]\n", key.name);
    for (const ir::Rule& rule : chain.rules) {
      rules += fmt::format("-A {} {}\n", key.name, RestoreRule(rule, family, name_of));
    }
  }
  if (declarations.empty() && rules.empty()) return;
  text += fmt::format("*{}\n{}{}COMMIT\n", ir::TableName(table), declarations, rules);
}

}  // namespace

std::string RestoreRule(const ir::Rule& rule, model::IpFamily family, const SetNamer& name_of) {
  const Speller speller(family, name_of);
  std::string text;
  for (const ir::Match& match : rule.matches) text += std::visit(speller, match) + " ";
  return text + std::visit(speller, rule.action);
}

std::string RestoreText(const ir::DesiredState& state, model::IpFamily family,
                        const SetNamer& name_of) {
  std::string text;
  for (const ir::Table table :
       {ir::Table::kRaw, ir::Table::kMangle, ir::Table::kNat, ir::Table::kFilter}) {
    AppendTable(state, family, table, name_of, text);
  }
  return text;
}

}  // namespace felix::iptables
