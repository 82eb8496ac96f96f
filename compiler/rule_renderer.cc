// SPDX-License-Identifier: Apache-2.0
#include "compiler/rule_renderer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "compiler/fault.h"
#include "compiler/names.h"

namespace felix::compiler {
namespace {

using ir::Match;
using ir::Side;
using Matches = std::vector<Match>;
using model::Cidr;

// Copies of a rule are cheaper than a set lookup per packet as long as there are few.
constexpr std::size_t kMaxNetCopies = 4;
constexpr std::size_t kMaxCopies = 6;
// Above this, one side's alternatives are tested first and leave a mark.
constexpr std::size_t kMaxPortProduct = 16;

// Kernel cost per match, cheap first: the basic matches cost nothing extra, a set lookup most.
int CostRank(const Match& match) {
  constexpr int kRanks[] = {/*Interface*/ 0,
                            /*Address*/ 1,
                            /*Protocol*/ 2,
                            /*Ports*/ 5,
                            /*Set*/ 7,
                            /*IcmpType*/ 4,
                            /*Conntrack*/ 6,
                            /*Mark*/ 3,
                            /*LocalAddress*/ 8,
                            /*ReversePath*/ 9,
                            /*Limit: counts what it is asked, so it comes last*/ 10};
  static_assert(std::variant_size_v<Match> == std::size(kRanks));
  return kRanks[match.index()];
}

// Nets of one family, sorted and unique. Empty without being `absent` means: cannot match here.
struct NetList {
  bool absent = true;
  std::vector<Cidr> nets;
  [[nodiscard]] bool impossible() const { return !absent && nets.empty(); }
  [[nodiscard]] bool HasAll() const {
    return std::any_of(nets.begin(), nets.end(),
                       [](const Cidr& net) { return net.prefix_length() == 0; });
  }
};

NetList NetsOfFamily(const std::vector<Cidr>& nets, model::IpFamily family) {
  NetList list;
  list.absent = nets.empty();
  for (const Cidr& net : nets) {
    if (net.family() == family) list.nets.push_back(net);
  }
  if (IsPlanted(Fault::kLostNetsWiden)) list.absent = list.nets.empty();
  std::sort(list.nets.begin(), list.nets.end());
  list.nets.erase(std::unique(list.nets.begin(), list.nets.end()), list.nets.end());
  return list;
}

std::vector<std::vector<model::PortRange>> SplitIntoSlots(
    const std::vector<model::PortRange>& ranges) {
  std::vector<std::vector<model::PortRange>> chunks;
  const int most = ir::kMaxPortSlots + (IsPlanted(Fault::kSixteenPortSlots) ? 1 : 0);
  int used = most;
  for (model::PortRange range : ranges) {
    if (IsPlanted(Fault::kFirstPortOffByOne)) ++range.first;
    if (IsPlanted(Fault::kLastPortOffByOne)) --range.last;
    const int cost = range.first == range.last ? 1 : 2;
    if (used + cost > most) {
      chunks.emplace_back();
      used = 0;
    }
    chunks.back().push_back(range);
    used += cost;
  }
  return chunks;
}

class RuleRenderer {
 public:
  RuleRenderer(const model::PolicyRule& rule, const RenderContext& context, SetDefinitions& sets)
      : rule_(rule), context_(context), sets_(sets) {}

  // Every set of matches under which the rule's verdict is due; the first `marking` ones only set
  // the scratch mark, which the others then ask for. Absent: the rule cannot match.
  struct Plan {
    std::vector<Matches> marking;
    std::vector<Matches> deciding;
  };
  std::optional<Plan> Render() {
    if (rule_.ip_version.value_or(context_.family) != context_.family &&
        !IsPlanted(Fault::kIpVersionIgnored)) {
      return std::nullopt;
    }
    if (!AddProtocolAndIcmp()) return std::nullopt;
    std::optional<SidePlan> source = RenderSide(
        rule_.source, IsPlanted(Fault::kSidesSwapped) ? Side::kDestination : Side::kSource);
    std::optional<SidePlan> destination = RenderSide(rule_.destination, Side::kDestination);
    if (!source.has_value() || !destination.has_value()) return std::nullopt;
    return Combine(*std::move(source), *std::move(destination));
  }

