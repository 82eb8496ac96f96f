// SPDX-License-Identifier: Apache-2.0
#include "compiler/local_endpoints.h"

#include <utility>

#include "compiler/chain_renderer.h"
#include "compiler/fault.h"

namespace felix::compiler {
namespace {

constexpr std::array<Direction, 2> kDirections = {Direction::kIngress, Direction::kEgress};

std::size_t Index(Direction direction) {
  return direction == Direction::kIngress ? 0 : 1;
}

}  // namespace

LocalEndpoints::LocalEndpoints(std::vector<RenderContext> contexts, PolicyResolver& resolver,
                               ActiveRules& rules, Emitter& emitter, Stats& stats)
    : contexts_(std::move(contexts)),
      resolver_(resolver),
      rules_(rules),
      emitter_(emitter),
      stats_(stats) {
  // The roots exist before the first container: an unknown interface is dropped from the start.
  for (const Direction direction : kDirections) FlushDispatch(direction, {""});
}

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
std::optional<LocalEndpoints::Shapes> LocalEndpoints::ShapesOf(const Local& local) const {
  if (!local.endpoint.admin_up && !IsPlanted(Fault::kAdminDownIgnored)) return std::nullopt;
  Shapes shapes;
  for (const Direction direction : kDirections) {
    shapes[Index(direction)] = {.kind = ShapeKind::kWorkload,
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
  const bool wanted = claim != claims_.end();
  std::optional<Shapes> shapes;
  if (wanted) {
    const bool last = IsPlanted(Fault::kInterfaceGoesToLastClaim);
    const Local& local = endpoints_.at(last ? *claim->second.rbegin() : *claim->second.begin());
    EmitAddresses(interface_name, &local.endpoint);
    shapes = ShapesOf(local);
    for (const Direction direction : kDirections) {
      std::string shape_chain;
      if (shapes.has_value()) {
        rules_.AcquireShape((*shapes)[Index(direction)]);
        shape_chain = (*shapes)[Index(direction)].ChainName();
      }
      for (const RenderContext& context : contexts_) {
        emitter_.SetChain({.family = context.family,
                           .table = ir::Table::kFilter,
                           .name = EndpointChainName(interface_name, direction)},
                          interface_name,
                          RenderEndpoint(local.endpoint, direction, shape_chain, context));
      }
    }
    ++stats_.local_endpoints.recomputed;
    ++stats_.local_endpoints.emitted;
  }
  // Old shapes go after the new ones came, so that one that stays is not rendered anew.
  const auto rendered = rendered_.find(interface_name);
  if (rendered != rendered_.end() && rendered->second.has_value() &&
      !IsPlanted(Fault::kShapeNeverReleased)) {
    for (const Shape& shape : *rendered->second) rules_.ReleaseShape(shape);
  }
  if (wanted) {
    rendered_.insert_or_assign(interface_name, std::move(shapes));
    dispatch_.Add(interface_name);
    return;
  }
  if (rendered == rendered_.end()) {
    ++stats_.local_endpoints.suppressed;
    return;
  }
  ++stats_.local_endpoints.emitted;
  EmitAddresses(interface_name, nullptr);
  rendered_.erase(rendered);
  dispatch_.Remove(interface_name);
  for (const Direction direction : kDirections) {
    for (const RenderContext& context : contexts_) {
      emitter_.RemoveChain({.family = context.family,
                            .table = ir::Table::kFilter,
                            .name = EndpointChainName(interface_name, direction)},
                           interface_name);
    }
  }
}

void LocalEndpoints::FlushDispatch(Direction direction, const absl::btree_set<std::string>& dirty) {
  for (const std::string& prefix : dirty) {
    const std::string name =
        prefix.empty() ? DispatchChainName(direction) : DispatchSubtreeName(direction, prefix);
    const std::string owner = "dispatch " + prefix;
    const bool wanted = dispatch_.HasNode(prefix);
    DispatchTree::Node node;
    if (wanted) node = dispatch_.NodeAt(prefix);
    for (const RenderContext& context : contexts_) {
      const ir::ChainKey key{.family = context.family, .table = ir::Table::kFilter, .name = name};
      if (wanted) {
        emitter_.SetChain(key, owner,
                          RenderDispatch(direction, node.names, node.subtrees, context));
      } else {
        emitter_.RemoveChain(key, owner);
      }
    }
    ++stats_.dispatch_rendered;
  }
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
  const absl::btree_set<std::string> dirty = dispatch_.TakeDirty();
  for (const Direction direction : kDirections) FlushDispatch(direction, dirty);
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
