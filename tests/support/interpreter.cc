// SPDX-License-Identifier: Apache-2.0
#include "tests/support/interpreter.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "fmt/format.h"

#include "model/base/check.h"
#include "model/base/overloaded.h"

namespace felix::testing {
namespace {

constexpr int kMostRules = 10'000'000;

bool HasProtocol(const ir::Rule& rule, bool (*fits)(model::Protocol, model::IpFamily),
                 model::IpFamily family) {
  return std::any_of(rule.matches.begin(), rule.matches.end(), [&](const ir::Match& match) {
    const auto* protocol = std::get_if<ir::ProtocolMatch>(&match);
    return protocol != nullptr && !protocol->negated && fits(protocol->protocol, family);
  });
}

bool CarriesPorts(model::Protocol protocol, model::IpFamily /*family*/) {
  return protocol.HasPorts();
}

bool IsIcmpOf(model::Protocol protocol, model::IpFamily family) {
  return protocol == (family == model::IpFamily::kV4 ? model::kIcmp : model::kIcmpV6);
}

int Slots(const std::vector<model::PortRange>& ranges) {
  int slots = 0;
  for (const model::PortRange& range : ranges) slots += range.first == range.last ? 1 : 2;
  return slots;
}

// What a kernel would say to the rule as it is loaded.
void CheckLoadable(const ir::Rule& rule, model::IpFamily family) {
  for (const ir::Match& match : rule.matches) {
    if (const auto* ports = std::get_if<ir::PortsMatch>(&match)) {
      FELIX_CHECK(HasProtocol(rule, CarriesPorts, family), "ports without a protocol");
      FELIX_CHECK(!ports->ranges.empty() && Slots(ports->ranges) <= ir::kMaxPortSlots,
                  "no ports or too many in one match");
    } else if (std::holds_alternative<ir::IcmpTypeMatch>(match)) {
      FELIX_CHECK(HasProtocol(rule, IsIcmpOf, family), "an ICMP type without its protocol");
    } else if (const auto* net = std::get_if<ir::AddressMatch>(&match)) {
      FELIX_CHECK(net->net.family() == family, "an address of the other family");
    } else if (const auto* interface = std::get_if<ir::InterfaceMatch>(&match)) {
      FELIX_CHECK(interface->name.size() <= 15, "an interface name too long");
    }
  }
}

bool SetContains(const ir::DesiredState& state, const ir::SetMatch& match, const Packet& packet) {
  const auto set = state.sets.find(ir::SetKey{packet.family(), match.set_id});
  FELIX_CHECK(set != state.sets.end(), fmt::format("no set {}", match.set_id));
  FELIX_CHECK(match.with_port == (set->second.kind == ir::SetKind::kIpPort),
              fmt::format("set {} is of another kind", match.set_id));
  const bool of_source = match.side == ir::Side::kSource;
  const model::IpAddress& address = of_source ? packet.source : packet.destination;
  if (match.with_port) {
    const std::uint16_t port = of_source ? packet.source_port : packet.destination_port;
    return packet.protocol.HasPorts() &&
           set->second.members.contains({model::Cidr::Host(address), packet.protocol, port});
  }
  const int longest = model::Cidr::Host(address).prefix_length();
  for (int length = 0; length <= longest; ++length) {
    if (set->second.members.contains({model::Cidr(address, length), {}, 0})) return true;
  }
  return false;
}

bool InterfaceHolds(const ir::InterfaceMatch& match, const Packet& packet) {
  const std::string& name =
      match.way == ir::InterfaceMatch::Way::kIn ? packet.in_interface : packet.out_interface;
  if (name.empty()) return false;
  return match.is_prefix ? name.compare(0, match.name.size(), match.name) == 0 : name == match.name;
}

// The translation of a flow's destination is a state beside the others.
bool ConntrackHolds(const ir::ConntrackMatch& match, ConntrackState state, bool translated) {
  const auto asks = [&](std::uint8_t bit) { return (match.states & bit) != 0; };
  if (translated && asks(ir::ConntrackMatch::kDnat)) return true;
  switch (state) {
    case ConntrackState::kNew:
      return asks(ir::ConntrackMatch::kNew);
    case ConntrackState::kEstablished:
      return asks(ir::ConntrackMatch::kEstablished);
    case ConntrackState::kRelated:
      return asks(ir::ConntrackMatch::kRelated);
    case ConntrackState::kInvalid:
      return asks(ir::ConntrackMatch::kInvalid);
    case ConntrackState::kUntracked:
      return false;
  }
  return false;
}

bool PortsHold(const ir::PortsMatch& match, const Packet& packet) {
  const std::uint16_t port =
      match.side == ir::Side::kSource ? packet.source_port : packet.destination_port;
  return std::any_of(match.ranges.begin(), match.ranges.end(),
                     [&](const model::PortRange& range) { return range.Contains(port); });
}

bool IsLocal(const ir::LocalAddressMatch& match, const Packet& packet) {
  const model::IpAddress& address =
      match.side == ir::Side::kSource ? packet.source : packet.destination;
  return std::any_of(packet.host_addresses.begin(), packet.host_addresses.end(),
                     [&](const HostAddress& own) {
                       return own.address == address &&
                              (!match.of_out_interface || own.interface == packet.out_interface);
                     });
}

// The packet as one place of its way sees it.
struct Seen {
  Packet packet;
  bool translated = false;  // the destination of its flow was
};

bool MatchHolds(const ir::DesiredState& state, const ir::Match& match, const Seen& seen) {
  const Packet& packet = seen.packet;
  const bool holds = std::visit(
      Overloaded{
          [&](const ir::InterfaceMatch& m) { return InterfaceHolds(m, packet); },
          [&](const ir::AddressMatch& m) {
            return m.net.Contains(m.side == ir::Side::kSource ? packet.source : packet.destination);
          },
          [&](const ir::ProtocolMatch& m) { return m.protocol == packet.protocol; },
          [&](const ir::PortsMatch& m) { return PortsHold(m, packet); },
          [&](const ir::SetMatch& m) { return SetContains(state, m, packet); },
          [&](const ir::IcmpTypeMatch& m) {
            return m.icmp.type == packet.icmp_type &&
                   (!m.icmp.code || *m.icmp.code == packet.icmp_code);
          },
          [&](const ir::ConntrackMatch& m) {
            return ConntrackHolds(m, packet.conntrack, seen.translated);
          },
          [&](const ir::MarkMatch& m) { return (packet.mark & m.mask) == m.value; },
          [&](const ir::LocalAddressMatch& m) { return IsLocal(m, packet); },
          [&](const ir::ReversePathMatch&) { return !packet.fails_reverse_path; },
          [](const ir::LimitMatch&) { return true; },
      },
      match);
  const bool negated = std::visit(Overloaded{[](const ir::LimitMatch&) { return false; },
                                             [](const auto& m) { return m.negated; }},
                                  match);
  return holds != negated;
}

bool AllHold(const ir::DesiredState& state, const ir::Rule& rule, const Seen& seen) {
  CheckLoadable(rule, seen.packet.family());
  return std::all_of(rule.matches.begin(), rule.matches.end(),
                     [&](const ir::Match& match) { return MatchHolds(state, match, seen); });
}

// One packet on its way through one base chain of one table.
class Walk {
 public:
  Walk(const ir::DesiredState& state, ir::Table table, Seen& seen, Trace& trace)
      : state_(state), table_(table), seen_(seen), packet_(seen.packet), trace_(trace) {}

