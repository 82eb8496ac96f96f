// SPDX-License-Identifier: Apache-2.0
#include "compiler/chain_renderer.h"

#include "compiler/fault.h"
#include "compiler/log_prefix.h"
#include "compiler/names.h"

namespace felix::compiler {
namespace {

using ir::When;

// So that a packet accepted early in a long list does not test every later guard.
constexpr int kPoliciesBetweenExits = 8;

ir::MarkMatch BitsSet(std::uint32_t bits) {
  return {.value = bits, .mask = bits};
}
ir::MarkMatch BitsClear(std::uint32_t bits) {
  return {.value = 0, .mask = bits};
}
ir::SetMark ClearBits(std::uint32_t bits) {
  return {.value = 0, .mask = bits};
}

ir::Chain RenderRules(RuleOrigin origin, const std::vector<model::PolicyRule>& rules,
                      const RenderContext& context, SetDefinitions& sets) {
  ir::Chain chain;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    origin.provenance.rule_index = static_cast<int>(i);
    RenderRule(rules[i], origin, context, chain.rules, sets);
  }
  return chain;
}

void RenderEncapsulationDrops(const RenderContext& context, ir::Chain& chain) {
  const Options& options = context.options;
  if (!options.allow_vxlan_from_workloads) {
    const model::PortRange port{.first = options.vxlan_port, .last = options.vxlan_port};
    chain.rules.push_back(When(ir::ProtocolMatch{.protocol = model::kUdp},
                               ir::PortsMatch{.side = ir::Side::kDestination, .ranges = {port}})
                              .Then(DenyIn(context))
                              .Because("VXLAN from a workload"));
  }
  if (!options.allow_ipip_from_workloads) {
    constexpr model::Protocol kIpInIp{4};
    chain.rules.push_back(When(ir::ProtocolMatch{.protocol = kIpInIp})
                              .Then(DenyIn(context))
                              .Because("IP in IP from a workload"));
  }
}

void RenderTier(const TierInForce& tier, Direction direction, bool first,
                const RenderContext& context, ir::Chain& chain) {
  const Marks& marks = context.marks;
  if (!first && !IsPlanted(Fault::kPassMarkKeptBetweenTiers)) {
    chain.rules.push_back(When().Then(ClearBits(marks.pass)).Because("start of tier " + tier.name));
  }
  int position = 0;
  for (const model::PolicyId& policy : tier.policies) {
    const ir::Action jump = ir::Jump{PolicyChainName(policy, direction)};
    if (position > 0 && position % kPoliciesBetweenExits == 0) {
      chain.rules.push_back(
          When(BitsSet(marks.accept)).Then(ir::Return{}).Because("accepted by policy"));
    }
    // Nothing can be decided before the tier's first policy.
    chain.rules.push_back((position == 0 || IsPlanted(Fault::kPolicyGuardMissing)
                               ? When().Then(jump)
                               : When(BitsClear(marks.verdict())).Then(jump))
                              .Because(policy.ToString()));
    ++position;
  }
  chain.rules.push_back(
      When(BitsSet(marks.accept)).Then(ir::Return{}).Because("accepted by policy"));
  if ((tier.default_action == model::TierDefaultAction::kDeny) !=
      IsPlanted(Fault::kTierDefaultSwapped)) {
    chain.rules.push_back(
        When(BitsClear(marks.pass)).Then(DenyIn(context)).Because("end of tier " + tier.name));
  }
}

void RenderProfiles(const Shape& shape, const RenderContext& context, ir::Chain& chain) {
  const std::uint32_t accept = context.marks.accept;
  bool first = true;
  for (const std::string& profile : shape.profiles) {
    const ir::Action jump = ir::Jump{ProfileChainName(profile, shape.direction)};
    chain.rules.push_back((first ? When().Then(jump) : When(BitsClear(accept)).Then(jump))
                              .Because("profile/" + profile));
    first = false;
  }
  if (!shape.profiles.empty()) {
    chain.rules.push_back(When(BitsSet(accept)).Then(ir::Return{}).Because("accepted by profile"));
  }
}

// What becomes of a packet that nobody decided on.
void RenderEnd(ShapeKind kind, const RenderContext& context, ir::Chain& chain) {
  switch (kind) {
    case ShapeKind::kWorkload:
    case ShapeKind::kSharedWorkload:
    case ShapeKind::kHost:
    case ShapeKind::kHostTranslated:
      chain.rules.push_back(When().Then(DenyIn(context)).Because("no policy or profile accepted"));
      return;
    case ShapeKind::kForward:
    case ShapeKind::kWorkloadForward:
      if (IsPlanted(Fault::kForwardSilenceDenies)) {
        chain.rules.push_back(When().Then(ir::Drop{}).Because("no policy allows to forward"));
        return;
      }
      chain.rules.push_back(
          When().Then(ir::Goto{std::string(kAllowChain)}).Because("no policy forbids to forward"));
      return;
    case ShapeKind::kUntracked:
    case ShapeKind::kPreDnat:
      // At a chain's end returning is what happens anyway.
      while (std::holds_alternative<ir::Return>(chain.rules.back().action)) chain.rules.pop_back();
      return;
  }
}

}  // namespace

ir::Chain RenderPolicy(const model::PolicyId& id, const std::string& tier, Direction direction,
                       const std::vector<model::PolicyRule>& rules, const RenderContext& context,
                       SetDefinitions& sets) {
  return RenderRules({.owner = RuleOwner::kPolicy,
                      .provenance = {.owner = id.ToString(), .direction = direction},
                      .log_prefix = PolicyLogPrefix(context.options.log_prefix, id, tier)},
                     rules, context, sets);
}

