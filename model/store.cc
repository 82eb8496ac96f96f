// SPDX-License-Identifier: Apache-2.0
#include "model/store.h"

#include <algorithm>
#include <optional>
#include <variant>
#include <vector>

#include "fmt/format.h"

#include "model/base/assign.h"
#include "model/base/check.h"
#include "model/base/overloaded.h"

namespace felix::model {
namespace {

using model::Assign;

constexpr std::size_t kMuch = 1024;  // updates at once for which room is made ahead

template <typename Id, typename Value>
Assignment Assign(PackedMap<Id, Value>& map, const Id& key, const Value* value) {
  return map.Assign(key, value);
}

Assignment AsAssignment(bool changed) {
  return {.changed = changed, .number = 0};
}
Assignment AsAssignment(Assignment assignment) {
  return assignment;
}

template <typename Value>
const Value* ValueIn(const Update& update) {
  return update.value.has_value() ? std::get_if<Value>(&*update.value) : nullptr;
}

template <typename Map>
Assignment AssignOnly(Map& map, const typename Map::key_type& key, const Update& update) {
  const auto* value = ValueIn<typename Map::mapped_type>(update);
  FELIX_CHECK(value != nullptr || !update.value.has_value(),
              fmt::format("the value is of another kind than its key: {}", ToString(update.key)));
  return AsAssignment(Assign(map, key, value));
}

using Visit = std::function<void(const Update&)>;

template <typename Map>
void VisitAll(const Map& map, const Visit& visit) {
  for (const auto& [key, value] : map) visit(Update{.key = key, .value = value});
}

// Policies and broken policies share their keys, each key in at most one of the two.
void VisitMerged(const PackedMap<PolicyId, Policy>& policies,
                 const absl::btree_map<PolicyId, BrokenPolicy>& broken_policies,
                 const Visit& visit) {
  auto broken = broken_policies.begin();
  const auto visit_broken_before = [&](const PolicyId* limit) {
    for (; broken != broken_policies.end() && (limit == nullptr || broken->first < *limit);
         ++broken) {
      visit(Update{.key = broken->first, .value = broken->second});
    }
  };
  for (const auto& [id, policy] : policies) {
    visit_broken_before(&id);
    visit(Update{.key = id, .value = policy});
  }
  visit_broken_before(nullptr);
}

}  // namespace

Assignment Store::Set(const Update& update) {
  return std::visit(
      Overloaded{
          [&](const WorkloadEndpointId& id) { return AssignOnly(endpoints_, id, update); },
          [&](const PolicyId& id) {
            const auto* policy = ValueIn<Policy>(update);
            const auto* broken = ValueIn<BrokenPolicy>(update);
            FELIX_CHECK(
                policy != nullptr || broken != nullptr || !update.value.has_value(),
                fmt::format("the value is of another kind than its key: {}", ToString(update.key)));
            const bool policy_changed = Assign(policies_, id, policy).changed;
            const bool broken_changed = Assign(broken_policies_, id, broken);
            return AsAssignment(policy_changed || broken_changed);
          },
          [&](const TierId& id) { return AssignOnly(tiers_, id, update); },
          [&](const ProfileId& id) { return AssignOnly(profiles_, id, update); },
          [&](const NetworkSetId& id) { return AssignOnly(network_sets_, id, update); },
          [&](const ConfigId& id) { return AssignOnly(configs_, id, update); },
          [&](const IpPoolId& id) { return AssignOnly(ip_pools_, id, update); },
          [&](const NodeId& id) { return AssignOnly(nodes_, id, update); },
          [&](const HostEndpointId& id) { return AssignOnly(host_endpoints_, id, update); },
          [&](const InterfaceId& id) { return AssignOnly(interfaces_, id, update); },
      },
      update.key);
}

void Store::Expect(std::span<const Update> updates) {
  if (updates.size() < kMuch) return;
  const auto endpoints =
      static_cast<std::size_t>(std::count_if(updates.begin(), updates.end(), [](const Update& u) {
        return u.value.has_value() && std::holds_alternative<WorkloadEndpointId>(u.key);
      }));
  // A list of what is known already, as after a reconnect, asks for no more room.
  if (endpoints > endpoints_.size()) endpoints_.Reserve(endpoints);
}

std::vector<Update> Store::Snapshot() const {
  std::vector<Update> updates;
  updates.reserve(size());
  ForEach([&](const Update& update) { updates.push_back(update); });
  return updates;
}

void Store::ForEach(const Visit& visit) const {
  VisitAll(endpoints_, visit);
  VisitMerged(policies_, broken_policies_, visit);
  VisitAll(tiers_, visit);
  VisitAll(profiles_, visit);
  VisitAll(network_sets_, visit);
  VisitAll(configs_, visit);
  VisitAll(ip_pools_, visit);
  VisitAll(nodes_, visit);
  VisitAll(host_endpoints_, visit);
  VisitAll(interfaces_, visit);
}

std::size_t Store::size() const {
  return endpoints_.size() + policies_.size() + broken_policies_.size() + tiers_.size() +
         profiles_.size() + network_sets_.size() + configs_.size() + ip_pools_.size() +
         nodes_.size() + host_endpoints_.size() + interfaces_.size();
}

}  // namespace felix::model
