// SPDX-License-Identifier: Apache-2.0
#include "tests/reference/cluster_view.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "fmt/format.h"

namespace felix::reference {
namespace {

constexpr double kLast = std::numeric_limits<double>::infinity();

bool Holds(const std::vector<model::IpAddress>& addresses, const model::IpAddress& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

bool Claims(const model::HostEndpoint& endpoint, const std::string& name,
            const model::Interface& interface) {
  if (!endpoint.interface_name.empty()) return endpoint.interface_name == name;
  return std::any_of(
      endpoint.expected_addresses.begin(), endpoint.expected_addresses.end(),
      [&](const model::IpAddress& address) { return Holds(interface.addresses, address); });
}

bool IsIn(PolicyList list, const model::Policy& policy) {
  switch (list) {
    case PolicyList::kNormal:
      return !policy.do_not_track && !policy.pre_dnat;
    case PolicyList::kForward:
      return !policy.do_not_track && !policy.pre_dnat && policy.apply_on_forward;
    case PolicyList::kUntracked:
      return policy.do_not_track;
    case PolicyList::kPreDnat:
      return policy.pre_dnat && !policy.do_not_track;
  }
  return false;
}

template <typename AnyPolicy>
bool AppliesTo(const AnyPolicy& policy, Direction direction) {
  return direction == Direction::kIngress ? policy.ingress_applies : policy.egress_applies;
}

std::string TieBreak(const model::PolicyId& id) {
  return fmt::format("{}/{}/{}", id.name, id.namespace_name, std::string(KindName(id.kind)));
}

bool ComesBefore(const AppliedPolicy& a, const AppliedPolicy& b) {
  if (a.order != b.order) return a.order < b.order;
  return TieBreak(a.id) < TieBreak(b.id);
}

// Known tiers before unknown ones, tiers with an order before those without, then by the order, at
// last by name.
auto TierRank(const model::Store& store, const std::string& name) {
  const auto tier = store.tiers().find(model::TierId{name});
  const bool unknown = tier == store.tiers().end();
  const bool without_order = unknown || !tier->second.order.has_value();
  return std::make_tuple(unknown, without_order, without_order ? 0.0 : *tier->second.order, name);
}

}  // namespace

bool ClusterView::IsWorkloadInterface(const std::string& name) const {
  return std::any_of(options_.interface_prefixes.begin(), options_.interface_prefixes.end(),
                     [&](const std::string& prefix) {
                       return !name.empty() && name.compare(0, prefix.size(), prefix) == 0;
                     });
}

bool ClusterView::Exists(const model::WorkloadEndpointId& id,
                         const model::WorkloadEndpoint& endpoint) const {
  if (!endpoint.allow_spoofed_source_prefixes.empty() && !options_.workload_source_spoofing) {
    return false;
  }
  return id.host != options_.hostname || IsWorkloadInterface(endpoint.interface_name);
}

const model::WorkloadEndpoint* ClusterView::OwnerOf(const std::string& interface_name) const {
  for (const auto& [id, endpoint] : endpoints_) {
    if (id.host == options_.hostname && endpoint.interface_name == interface_name &&
        Exists(id, endpoint)) {
      return &endpoint;
    }
  }
  return nullptr;
}

model::LabelSet ClusterView::EffectiveLabels(const model::LabelSet& own,
                                             const std::vector<std::string>& profiles) const {
  model::LabelSet labels = own;
  for (const std::string& name : profiles) {
    const model::Profile* profile = FindProfile(name);
    if (profile == nullptr) continue;
    for (const auto& [key, value] : profile->labels_to_apply) {
      if (!labels.Get(key).has_value()) labels.Set(key, value);
    }
  }
  return labels;
}

const model::HostEndpoint* ClusterView::HostEndpointOf(const std::string& interface_name) const {
  const auto interface = store_.interfaces().find(model::InterfaceId{interface_name});
  if (interface == store_.interfaces().end() || IsWorkloadInterface(interface_name)) return nullptr;
  for (const auto& [id, endpoint] : store_.host_endpoints()) {
    if (id.host == options_.hostname && Claims(endpoint, interface_name, interface->second)) {
      return &endpoint;
    }
  }
  return nullptr;
}

const model::HostEndpoint* ClusterView::WildcardHostEndpoint() const {
  for (const auto& [id, endpoint] : store_.host_endpoints()) {
    if (id.host == options_.hostname && endpoint.interface_name == "*") return &endpoint;
  }
  return nullptr;
}

std::vector<AppliedTier> ClusterView::TiersOf(const model::WorkloadEndpoint& endpoint,
                                              Direction direction) const {
  return TiersOf(EffectiveLabels(endpoint.labels, endpoint.profiles), PolicyList::kNormal,
                 direction);
}

std::vector<AppliedTier> ClusterView::TiersOf(const model::HostEndpoint& endpoint, PolicyList list,
                                              Direction direction) const {
  return TiersOf(EffectiveLabels(endpoint.labels, endpoint.profiles), list, direction);
}

std::vector<AppliedTier> ClusterView::TiersOf(const model::LabelSet& labels, PolicyList list,
                                              Direction direction) const {
  std::map<std::string, std::vector<AppliedPolicy>> by_tier;
  for (const auto& [id, policy] : policies_) {
    if (IsStaged(id.kind) || !IsIn(list, policy)) continue;
    if (!AppliesTo(policy, direction) || !policy.selector.Matches(labels)) continue;
    by_tier[policy.tier].push_back({id, policy.order.value_or(kLast), &policy});
  }
  // Nobody knows what else a broken policy was to apply to.
  if (list == PolicyList::kNormal &&
      options_.invalid_policy_action == compiler::InvalidPolicyAction::kDrop) {
    for (const auto& [id, broken] : store_.broken_policies()) {
      if (IsStaged(id.kind) || !broken.selector.has_value()) continue;
      if (!AppliesTo(broken, direction) || !broken.selector->Matches(labels)) continue;
      by_tier[broken.tier].push_back({id, broken.order.value_or(kLast), nullptr});
    }
  }
  std::vector<AppliedTier> tiers;
  for (auto& [name, policies] : by_tier) {
    std::sort(policies.begin(), policies.end(), ComesBefore);
    const auto tier = store_.tiers().find(model::TierId{name});
    const bool passes = tier != store_.tiers().end() &&
                        tier->second.default_action == model::TierDefaultAction::kPass;
    // Traffic that these lists do not decide on goes on to the normal one.
    const bool goes_on = list == PolicyList::kUntracked || list == PolicyList::kPreDnat;
    tiers.push_back({name, !passes && !goes_on, std::move(policies)});
  }
  std::sort(tiers.begin(), tiers.end(), [this](const AppliedTier& a, const AppliedTier& b) {
    return TierRank(store_, a.name) < TierRank(store_, b.name);
  });
  return tiers;
}

const model::Profile* ClusterView::FindProfile(const std::string& name) const {
  const auto profile = profiles_.find(model::ProfileId{name});
  return profile == profiles_.end() ? nullptr : &profile->second;
}

bool ClusterView::IsSelected(const model::Selector& selector,
                             const model::IpAddress& address) const {
  for (const auto& [id, endpoint] : endpoints_) {
    if (Exists(id, endpoint) && Holds(endpoint.addresses, address) &&
        selector.Matches(EffectiveLabels(endpoint.labels, endpoint.profiles))) {
      return true;
    }
  }
  for (const auto& [id, endpoint] : store_.host_endpoints()) {
    if (Holds(endpoint.expected_addresses, address) &&
        selector.Matches(EffectiveLabels(endpoint.labels, endpoint.profiles))) {
      return true;
    }
  }
  for (const auto& [id, network_set] : network_sets_) {
    for (const model::Cidr& net : network_set.nets) {
      if (net.Contains(address) &&
          selector.Matches(EffectiveLabels(network_set.labels, network_set.profiles))) {
        return true;
      }
    }
  }
  return false;
}

bool ClusterView::HasNamedPort(const model::Selector& selector, const std::string& port_name,
                               const model::IpAddress& address, model::Protocol protocol,
                               std::uint16_t port) const {
  const model::NamedPort wanted{port_name, protocol, port};
  const auto has = [&](const auto& endpoint) {
    return std::count(endpoint.ports.begin(), endpoint.ports.end(), wanted) > 0 &&
           selector.Matches(EffectiveLabels(endpoint.labels, endpoint.profiles));
  };
  for (const auto& [id, endpoint] : endpoints_) {
    if (Exists(id, endpoint) && Holds(endpoint.addresses, address) && has(endpoint)) return true;
  }
  for (const auto& [id, endpoint] : store_.host_endpoints()) {
    if (Holds(endpoint.expected_addresses, address) && has(endpoint)) return true;
  }
  return false;
}

}  // namespace felix::reference