 private:
  struct SidePlan {
    Matches common;
    NetList nets;                                     // rendered as copies or as a set, see Combine
    std::vector<Matches> alternatives = {Matches{}};  // of ports, with what depends on them
  };

  [[nodiscard]] model::Protocol IcmpProtocol() const {
    return context_.family == model::IpFamily::kV4 ? model::kIcmp : model::kIcmpV6;
  }

  bool AddProtocolAndIcmp() {
    protocol_ = rule_.protocol;
    if (rule_.icmp.has_value() || rule_.not_icmp.has_value()) {
      if (protocol_.has_value() && *protocol_ != IcmpProtocol()) return false;
      if (!IsPlanted(Fault::kIcmpProtocolNotImplied))
        protocol_ = IcmpProtocol();  // an ICMP type without it is refused by the kernel
    }
    if (protocol_.has_value()) {
      // A positive protocol says all that a negative one could add, or contradicts it.
      if (rule_.not_protocol == protocol_) return false;
      common_.push_back(ir::ProtocolMatch{.protocol = *protocol_, .negated = false});
    } else if (rule_.not_protocol.has_value()) {
      common_.push_back(ir::ProtocolMatch{.protocol = *rule_.not_protocol,
                                          .negated = !IsPlanted(Fault::kProtocolNegationDropped)});
    }
    if (rule_.icmp.has_value()) {
      common_.push_back(ir::IcmpTypeMatch{.icmp = *rule_.icmp, .negated = false});
    }
    if (rule_.not_icmp.has_value()) {
      common_.push_back(ir::IcmpTypeMatch{.icmp = *rule_.not_icmp,
                                          .negated = !IsPlanted(Fault::kIcmpNegationDropped)});
    }
    return true;
  }

  std::optional<SidePlan> RenderSide(const model::EntityMatch& entity, Side side) {
    SidePlan plan;
    plan.nets = NetsOfFamily(entity.nets, context_.family);
    NetList not_nets = NetsOfFamily(entity.not_nets, context_.family);
    if (plan.nets.impossible() || not_nets.impossible() || not_nets.HasAll()) return std::nullopt;
    if (plan.nets.HasAll()) plan.nets = NetList{};
    AddNegatedNets(not_nets, plan.nets, side, plan.common);
    if (entity.not_selector.has_value()) {
      plan.common.push_back(
          SelectorMatch(*entity.not_selector, side, !IsPlanted(Fault::kSelectorNegationDropped)));
    }
    if (!AddNegatedPorts(entity, side, plan.common)) return std::nullopt;
    if (!RenderPorts(entity, side, plan)) return std::nullopt;
    return plan;
  }

  // x_tables has one address per side and rule, so a negated net beside positive ones is a set.
  void AddNegatedNets(const NetList& not_nets, const NetList& nets, Side side, Matches& out) {
    if (not_nets.absent) return;
    if (not_nets.nets.size() == 1 && nets.nets.empty()) {
      out.push_back(ir::AddressMatch{.side = side,
                                     .net = not_nets.nets.front(),
                                     .negated = !IsPlanted(Fault::kNetsNegationDropped)});
    } else {
      out.push_back(LiteralMatch(not_nets.nets, side, /*negated=*/true));
    }
  }

  bool AddNegatedPorts(const model::EntityMatch& entity, Side side, Matches& out) {
    if (!entity.not_ports.ranges.empty()) {
      if (!protocol_.has_value() || !protocol_->HasPorts()) return false;
      for (auto& chunk : SplitIntoSlots(entity.not_ports.ranges)) {
        out.push_back(ir::PortsMatch{.side = side,
                                     .ranges = std::move(chunk),
                                     .negated = !IsPlanted(Fault::kPortsNegationDropped)});
      }
    }
    for (const std::string& name : entity.not_ports.names) {
      out.push_back(
          NamedPortMatch(entity, name, side, !IsPlanted(Fault::kNamedPortNegationDropped)));
    }
    return true;
  }

