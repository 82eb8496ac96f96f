// SPDX-License-Identifier: Apache-2.0
#include "compiler/local_endpoints.h"

#include <utility>

#include "compiler/chain_renderer.h"
#include "compiler/fault.h"

namespace felix::compiler {

LocalEndpoints::LocalEndpoints(std::vector<RenderContext> contexts, PolicyResolver& resolver,
                               EndpointLayout& layout, Emitter& emitter, Stats& stats)
    : contexts_(std::move(contexts)),
      resolver_(resolver),
      layout_(layout),
      emitter_(emitter),
      stats_(stats) {}

void LocalEndpoints::Set(const model::WorkloadEndpointId& id,
                         const model::WorkloadEndpoint& endpoint,
                         const model::LabelSet& effective_labels) {
  const ClassId labels = resolver_.AcquireClass(effective_labels);
  Remove(id);
  claims_[endpoint.interface_name].insert(id);
  dirty_interfaces_.insert(endpoint.interface_name);
  endpoints_of_class_[labels].insert(id);
  endpoints_.emplace(id, Local{.endpoint = endpoint, .labels = labels});
}

void LocalEndpoints::Remove(const model::WorkloadEndpointId& id) {
  ++stats_.local_endpoints.updates_in;  // a change begins with this as well
  const auto found = endpoints_.find(id);
  if (found == endpoints_.end()) return;
  const std::string& interface_name = found->second.endpoint.interface_name;
  dirty_interfaces_.insert(interface_name);
  const auto claim = claims_.find(interface_name);
  claim->second.erase(id);
  if (claim->second.empty()) claims_.erase(claim);
  const ClassId labels = found->second.labels;
  const auto users = endpoints_of_class_.find(labels);
  users->second.erase(id);
  if (users->second.empty()) endpoints_of_class_.erase(users);
  endpoints_.erase(found);
  resolver_.ReleaseClass(labels);
}

// An endpoint that is down has no shape: its chains drop, whatever policy says.
std::optional<ContainerShapes> LocalEndpoints::ShapesOf(const Local& local) const {
  if (!local.endpoint.admin_up && !IsPlanted(Fault::kAdminDownIgnored)) return std::nullopt;
  ContainerShapes shapes;
  for (const Direction direction : kDirections) {
    shapes[Index(direction)] = {.kind = layout_.shape_kind(),
                                .direction = direction,
                                .tiers = resolver_.Resolve(local.labels, direction),
                                .profiles = local.endpoint.profiles};
  }
  return shapes;
}

void LocalEndpoints::EmitAddresses(const std::string& interface_name,
                                   const model::WorkloadEndpoint* endpoint) {
  absl::btree_set<ir::LocalAddress> addresses;
  for (const RenderContext& context : contexts_) {
    if (endpoint == nullptr) break;
    for (const model::IpAddress& address : endpoint->addresses) {
      if (address.family() == context.family) addresses.insert({interface_name, address});
    }
  }
  emitter_.SetLocalAddresses(interface_name, std::move(addresses));
}

void LocalEndpoints::FlushInterface(const std::string& interface_name) {
  const auto claim = claims_.find(interface_name);
  if (claim != claims_.end()) {
    const bool last = IsPlanted(Fault::kInterfaceGoesToLastClaim);
    const Local& local = endpoints_.at(last ? *claim->second.rbegin() : *claim->second.begin());
    EmitAddresses(interface_name, &local.endpoint);
    const std::optional<ContainerShapes> shapes = ShapesOf(local);
    layout_.Set(interface_name, local.endpoint, shapes.has_value() ? &*shapes : nullptr);
    rendered_.insert(interface_name);
    ++stats_.local_endpoints.recomputed;
    ++stats_.local_endpoints.emitted;
    return;
  }
  if (rendered_.erase(interface_name) == 0) {
    ++stats_.local_endpoints.suppressed;
    return;
  }
  ++stats_.local_endpoints.emitted;
  EmitAddresses(interface_name, nullptr);
  layout_.Remove(interface_name);
}

void LocalEndpoints::Flush(const absl::btree_set<ClassId>& dirty_classes) {
  for (const ClassId labels : dirty_classes) {
    const auto users = endpoints_of_class_.find(labels);
    if (users == endpoints_of_class_.end()) continue;
    for (const model::WorkloadEndpointId& id : users->second) {
      dirty_interfaces_.insert(endpoints_.at(id).endpoint.interface_name);
    }
  }
  for (const std::string& interface_name : dirty_interfaces_) FlushInterface(interface_name);
  dirty_interfaces_.clear();
  layout_.Flush();
}

std::vector<std::pair<model::WorkloadEndpointId, model::WorkloadEndpointId>>
LocalEndpoints::Shadowed() const {
  std::vector<std::pair<model::WorkloadEndpointId, model::WorkloadEndpointId>> shadowed;
  for (const auto& [interface_name, ids] : claims_) {
    for (const model::WorkloadEndpointId& id : ids) {
      if (id != *ids.begin()) shadowed.emplace_back(id, *ids.begin());
    }
  }
  return shadowed;
}

}  // namespace felix::compiler