  Verdict Through(ir::BaseChain base) {
    const std::vector<ir::Rule> rules = RulesOf(base);
    here_ = {&rules, 0};
    for (;;) {
      if (here_.next == here_.rules->size()) {
        if (!GoBack()) return Verdict::kContinue;
        continue;
      }
      FELIX_CHECK(++trace_.rules_visited < kMostRules, "the rules form a loop");
      const ir::Rule& rule = (*here_.rules)[here_.next++];
      if (!AllHold(state_, rule, seen_)) continue;
      if (const Verdict verdict = Act(rule); verdict != Verdict::kContinue) return verdict;
      if (done_) return Verdict::kContinue;
    }
  }

 private:
  struct Place {
    const std::vector<ir::Rule>* rules = nullptr;
    std::size_t next = 0;
  };

  std::vector<ir::Rule> RulesOf(ir::BaseChain base) const {
    std::vector<ir::Rule> rules;
    for (const auto position : {ir::HookPosition::kFirst, ir::HookPosition::kLast}) {
      const auto hook = state_.hooks.find({packet_.family(), table_, base, position});
      if (hook == state_.hooks.end()) continue;
      rules.insert(rules.end(), hook->second.begin(), hook->second.end());
    }
    return rules;
  }

  // A kernel's goto leaves no place to come back to: when none is left, the packet has reached the
  // end of the base chain, whatever rules come after the goto there.
  bool GoBack() {
    if (places_.empty()) return false;
    here_ = places_.back();
    places_.pop_back();
    return true;
  }

