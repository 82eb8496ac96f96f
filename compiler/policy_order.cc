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

model::TierDefaultAction DefaultActionOf(const model::Tier* tier) {
  return tier == nullptr ? model::TierDefaultAction::kDeny : tier->default_action;
}

bool GovernsWorkloads(const model::PolicyId& id, const model::Policy& policy) {
  if (IsPlanted(Fault::kStagedPolicyEnforced)) return !policy.do_not_track && !policy.pre_dnat;
  if (IsPlanted(Fault::kUntrackedPolicyEnforced)) return !model::IsStaged(id.kind);
  return !model::IsStaged(id.kind) && !policy.do_not_track && !policy.pre_dnat;
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
