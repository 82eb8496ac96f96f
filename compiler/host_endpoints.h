// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

#include "compiler/active_rules.h"
#include "compiler/emitter.h"
#include "compiler/host_renderer.h"
#include "compiler/policy_resolver.h"
#include "compiler/stats.h"
#include "model/host_endpoint.h"

namespace felix::compiler {

// The host's own interfaces: which host endpoint has which of them, and the chains of all tables
// that follow from it. An interface goes to the smallest id among the endpoints that bear its name
// and those without a name that expect one of its addresses; what nobody claims goes to the
// smallest of the wildcards. Interfaces of workloads are never among them. A host has few of
// either, so any change settles all anew; a layout that differs is rendered as a whole.
class HostEndpoints {
 public:
  HostEndpoints(std::vector<RenderContext> contexts, PolicyResolver& resolver, ActiveRules& rules,
                Emitter& emitter, Stats& stats);

  // Of this host only.
  void Set(const model::HostEndpointId& id, const model::HostEndpoint& endpoint,
           const model::LabelSet& effective_labels);
  void Remove(const model::HostEndpointId& id);  // of one that may not be here
  // Those that list the profile.
  [[nodiscard]] std::vector<model::HostEndpointId> Listing(const std::string& profile) const;
  // Null: there is no such interface any more.
  void SetInterface(const std::string& name, const model::Interface* interface);

  // Renders what changed; `dirty_classes` are those whose ordered policies may have.
  void Flush(const absl::btree_set<ClassId>& dirty_classes);

  // Endpoints that no interface has got as of the last Flush, and why.
  [[nodiscard]] std::vector<std::pair<model::HostEndpointId, std::string>> WithoutInterface() const;
  [[nodiscard]] bool HasClass(ClassId labels) const;

 private:
  struct Local {
    model::HostEndpoint endpoint;
    ClassId labels = 0;
  };

  [[nodiscard]] const model::HostEndpointId* OwnerOf(const std::string& name,
                                                     const model::Interface& interface) const;
  [[nodiscard]] const model::HostEndpointId* Wildcard() const;
  [[nodiscard]] HostPolicies PoliciesOf(const model::HostEndpointId& id) const;
  [[nodiscard]] HostLayout Settle();
  void Emit(const HostLayout& layout);
  static void ForEachShape(const HostLayout& layout,
                           const std::function<void(const Shape&)>& visit);

  std::vector<RenderContext> contexts_;
  PolicyResolver& resolver_;
  ActiveRules& rules_;
  Emitter& emitter_;
  Stats& stats_;
  absl::btree_map<model::HostEndpointId, Local> endpoints_;
  absl::btree_map<std::string, model::Interface> interfaces_;
  bool dirty_ = false;
  HostLayout layout_;                                // as of the last Flush
  absl::btree_set<model::HostEndpointId> resolved_;  // those that have an interface in it
  absl::btree_set<ir::ChainKey> chains_;             // emitted, the static ones excluded
  absl::btree_set<ir::HookKey> hooks_;
};

}  // namespace felix::compiler