  // Numeric ports ask for the selector too; a named port's set is already limited to it.
  bool RenderPorts(const model::EntityMatch& entity, Side side, SidePlan& plan) {
    if (entity.ports.empty()) {
      if (entity.selector.has_value()) {
        plan.common.push_back(SelectorMatch(*entity.selector, side, /*negated=*/false));
      }
      return true;
    }
    plan.alternatives.clear();
    if (!entity.ports.ranges.empty() && protocol_.has_value() && protocol_->HasPorts()) {
      for (auto& chunk : SplitIntoSlots(entity.ports.ranges)) {
        Matches matches{ir::PortsMatch{.side = side, .ranges = std::move(chunk), .negated = false}};
        if (entity.selector.has_value()) {
          matches.push_back(SelectorMatch(*entity.selector, side, /*negated=*/false));
        }
        plan.alternatives.push_back(std::move(matches));
      }
    }
    for (const std::string& name : entity.ports.names) {
      plan.alternatives.push_back({NamedPortMatch(entity, name, side, /*negated=*/false)});
    }
    if (IsPlanted(Fault::kPortsWithoutProtocolWiden) && plan.alternatives.empty()) {
      plan.alternatives.emplace_back();
    }
    return !plan.alternatives.empty();
  }

  // Folds the sides together, with copies of the rule while they are few and marks when not.
  Plan Combine(SidePlan source, SidePlan destination) {
    const std::size_t ports = source.alternatives.size() * destination.alternatives.size();
    const std::size_t nets = std::max<std::size_t>(1, source.nets.nets.size()) *
                             std::max<std::size_t>(1, destination.nets.nets.size());
    const bool copy_nets = nets <= kMaxNetCopies && nets * ports <= kMaxCopies;
    const std::vector<Matches> source_nets = RenderNets(source.nets, Side::kSource, copy_nets);
    const std::vector<Matches> destination_nets =
        RenderNets(destination.nets, Side::kDestination, copy_nets);

    Plan plan;
    if (ports > kMaxPortProduct && source.alternatives.size() > 1 &&
        destination.alternatives.size() > 1) {
      for (const Matches& alternative : source.alternatives) {
        Matches matches = alternative;
        if (protocol_.has_value()) {
          matches.push_back(ir::ProtocolMatch{.protocol = *protocol_, .negated = false});
        }
        plan.marking.push_back(Sorted(std::move(matches)));
      }
      const std::uint32_t bit = context_.marks.scratch;
      source.alternatives = {{ir::MarkMatch{.value = bit, .mask = bit, .negated = false}}};
    }
    for (const Matches& from : source_nets) {
      for (const Matches& to : destination_nets) {
        for (const Matches& from_ports : source.alternatives) {
          for (const Matches& to_ports : destination.alternatives) {
            Matches matches = common_;
            const std::array<const Matches*, 6> parts = {
                &source.common, &destination.common, &from, &to, &from_ports, &to_ports};
            for (const Matches* part : parts) {
              matches.insert(matches.end(), part->begin(), part->end());
            }
            plan.deciding.push_back(Sorted(std::move(matches)));
          }
        }
      }
    }
    return plan;
  }

  std::vector<Matches> RenderNets(const NetList& list, Side side, bool as_copies) {
    if (list.absent) return {Matches{}};
    if (list.nets.size() > 1 && !as_copies) {
      return {{LiteralMatch(list.nets, side, /*negated=*/false)}};
    }
    std::vector<Matches> alternatives;
    for (const Cidr& net : list.nets) {
      alternatives.push_back({ir::AddressMatch{.side = side, .net = net, .negated = false}});
    }
    return alternatives;
  }

  static Matches Sorted(Matches matches) {
    std::stable_sort(matches.begin(), matches.end(),
                     [](const Match& a, const Match& b) { return CostRank(a) < CostRank(b); });
    return matches;
  }

  Match SelectorMatch(const model::Selector& selector, Side side, bool negated) {
    std::string id = SelectorSetId(selector);
    SetDefinition definition;
    definition.selector = selector;
    sets_.emplace(id, std::move(definition));
    return ir::SetMatch{
        .set_id = std::move(id), .with_port = false, .side = side, .negated = negated};
  }

  Match NamedPortMatch(const model::EntityMatch& entity, const std::string& name, Side side,
                       bool negated) {
    SetDefinition definition;
    definition.kind = ir::SetKind::kIpPort;
    definition.selector = entity.selector.value_or(model::Selector());
    if (IsPlanted(Fault::kNamedPortSelectorIgnored)) definition.selector = model::Selector();
    definition.port_name = name;
    definition.port_protocol = NamedPortProtocol(rule_);
    std::string id = NamedPortSetId(*definition.selector, definition.port_protocol, name);
    sets_.emplace(id, std::move(definition));
    return ir::SetMatch{
        .set_id = std::move(id), .with_port = true, .side = side, .negated = negated};
  }

