// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

#include "compiler/emitter.h"
#include "compiler/endpoint_layout.h"
#include "compiler/policy_resolver.h"
#include "compiler/rule_renderer.h"
#include "compiler/stats.h"
#include "model/endpoint.h"

namespace felix::compiler {

// The containers of this host: which endpoint has which interface, and what shape it is subject to
// in each direction. How packets get there is the layout's business. If two endpoints claim one
// interface, the smaller id has it and the other waits.
class LocalEndpoints {
 public:
  LocalEndpoints(std::vector<RenderContext> contexts, PolicyResolver& resolver,
                 EndpointLayout& layout, Emitter& emitter, Stats& stats);

  void Set(const model::WorkloadEndpointId& id, const model::WorkloadEndpoint& endpoint,
           const model::LabelSet& effective_labels);
  void Remove(const model::WorkloadEndpointId& id);  // of an endpoint that may not be here

  // Renders what changed; `dirty_classes` are those whose ordered policies may have.
  void Flush(const absl::btree_set<ClassId>& dirty_classes);

  // Endpoints that wait for an interface that another one has: id and the winner's id.
  [[nodiscard]] std::vector<std::pair<model::WorkloadEndpointId, model::WorkloadEndpointId>>
  Shadowed() const;
  [[nodiscard]] bool HasClass(ClassId labels) const { return endpoints_of_class_.contains(labels); }

 private:
  struct Local {
    model::WorkloadEndpoint endpoint;
    ClassId labels = 0;
  };

  void EmitAddresses(const std::string& interface_name, const model::WorkloadEndpoint* endpoint);
  void FlushInterface(const std::string& interface_name);
  [[nodiscard]] std::optional<ContainerShapes> ShapesOf(const Local& local) const;

  std::vector<RenderContext> contexts_;
  PolicyResolver& resolver_;
  EndpointLayout& layout_;
  Emitter& emitter_;
  Stats& stats_;
  absl::btree_map<model::WorkloadEndpointId, Local> endpoints_;
  absl::btree_map<std::string, absl::btree_set<model::WorkloadEndpointId>> claims_;
  absl::flat_hash_map<ClassId, absl::btree_set<model::WorkloadEndpointId>> endpoints_of_class_;
  absl::btree_set<std::string> dirty_interfaces_;
  absl::flat_hash_set<std::string> rendered_;  // interfaces that the layout knows
};

}  // namespace felix::compiler
