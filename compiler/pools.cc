// SPDX-License-Identifier: Apache-2.0
#include "compiler/pools.h"

#include <utility>

#include "model/base/assign.h"

namespace felix::compiler {
namespace {

bool FloatingIpsHold(const model::WorkloadEndpointId& id, const Options& options) {
  return options.floating_ips_enabled || id.orchestrator == "openstack";
}

// Keeps the one whose text is smaller, as everybody in the cluster does.
void KeepSmaller(const model::IpAddress& key, const model::IpAddress& value,
                 absl::btree_map<model::IpAddress, model::IpAddress>& map) {
  const auto [it, inserted] = map.try_emplace(key, value);
  if (!inserted && value.ToString() < it->second.ToString()) it->second = value;
}

template <typename Map>
void MoveInto(Map& from, Map& to) {
  for (auto& [key, value] : from) to.insert_or_assign(key, std::move(value));
}

}  // namespace

void Pools::SetPool(const model::IpPoolId& id, const model::IpPool* pool) {
  ++stats_.pools.updates_in;
  dirty_ = model::Assign(pools_, id, pool) || dirty_;
}

void Pools::SetNode(const model::NodeId& id, const model::Node* node) {
  ++stats_.pools.updates_in;
  dirty_ = model::Assign(nodes_, id, node) || dirty_;
}

void Pools::SetLocalEndpoint(const model::WorkloadEndpointId& id,
                             const model::WorkloadEndpoint* endpoint) {
  ++stats_.pools.updates_in;
  const bool has = endpoint != nullptr && !endpoint->nat_mappings.empty();
  dirty_ = model::Assign(mappings_, id, has ? &endpoint->nat_mappings : nullptr) || dirty_;
}

Translations Pools::Settle(const RenderContext& context) const {
  Translations translations;
  absl::btree_set<model::Cidr> seen;
  for (const auto& [id, pool] : pools_) {
    // Of equal ranges the smallest name counts, and the map is in the order of names.
    if (pool.cidr.family() != context.family || !seen.insert(pool.cidr).second) continue;
    if (!pool.load_balancer_only) translations.pools.insert(pool.cidr);
    if (pool.nat_outgoing) translations.masquerading.insert(pool.cidr);
  }
  for (const auto& [id, node] : nodes_) {
    for (const model::IpAddress& address : node.addresses) {
      if (address.family() == context.family) translations.hosts.insert(model::Cidr::Host(address));
    }
  }
  for (const auto& [id, mappings] : mappings_) {
    if (!FloatingIpsHold(id, context.options)) continue;
    for (const model::NatMapping& mapping : mappings) {
      if (mapping.external.family() != context.family) continue;
      KeepSmaller(mapping.external, mapping.internal, translations.internal_of);
      KeepSmaller(mapping.internal, mapping.external, translations.external_of);
    }
  }
  return translations;
}

void Pools::Flush(ir::DesiredDelta& delta) {
  if (!dirty_) return;
  dirty_ = false;
  ir::DesiredState state;
  for (const RenderContext& context : contexts_) {
    RenderTranslations(Settle(context), context, state);
  }
  ir::DesiredDelta changes = ir::Diff(emitted_, state);
  emitted_ = std::move(state);
  ++stats_.pools.recomputed;
  ++(changes.empty() ? stats_.pools.suppressed : stats_.pools.emitted);
  MoveInto(changes.new_sets, delta.new_sets);
  MoveInto(changes.changed_sets, delta.changed_sets);
  MoveInto(changes.chains, delta.chains);
  MoveInto(changes.hooks, delta.hooks);
  delta.removed_sets.insert(changes.removed_sets.begin(), changes.removed_sets.end());
  delta.removed_chains.insert(changes.removed_chains.begin(), changes.removed_chains.end());
  delta.removed_hooks.insert(changes.removed_hooks.begin(), changes.removed_hooks.end());
}

}  // namespace felix::compiler
