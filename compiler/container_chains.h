// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"

#include "compiler/active_rules.h"
#include "compiler/dispatch_tree.h"
#include "compiler/emitter.h"
#include "compiler/endpoint_layout.h"
#include "compiler/stats.h"

namespace felix::compiler {

// Two chains for each container, its own, and the dispatch trees that lead there by the interface's
// name. All are in the table of the kind of shape: the whole of ChainLayout=PerContainer, and in
// the other layout the way for those containers that elements cannot tell.
class ContainerChains final : public EndpointLayout {
 public:
  ContainerChains(ShapeKind kind, std::vector<RenderContext> contexts, ActiveRules& rules,
                  Emitter& emitter, Stats& stats);

  [[nodiscard]] ShapeKind shape_kind() const override { return kind_; }
  void Set(const std::string& interface_name, const model::WorkloadEndpoint& endpoint,
           const ContainerShapes* shapes) override;
  void Remove(const std::string& interface_name) override;
  void Flush() override;

  [[nodiscard]] bool Has(const std::string& interface_name) const {
    return shapes_.contains(interface_name);
  }
  [[nodiscard]] std::size_t size() const { return shapes_.size(); }

 private:
  [[nodiscard]] ir::ChainKey KeyOf(const RenderContext& context, std::string name) const;
  void FlushDispatch(Direction direction, const absl::btree_set<std::string>& dirty);

  const ShapeKind kind_;
  std::vector<RenderContext> contexts_;
  ActiveRules& rules_;
  Emitter& emitter_;
  Stats& stats_;
  absl::flat_hash_map<std::string, std::optional<ContainerShapes>> shapes_;  // by interface
  DispatchTree dispatch_;
};

}  // namespace felix::compiler
