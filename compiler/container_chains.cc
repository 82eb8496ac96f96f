// SPDX-License-Identifier: Apache-2.0
#include "compiler/container_chains.h"

#include <utility>

#include "compiler/chain_renderer.h"
#include "compiler/fault.h"

namespace felix::compiler {

ContainerChains::ContainerChains(ShapeKind kind, std::vector<RenderContext> contexts,
                                 ActiveRules& rules, Emitter& emitter, Stats& stats)
    : kind_(kind), contexts_(std::move(contexts)), rules_(rules), emitter_(emitter), stats_(stats) {
  for (RenderContext& context : contexts_) context.table = TableOf(kind_);
  // The roots exist before the first container: an unknown interface is dropped from the start.
  for (const Direction direction : kDirections) FlushDispatch(direction, {""});
}

ir::ChainKey ContainerChains::KeyOf(const RenderContext& context, std::string name) const {
  return {.family = context.family, .table = context.table, .name = std::move(name)};
}

void ContainerChains::Set(const std::string& interface_name,
                          const model::WorkloadEndpoint& endpoint, const ContainerShapes* shapes) {
  for (const Direction direction : kDirections) {
    std::string shape_chain;
    if (shapes != nullptr) {
      rules_.AcquireShape((*shapes)[Index(direction)]);
      shape_chain = (*shapes)[Index(direction)].ChainName();
    }
    for (const RenderContext& context : contexts_) {
      emitter_.SetChain(KeyOf(context, EndpointChainName(interface_name, direction)),
                        interface_name, RenderEndpoint(endpoint, direction, shape_chain, context));
    }
  }
  // Old shapes go after the new ones came, so that one that stays is not rendered anew.
  std::optional<ContainerShapes>& known = shapes_[interface_name];
  if (known.has_value() && !IsPlanted(Fault::kShapeNeverReleased)) {
    for (const Shape& shape : *known) rules_.ReleaseShape(shape);
  }
  known = shapes == nullptr ? std::nullopt : std::optional(*shapes);
  dispatch_.Add(interface_name);
}

void ContainerChains::Remove(const std::string& interface_name) {
  const auto known = shapes_.find(interface_name);
  if (known == shapes_.end()) return;
  if (known->second.has_value() && !IsPlanted(Fault::kShapeNeverReleased)) {
    for (const Shape& shape : *known->second) rules_.ReleaseShape(shape);
  }
  shapes_.erase(known);
  dispatch_.Remove(interface_name);
  for (const Direction direction : kDirections) {
    for (const RenderContext& context : contexts_) {
      emitter_.RemoveChain(KeyOf(context, EndpointChainName(interface_name, direction)),
                           interface_name);
    }
  }
}

void ContainerChains::FlushDispatch(Direction direction,
                                    const absl::btree_set<std::string>& dirty) {
  for (const std::string& prefix : dirty) {
    const std::string name =
        prefix.empty() ? DispatchChainName(direction) : DispatchSubtreeName(direction, prefix);
    const std::string owner = "dispatch " + prefix;
    const bool wanted = dispatch_.HasNode(prefix);
    DispatchTree::Node node;
    if (wanted) node = dispatch_.NodeAt(prefix);
    for (const RenderContext& context : contexts_) {
      if (!wanted) {
        emitter_.RemoveChain(KeyOf(context, name), owner);
        continue;
      }
      ir::Chain chain = RenderDispatch(direction, node.names, node.subtrees, context);
      if (prefix.empty()) PrependRefusable(context, chain);
      emitter_.SetChain(KeyOf(context, name), owner, std::move(chain));
    }
    ++stats_.dispatch_rendered;
  }
}

void ContainerChains::Flush() {
  const absl::btree_set<std::string> dirty = dispatch_.TakeDirty();
  for (const Direction direction : kDirections) FlushDispatch(direction, dirty);
}

}  // namespace felix::compiler