  void Enter(const std::string& name) {
    const auto chain = state_.chains.find({packet_.family(), table_, name});
    FELIX_CHECK(chain != state_.chains.end(), fmt::format("no chain {}", name));
    here_ = {&chain->second.rules, 0};
  }

  Verdict Decide(const ir::Rule& rule, Verdict verdict) {
    trace_.decided_by = rule.provenance;
    return verdict;
  }

  template <typename Translation>
  Verdict Translate(const Translation& translation) {
    FELIX_CHECK(table_ == ir::Table::kNat, "a translation outside of nat");
    if constexpr (std::is_same_v<Translation, ir::DestinationNat>) {
      packet_.destination = translation.address;
      seen_.translated = true;
    } else if constexpr (std::is_same_v<Translation, ir::SourceNat>) {
      packet_.source = translation.address;
    }
    trace_.translations.push_back(translation);
    return Verdict::kAccept;
  }

  Verdict TakeMark(const ir::MapSet& action) {
    FELIX_CHECK(table_ == ir::Table::kMangle, "a mark from a set outside of mangle");
    const auto map = state_.mark_maps.find({packet_.family(), action.set_id});
    FELIX_CHECK(map != state_.mark_maps.end(), fmt::format("no map {}", action.set_id));
    FELIX_CHECK(action.dimensions == 2, "a map has addresses and interfaces");
    const bool of_source = action.side == ir::Side::kSource;
    const auto value = map->second.values.find(
        {.interface_name = of_source ? packet_.in_interface : packet_.out_interface,
         .address = of_source ? packet_.source : packet_.destination});
    if (value != map->second.values.end()) {
      packet_.mark = (packet_.mark & ~map->second.mask) | value->second;
    }
    return Verdict::kContinue;
  }

  Verdict Act(const ir::Rule& rule) {
    return std::visit(Overloaded{
                          [&](const ir::Accept&) { return Decide(rule, Verdict::kAccept); },
                          [&](const ir::Drop&) { return Decide(rule, Verdict::kDeny); },
                          [&](const ir::Reject&) {
                            FELIX_CHECK(table_ == ir::Table::kFilter, "reject outside of filter");
                            return Decide(rule, Verdict::kDeny);
                          },
                          [&](const ir::Return&) {
                            done_ = !GoBack();
                            return Verdict::kContinue;
                          },
                          [&](const ir::Jump& jump) {
                            places_.push_back(here_);
                            Enter(jump.chain);
                            return Verdict::kContinue;
                          },
                          [&](const ir::Goto& jump) {
                            Enter(jump.chain);
                            return Verdict::kContinue;
                          },
                          [&](const ir::SetMark& mark) {
                            packet_.mark = (packet_.mark & ~mark.mask) | mark.value;
                            return Verdict::kContinue;
                          },
                          [&](const ir::Log&) { return Verdict::kContinue; },
                          [&](const ir::NetlinkLog&) { return Verdict::kContinue; },
                          [&](const ir::NoTrack&) {
                            FELIX_CHECK(table_ == ir::Table::kRaw, "no tracking outside of raw");
                            packet_.conntrack = ConntrackState::kUntracked;
                            return Verdict::kContinue;
                          },
                          [&](const ir::MapSet& map) { return TakeMark(map); },
                          [&](const auto& translation) { return Translate(translation); },
                      },
                      rule.action);
  }