  Match LiteralMatch(const std::vector<Cidr>& nets, Side side, bool negated) {
    std::string id = LiteralSetId(nets);
    SetDefinition definition;
    definition.literal = nets;
    sets_.emplace(id, std::move(definition));
    return ir::SetMatch{
        .set_id = std::move(id), .with_port = false, .side = side, .negated = negated};
  }

  const model::PolicyRule& rule_;
  const RenderContext& context_;
  SetDefinitions& sets_;
  std::optional<model::Protocol> protocol_;
  Matches common_;
};

// The burst that the kernel can count: what is refilled within a day.
ir::LimitMatch LogLimit(ir::LimitMatch limit) {
  constexpr std::uint64_t kSecondsPerDay = 86400;
  const std::uint64_t most = limit.rate * kSecondsPerDay / ir::SecondsOf(limit.unit);
  limit.burst = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(limit.burst, 1, std::max<std::uint64_t>(most, 1)));
  return limit;
}

ir::Action ActionOf(model::RuleAction action, const RuleOrigin& origin,
                    const RenderContext& context) {
  if (IsPlanted(Fault::kPassDenies) && action == model::RuleAction::kPass) return ir::Drop{};
  if (IsPlanted(Fault::kLogAllows) && action == model::RuleAction::kLog)
    action = model::RuleAction::kAllow;
  switch (action) {
    case model::RuleAction::kAllow:
      return ir::Goto{std::string(kAllowChain)};
    case model::RuleAction::kDeny:
      return DenyIn(context);
    case model::RuleAction::kPass:
      // A profile has no next tier: passing leaves it without a verdict.
      if (origin.owner == RuleOwner::kProfile) {
        if (IsPlanted(Fault::kProfilePassAllows)) return ir::Goto{std::string(kAllowChain)};
        return ir::Return{};
      }
      return ir::Goto{std::string(kPassChain)};
    case model::RuleAction::kLog:
      return ir::Log{.prefix = origin.log_prefix};
  }
  FELIX_CHECK(false, "unknown rule action");
}

}  // namespace

ir::Action DenyIn(const RenderContext& context) {
  const bool may_refuse =
      context.table == ir::Table::kFilter || IsPlanted(Fault::kRejectOutsideOfFilter);
  if (may_refuse && context.options.filter_deny_action == DenyAction::kReject) {
    return ir::Reject{};
  }
  if (context.marks.refused != 0 && context.table == ir::Table::kMangle &&
      context.options.filter_deny_action == DenyAction::kReject) {
    return ir::Goto{std::string(kRefuseChain)};
  }
  return ir::Drop{};
}

void RenderRule(const model::PolicyRule& rule, const RuleOrigin& origin,
                const RenderContext& context, std::vector<ir::Rule>& rules, SetDefinitions& sets) {
  const ir::Provenance& provenance = origin.provenance;
  SetDefinitions rule_sets;
  std::optional<RuleRenderer::Plan> plan = RuleRenderer(rule, context, rule_sets).Render();
  if (!plan.has_value()) return;
  sets.insert(rule_sets.begin(), rule_sets.end());

  const std::uint32_t bit = context.marks.scratch;
  if (!plan->marking.empty()) {
    const std::uint32_t cleared = IsPlanted(Fault::kScratchMarkKept) ? 0 : bit;
    rules.push_back({{}, ir::SetMark{.value = 0, .mask = cleared}, provenance});
    for (Matches& matches : plan->marking) {
      rules.push_back({std::move(matches), ir::SetMark{.value = bit, .mask = bit}, provenance});
    }
  }
  const std::optional<ir::LimitMatch>& limit = context.options.log_limit;
  for (Matches& matches : plan->deciding) {
    if (rule.action == model::RuleAction::kLog && limit) matches.push_back(LogLimit(*limit));
    rules.push_back({std::move(matches), ActionOf(rule.action, origin, context), provenance});
  }
}

}  // namespace felix::compiler
