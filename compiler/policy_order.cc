// SPDX-License-Identifier: Apache-2.0
#include "compiler/policy_order.h"

#include "fmt/format.h"

#include "compiler/fault.h"

namespace felix::compiler {

PolicyPosition PositionOf(const model::PolicyId& id, std::string_view tier_name,
                          const std::optional<double>& order, const model::Tier* tier) {
  PolicyPosition position = {
      .tier_is_missing = tier == nullptr && !IsPlanted(Fault::kMissingTierFirst),
      .tier_order = OrderKey::From(tier == nullptr ? std::nullopt : tier->order),
      .tier = std::string(tier_name),
      .order = OrderKey::From(order),
      .tie_break = fmt::format("{}/{}/{}", id.name, id.namespace_name, model::KindName(id.kind)),
  };
  if (IsPlanted(Fault::kMissingTierFirst) && tier == nullptr)
    position.tier_order = {.absent = false, .value = -1e9};
  if (IsPlanted(Fault::kMissingOrderFirst) && !order.has_value())
    position.order = {.absent = false, .value = -1e9};
  if (IsPlanted(Fault::kTieBreakReversed)) {
    for (char& c : position.tie_break) c = static_cast<char>(0x7f - c);
  }
  return position;
}

model::TierDefaultAction DefaultActionOf(const model::Tier* tier, PolicyLayer layer) {
  const bool goes_on = layer == PolicyLayer::kUntracked || layer == PolicyLayer::kPreDnat;
  if (goes_on && !IsPlanted(Fault::kUntrackedTierDenies)) {
    return model::TierDefaultAction::kPass;
  }
  return tier == nullptr ? model::TierDefaultAction::kDeny : tier->default_action;
}

bool IsInForce(const model::PolicyId& id) {
  return !model::IsStaged(id.kind) || IsPlanted(Fault::kStagedPolicyEnforced);
}

PolicyLayers LayersOf(const model::Policy& policy) {
  if (IsPlanted(Fault::kUntrackedPolicyEnforced)) return LayerBit(PolicyLayer::kNormal);
  if (policy.do_not_track) return LayerBit(PolicyLayer::kUntracked);
  if (policy.pre_dnat) return LayerBit(PolicyLayer::kPreDnat);
  const PolicyLayers normal = LayerBit(PolicyLayer::kNormal);
  return policy.apply_on_forward || IsPlanted(Fault::kForwardTakesAllPolicies)
             ? static_cast<PolicyLayers>(normal | LayerBit(PolicyLayer::kForward))
             : normal;
}

std::optional<model::Policy> DenyingStandIn(const model::BrokenPolicy& broken) {
  if (!broken.selector.has_value() || IsPlanted(Fault::kBrokenPolicyIgnored)) return std::nullopt;
  model::PolicyRule deny;
  deny.action = model::RuleAction::kDeny;
  model::Policy policy;
  policy.tier = broken.tier;
  policy.order = broken.order;
  policy.selector = *broken.selector;
  policy.ingress_applies = broken.ingress_applies;
  policy.egress_applies = broken.egress_applies;
  policy.ingress = {deny};
  policy.egress = {deny};
  return policy;
}

}  // namespace felix::compiler