ir::Chain RenderProfile(const std::string& name, Direction direction,
                        const std::vector<model::PolicyRule>& rules, const RenderContext& context,
                        SetDefinitions& sets) {
  return RenderRules({.owner = RuleOwner::kProfile,
                      .provenance = {.owner = "profile/" + name, .direction = direction},
                      .log_prefix = ProfileLogPrefix(context.options.log_prefix, name)},
                     rules, context, sets);
}

ir::Chain RenderDenyAll(const std::string& owner, const RenderContext& context) {
  if (IsPlanted(Fault::kMissingProfileAllows))
    return {{When().Then(ir::Goto{std::string(kAllowChain)}).Because(owner)}};
  return {{When().Then(DenyIn(context)).Because(owner)}};
}

ir::Chain RenderShape(const Shape& shape, const RenderContext& of_family) {
  RenderContext context = of_family;
  context.table = TableOf(shape.kind);
  const Marks& marks = context.marks;
  ir::Chain chain;
  if (IsOfWorkload(shape.kind) || IsPlanted(Fault::kHostEncapsulationDropped)) {
    chain.rules.push_back(
        When(BitsSet(marks.exempt)).Then(ir::Return{}).Because("established or exempt"));
    if (shape.direction == Direction::kEgress && !IsPlanted(Fault::kEncapsulationAllowed))
      RenderEncapsulationDrops(context, chain);
  }
  if (!shape.tiers.empty() || !shape.profiles.empty()) {
    // The other direction of the same packet may have left a verdict.
    chain.rules.push_back(
        When()
            .Then(ClearBits(IsPlanted(Fault::kVerdictKeptBetweenDirections) ? 0 : marks.verdict()))
            .Because("start of policy"));
  }
  bool first = true;
  for (const TierInForce& tier : shape.tiers) {
    RenderTier(tier, shape.direction, first, context, chain);
    first = false;
  }
  RenderProfiles(shape, context, chain);
  RenderEnd(shape.kind, context, chain);
  return chain;
}

ir::Chain RenderEndpoint(const model::WorkloadEndpoint& endpoint, Direction direction,
                         const std::string& shape_chain, const RenderContext& context) {
  ir::Chain chain;
  if (!endpoint.admin_up && !IsPlanted(Fault::kAdminDownIgnored)) {
    chain.rules.push_back(When().Then(ir::Drop{}).Because("endpoint is administratively down"));
    return chain;
  }
  const ir::Action to_shape = ir::Goto{shape_chain};
  // Where elements tell containers, they tell them by address on both sides.
  const bool shared = context.options.chain_layout == ChainLayout::kShared;
  const bool ingress = direction == Direction::kIngress;
  if (ingress && !shared) {
    chain.rules.push_back(When().Then(to_shape).Because("policy of the endpoint"));
    return chain;
  }
  const auto own = [&](const model::Cidr& net) {
    if (net.family() != context.family) return;
    const auto side = ingress ? ir::Side::kDestination : ir::Side::kSource;
    chain.rules.push_back(When(ir::AddressMatch{.side = side, .net = net})
                              .Then(to_shape)
                              .Because("address of the endpoint"));
  };
  for (const model::IpAddress& address : endpoint.addresses) own(model::Cidr::Host(address));
  for (const model::Cidr& net : endpoint.allow_spoofed_source_prefixes) own(net);
  if (context.family == model::IpFamily::kV6 && !shared) {
    chain.rules.push_back(
        When(BitsSet(context.marks.scratch)).Then(ir::Return{}).Because("neighbour discovery"));
  }
  if (ingress && IsPlanted(Fault::kForeignDestinationPasses)) {
    return {{When().Then(to_shape).Because("any destination")}};
  }
  if (IsPlanted(Fault::kSourceCheckMissing)) return {{When().Then(to_shape).Because("any source")}};
  chain.rules.push_back(When().Then(ir::Drop{}).Because("address of somebody else"));
  return chain;
}

std::string DispatchSubtreeName(Direction direction, std::string_view prefix) {
  return LimitedName(DispatchChainName(direction) + "-", prefix);
}

ir::Chain RenderDispatch(Direction direction, const std::vector<std::string>& names,
                         const std::vector<std::string>& subtrees, const RenderContext&) {
  const auto way = direction == Direction::kIngress ? ir::InterfaceMatch::Way::kOut
                                                    : ir::InterfaceMatch::Way::kIn;
  ir::Chain chain;
  for (const std::string& name : names) {
    chain.rules.push_back(When(ir::InterfaceMatch{.way = way, .name = name, .is_prefix = false})
                              .Then(ir::Goto{EndpointChainName(name, direction)})
                              .Because("dispatch"));
  }
  for (const std::string& prefix : subtrees) {
    const std::size_t length = prefix.size() - (IsPlanted(Fault::kDispatchPrefixCut) ? 1 : 0);
    chain.rules.push_back(
        When(ir::InterfaceMatch{.way = way, .name = prefix.substr(0, length), .is_prefix = true})
            .Then(ir::Goto{DispatchSubtreeName(direction, prefix)})
            .Because("dispatch"));
  }
  // The lock on the door: an interface nobody has compiled yet is dropped, not waved through.
  if (IsPlanted(Fault::kUnknownInterfaceAccepted)) return chain;
  chain.rules.push_back(When().Then(ir::Drop{}).Because("unknown workload interface"));
  return chain;
}

}  // namespace felix::compiler
