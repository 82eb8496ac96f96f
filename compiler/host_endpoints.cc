// SPDX-License-Identifier: Apache-2.0
#include "compiler/host_endpoints.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

#include "compiler/chain_renderer.h"
#include "compiler/fault.h"

namespace felix::compiler {
namespace {

constexpr const char* kOwner = "host endpoints";

bool ExpectsOneOf(const model::HostEndpoint& endpoint, const model::Interface& interface) {
  const auto& expected = endpoint.expected_addresses;
  return std::any_of(interface.addresses.begin(), interface.addresses.end(),
                     [&](const model::IpAddress& address) {
                       return std::binary_search(expected.begin(), expected.end(), address);
                     });
}

}  // namespace

HostEndpoints::HostEndpoints(std::vector<RenderContext> contexts, PolicyResolver& resolver,
                             ActiveRules& rules, Emitter& emitter, Stats& stats)
    : contexts_(std::move(contexts)),
      resolver_(resolver),
      rules_(rules),
      emitter_(emitter),
      stats_(stats) {}

void HostEndpoints::Set(const model::HostEndpointId& id, const model::HostEndpoint& endpoint,
                        const model::LabelSet& effective_labels) {
  const ClassId labels = resolver_.AcquireClass(effective_labels);
  Remove(id);
  endpoints_.emplace(id, Local{.endpoint = endpoint, .labels = labels});
  dirty_ = true;
}

void HostEndpoints::Remove(const model::HostEndpointId& id) {
  ++stats_.host_endpoints.updates_in;  // a change begins with this as well
  const auto found = endpoints_.find(id);
  if (found == endpoints_.end()) return;
  resolver_.ReleaseClass(found->second.labels);
  endpoints_.erase(found);
  dirty_ = true;
}

std::vector<model::HostEndpointId> HostEndpoints::Listing(const std::string& profile) const {
  std::vector<model::HostEndpointId> ids;
  for (const auto& [id, local] : endpoints_) {
    const std::vector<std::string>& profiles = local.endpoint.profiles;
    if (std::find(profiles.begin(), profiles.end(), profile) != profiles.end()) ids.push_back(id);
  }
  return ids;
}

void HostEndpoints::SetInterface(const std::string& name, const model::Interface* interface) {
  ++stats_.host_endpoints.updates_in;
  const bool of_workload = IsWorkloadInterface(name, contexts_.front().options);
  if (of_workload && !IsPlanted(Fault::kWorkloadInterfaceIsHosts)) return;
  if (interface == nullptr) {
    interfaces_.erase(name);
  } else {
    interfaces_.insert_or_assign(name, *interface);
  }
  // Without endpoints there is nothing to settle, and interfaces come and go all the time.
  if (IsPlanted(Fault::kInterfaceChangeUnheard)) return;
  if (endpoints_.empty()) ++stats_.host_endpoints.suppressed;
  dirty_ = dirty_ || !endpoints_.empty();
}

const model::HostEndpointId* HostEndpoints::OwnerOf(const std::string& name,
                                                    const model::Interface& interface) const {
  const model::HostEndpointId* owner = nullptr;
  for (const auto& [id, local] : endpoints_) {
    const std::string& claimed = local.endpoint.interface_name;
    const bool by_address = claimed.empty() && ExpectsOneOf(local.endpoint, interface);
    if (claimed != name && !by_address) continue;
    owner = &id;
    const bool looks_on = IsPlanted(Fault::kLaterNameHasInterface) ||
                          (by_address && IsPlanted(Fault::kNameBeforeAddress));
    if (!looks_on) break;
  }
  return owner;
}

const model::HostEndpointId* HostEndpoints::Wildcard() const {
  for (const auto& [id, local] : endpoints_) {
    if (local.endpoint.IsWildcard()) return &id;
  }
  return nullptr;
}

HostPolicies HostEndpoints::PoliciesOf(const model::HostEndpointId& id) const {
  const Local& local = endpoints_.at(id);
  HostPolicies policies{.owner = "host endpoint " + id.ToString(), .shapes = {}};
  for (const auto& [kind, direction] : kHostShapes) {
    const bool in_vain = kind == ShapeKind::kUntracked && local.endpoint.IsWildcard();
    if (in_vain && !IsPlanted(Fault::kWildcardUntracked)) continue;
    const bool shared = contexts_.front().options.chain_layout == ChainLayout::kShared;
    if (kind == ShapeKind::kWorkloadForward && !shared) continue;
    Shape shape{.kind = kind,
                .direction = direction,
                .tiers = resolver_.Resolve(local.labels, direction, LayerOf(kind)),
                .profiles = {}};
    if (HasProfiles(kind)) {
      shape.profiles = local.endpoint.profiles;
    } else if (shape.tiers.empty()) {
      continue;
    }
    policies.shapes.push_back(std::move(shape));
  }
  return policies;
}

HostLayout HostEndpoints::Settle() {
  HostLayout layout;
  resolved_.clear();
  for (const auto& [name, interface] : interfaces_) {
    const model::HostEndpointId* owner = OwnerOf(name, interface);
    if (owner == nullptr) continue;
    resolved_.insert(*owner);
    layout.interfaces.emplace(name, PoliciesOf(*owner));
  }
  if (const model::HostEndpointId* wildcard = Wildcard(); wildcard != nullptr) {
    resolved_.insert(*wildcard);
    layout.wildcard = PoliciesOf(*wildcard);
  }
  return layout;
}

void HostEndpoints::ForEachShape(const HostLayout& layout,
                                 const std::function<void(const Shape&)>& visit) {
  for (const auto& [name, policies] : layout.interfaces) {
    for (const Shape& shape : policies.shapes) visit(shape);
  }
  if (!layout.wildcard.has_value()) return;
  for (const Shape& shape : layout.wildcard->shapes) visit(shape);
}

void HostEndpoints::Emit(const HostLayout& layout) {
  absl::btree_set<ir::ChainKey> gone_chains = std::exchange(chains_, {});
  absl::btree_set<ir::HookKey> gone_hooks = std::exchange(hooks_, {});
  for (const RenderContext& context : contexts_) {
    ir::DesiredState state = RenderHostEndpoints(layout, context);
    for (auto& [key, chain] : state.chains) {
      gone_chains.erase(key);
      chains_.insert(key);
      emitter_.SetChain(key, kOwner, std::move(chain));
    }
    for (auto& [key, rules] : state.hooks) {
      gone_hooks.erase(key);
      hooks_.insert(key);
      emitter_.SetHook(key, std::move(rules));
    }
    for (auto& [key, chain] : RenderStaticChains(context, TraitsOf(layout))) {
      emitter_.SetChain(key, "static", std::move(chain));
    }
    if (layout.empty()) {
      emitter_.RemoveChain({.family = context.family,
                            .table = ir::Table::kFilter,
                            .name = std::string(kOutputChain)},
                           "static");
    }
  }
  for (const ir::ChainKey& key : gone_chains) emitter_.RemoveChain(key, kOwner);
  for (const ir::HookKey& key : gone_hooks) emitter_.RemoveHook(key);
}

bool HostEndpoints::HasClass(ClassId labels) const {
  return std::any_of(endpoints_.begin(), endpoints_.end(),
                     [&](const auto& entry) { return entry.second.labels == labels; });
}

void HostEndpoints::Flush(const absl::btree_set<ClassId>& dirty_classes) {
  dirty_ = dirty_ || std::any_of(endpoints_.begin(), endpoints_.end(), [&](const auto& entry) {
             return dirty_classes.contains(entry.second.labels);
           });
  if (!std::exchange(dirty_, false)) return;
  HostLayout layout = Settle();
  ++stats_.host_endpoints.recomputed;
  if (layout == layout_) {
    ++stats_.host_endpoints.suppressed;
    return;
  }
  ++stats_.host_endpoints.emitted;
  // Old shapes go after the new ones came, so that one that stays is not rendered anew.
  ForEachShape(layout, [&](const Shape& shape) { rules_.AcquireShape(shape); });
  ForEachShape(layout_, [&](const Shape& shape) { rules_.ReleaseShape(shape); });
  Emit(layout);
  layout_ = std::move(layout);
}

std::vector<std::pair<model::HostEndpointId, std::string>> HostEndpoints::WithoutInterface() const {
  std::vector<std::pair<model::HostEndpointId, std::string>> without;
  const model::HostEndpointId* wildcard = Wildcard();
  for (const auto& [id, local] : endpoints_) {
    if (resolved_.contains(id)) continue;
    without.emplace_back(
        id, local.endpoint.IsWildcard() && wildcard != nullptr
                ? fmt::format("host endpoint {} has all interfaces", wildcard->ToString())
                : std::string("no interface of this host is its own"));
  }
  return without;
}

}  // namespace felix::compiler
