// SPDX-License-Identifier: Apache-2.0
#include "tests/reference/reference_shapes.h"

#include <algorithm>
#include <set>
#include <utility>

#include "compiler/policy_order.h"

namespace felix::reference {
namespace {

using compiler::ShapeKind;

bool IsAsked(ShapeKind kind, const model::Policy& policy) {
  switch (kind) {
    case ShapeKind::kWorkload:
    case ShapeKind::kSharedWorkload:
    case ShapeKind::kHost:
    case ShapeKind::kHostTranslated:
      return !policy.do_not_track && !policy.pre_dnat;
    case ShapeKind::kForward:
    case ShapeKind::kWorkloadForward:
      return !policy.do_not_track && !policy.pre_dnat && policy.apply_on_forward;
    case ShapeKind::kUntracked:
      return policy.do_not_track;
    case ShapeKind::kPreDnat:
      return policy.pre_dnat && !policy.do_not_track;
  }
  return false;
}

bool EndsInNormalPolicy(ShapeKind kind) {
  return kind == ShapeKind::kUntracked || kind == ShapeKind::kPreDnat;
}

compiler::HostPolicies PoliciesOf(const model::Store& store, const compiler::Options& options,
                                  const model::HostEndpointId& id,
                                  const model::HostEndpoint& endpoint) {
  compiler::HostPolicies policies{.owner = "host endpoint " + id.ToString(), .shapes = {}};
  for (const auto& [kind, direction] : compiler::kHostShapes) {
    const bool normal = kind == ShapeKind::kHost || kind == ShapeKind::kHostTranslated;
    if (kind == ShapeKind::kUntracked && endpoint.interface_name == "*") continue;
    const bool shared = options.chain_layout == compiler::ChainLayout::kShared;
    if (kind == ShapeKind::kWorkloadForward && !shared) continue;
    compiler::Shape shape =
        ShapeOf(store, options, endpoint.labels, endpoint.profiles, kind, direction);
    if (normal || !shape.tiers.empty()) policies.shapes.push_back(std::move(shape));
  }
  return policies;
}

}  // namespace

model::LabelSet Effective(const model::Store& store, model::LabelSet labels,
                          const std::vector<std::string>& profiles) {
  for (const std::string& name : profiles) {
    const auto profile = store.profiles().find(model::ProfileId{name});
    if (profile != store.profiles().end()) labels.Inherit(profile->second.labels_to_apply);
  }
  return labels;
}

std::map<model::PolicyId, model::Policy> PoliciesInForce(const model::Store& store,
                                                         const compiler::Options& options) {
  std::map<model::PolicyId, model::Policy> policies;
  for (const auto& [id, policy] : store.policies()) {
    if (!model::IsStaged(id.kind)) policies.emplace(id, policy);
  }
  if (options.invalid_policy_action != compiler::InvalidPolicyAction::kDrop) return policies;
  for (const auto& [id, broken] : store.broken_policies()) {
    const auto stand_in = compiler::DenyingStandIn(broken);
    if (!model::IsStaged(id.kind) && stand_in.has_value()) policies.emplace(id, *stand_in);
  }
  return policies;
}

compiler::Shape ShapeOf(const model::Store& store, const compiler::Options& options,
                        const model::LabelSet& own_labels, const std::vector<std::string>& profiles,
                        ShapeKind kind, compiler::Direction direction) {
  const model::LabelSet labels = Effective(store, own_labels, profiles);
  std::vector<std::pair<compiler::PolicyPosition, model::PolicyId>> matching;
  for (const auto& [id, policy] : PoliciesInForce(store, options)) {
    const bool applies =
        direction == compiler::Direction::kIngress ? policy.ingress_applies : policy.egress_applies;
    if (!applies || !IsAsked(kind, policy) || !policy.selector.Matches(labels)) continue;
    const auto tier = store.tiers().find(model::TierId{policy.tier});
    matching.emplace_back(
        compiler::PositionOf(id, policy.tier, policy.order,
                             tier == store.tiers().end() ? nullptr : &tier->second),
        id);
  }
  std::sort(matching.begin(), matching.end());
  const bool asks_profiles = !EndsInNormalPolicy(kind) && kind != ShapeKind::kForward &&
                             kind != ShapeKind::kWorkloadForward;
  compiler::Shape shape{.kind = kind,
                        .direction = direction,
                        .tiers = {},
                        .profiles = asks_profiles ? profiles : std::vector<std::string>()};
  for (const auto& [position, id] : matching) {
    if (shape.tiers.empty() || shape.tiers.back().name != position.tier) {
      const auto tier = store.tiers().find(model::TierId{position.tier});
      const bool passes = EndsInNormalPolicy(kind) ||
                          (tier != store.tiers().end() &&
                           tier->second.default_action == model::TierDefaultAction::kPass);
      shape.tiers.push_back({.name = position.tier,
                             .default_action = passes ? model::TierDefaultAction::kPass
                                                      : model::TierDefaultAction::kDeny,
                             .policies = {}});
    }
    shape.tiers.back().policies.push_back(id);
  }
  return shape;
}

compiler::HostLayout LayoutOf(const model::Store& store, const compiler::Options& options) {
  compiler::HostLayout layout;
  for (const auto& [interface, seen] : store.interfaces()) {
    if (compiler::IsWorkloadInterface(interface.name, options)) continue;
    std::set<model::HostEndpointId> claims;
    for (const auto& [id, endpoint] : store.host_endpoints()) {
      if (id.host != options.hostname) continue;
      if (endpoint.interface_name == interface.name) claims.insert(id);
      if (!endpoint.interface_name.empty()) continue;
      for (const model::IpAddress& address : endpoint.expected_addresses) {
        const auto& there = seen.addresses;
        if (std::find(there.begin(), there.end(), address) != there.end()) claims.insert(id);
      }
    }
    if (claims.empty()) continue;
    const model::HostEndpointId& id = *claims.begin();
    layout.interfaces.emplace(interface.name,
                              PoliciesOf(store, options, id, store.host_endpoints().at(id)));
  }
  for (const auto& [id, endpoint] : store.host_endpoints()) {
    if (id.host != options.hostname || endpoint.interface_name != "*") continue;
    layout.wildcard = PoliciesOf(store, options, id, endpoint);
    break;
  }
  return layout;
}

}  // namespace felix::reference
