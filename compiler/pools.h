// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "absl/container/btree_map.h"

#include "compiler/ir/desired_state.h"
#include "compiler/nat_renderer.h"
#include "compiler/rule_renderer.h"
#include "compiler/stats.h"
#include "model/endpoint.h"
#include "model/network.h"

namespace felix::compiler {

// Whose addresses this host translates: hears of pools, hosts and local endpoints, settles their
// conflicts and yields the nat table with its sets. Pools and floating IPs change rarely and are
// few, so a change of any renders all of them again; only the difference is emitted.
class Pools {
 public:
  Pools(std::vector<RenderContext> contexts, Stats& stats)
      : contexts_(std::move(contexts)), stats_(stats) {}

  // Null: there is no such thing any more.
  void SetPool(const model::IpPoolId& id, const model::IpPool* pool);
  void SetNode(const model::NodeId& id, const model::Node* node);
  void SetLocalEndpoint(const model::WorkloadEndpointId& id,
                        const model::WorkloadEndpoint* endpoint);

  // Adds to `delta` what changed since the last call.
  void Flush(ir::DesiredDelta& delta);

 private:
  [[nodiscard]] Translations Settle(const RenderContext& context) const;

  std::vector<RenderContext> contexts_;
  Stats& stats_;
  absl::btree_map<model::IpPoolId, model::IpPool> pools_;
  absl::btree_map<model::NodeId, model::Node> nodes_;
  absl::btree_map<model::WorkloadEndpointId, std::vector<model::NatMapping>> mappings_;
  bool dirty_ = false;
  ir::DesiredState emitted_;
};

}  // namespace felix::compiler