  const ir::DesiredState& state_;
  const ir::Table table_;
  Seen& seen_;
  Packet& packet_;
  Trace& trace_;
  Place here_;
  std::vector<Place> places_;
  bool done_ = false;
};

struct Station {
  ir::Table table;
  ir::BaseChain base;
};

std::vector<Station> WayOf(const Packet& packet) {
  using ir::BaseChain;
  using ir::Table;
  if (packet.in_interface.empty()) {
    return {{Table::kRaw, BaseChain::kOutput},         {Table::kMangle, BaseChain::kOutput},
            {Table::kNat, BaseChain::kOutput},         {Table::kFilter, BaseChain::kOutput},
            {Table::kMangle, BaseChain::kPostrouting}, {Table::kNat, BaseChain::kPostrouting}};
  }
  if (packet.out_interface.empty()) {
    return {{Table::kRaw, BaseChain::kPrerouting}, {Table::kMangle, BaseChain::kPrerouting},
            {Table::kNat, BaseChain::kPrerouting}, {Table::kMangle, BaseChain::kInput},
            {Table::kFilter, BaseChain::kInput},   {Table::kNat, BaseChain::kInput}};
  }
  return {{Table::kRaw, BaseChain::kPrerouting}, {Table::kMangle, BaseChain::kPrerouting},
          {Table::kNat, BaseChain::kPrerouting}, {Table::kMangle, BaseChain::kForward},
          {Table::kFilter, BaseChain::kForward}, {Table::kMangle, BaseChain::kPostrouting},
          {Table::kNat, BaseChain::kPostrouting}};
}

// Before routing nobody knows where a packet will leave, and after it the kernel has forgotten
// where it came from. The raw table comes before connection tracking, which xt_conntrack reports as
// invalid. All of OUTPUT sees the way that was chosen before the destination was translated, since
// a hook's interfaces are those it was entered with (netfilter.h, struct nf_hook_state).
Packet AsSeenAt(const Station& station, Packet packet) {
  if (station.base == ir::BaseChain::kPrerouting) packet.out_interface.clear();
  if (station.base == ir::BaseChain::kPostrouting) packet.in_interface.clear();
  if (station.base == ir::BaseChain::kOutput && !packet.first_out_interface.empty()) {
    packet.out_interface = packet.first_out_interface;
  }
  if (station.table == ir::Table::kRaw && packet.conntrack != ConntrackState::kUntracked) {
    packet.conntrack = ConntrackState::kInvalid;
  }
  return packet;
}

bool IsBeforeRouting(ir::BaseChain base) {
  return base == ir::BaseChain::kPrerouting || base == ir::BaseChain::kOutput;
}

// What no rule of ours has translated meets the rules of others.
void LetOthersTranslate(Seen& seen) {
  if (!seen.translated && seen.packet.IsRedirected()) {
    seen.packet.Redirect();
    seen.translated = true;
  }
  if (!seen.translated && !seen.packet.first_out_interface.empty()) {
    seen.packet.out_interface = seen.packet.first_out_interface;
  }
}

}  // namespace

bool RuleMatches(const ir::DesiredState& state, const ir::Rule& rule, const Packet& packet) {
  return AllHold(state, rule, Seen{packet, packet.IsRedirected()});
}

Trace Interpret(const ir::DesiredState& state, const Packet& packet) {
  Trace trace;
  Seen now{packet};
  for (const Station& station : WayOf(packet)) {
    const bool nat = station.table == ir::Table::kNat;
    // A connection is translated as its first packet is.
    if (!nat || now.packet.conntrack == ConntrackState::kNew) {
      Seen seen{AsSeenAt(station, now.packet), now.translated};
      const ir::Provenance decided_before = trace.decided_by;
      const Verdict verdict = Walk(state, station.table, seen, trace).Through(station.base);
      now.packet.mark = seen.packet.mark;
      now.packet.source = seen.packet.source;
      now.packet.destination = seen.packet.destination;
      now.translated = seen.translated;
      if (seen.packet.conntrack == ConntrackState::kUntracked) {
        now.packet.conntrack = ConntrackState::kUntracked;
      }
      if (verdict == Verdict::kDeny) {
        trace.verdict = verdict;
        return trace;
      }
      if (station.table == ir::Table::kFilter) {
        trace.verdict = verdict;
      } else {
        trace.decided_by = decided_before;
      }
    }
    if (nat && IsBeforeRouting(station.base)) LetOthersTranslate(now);
  }
  return trace;
}

Verdict Run(const ir::DesiredState& state, const Packet& packet) {
  return Interpret(state, packet).verdict;
}

}  // namespace felix::testing
