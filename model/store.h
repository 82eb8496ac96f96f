// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "absl/container/btree_map.h"

#include "model/packed_map.h"
#include "model/update.h"

namespace felix::model {

// The latest value of every key: what a compiler that starts from nothing would be given. Owns its
// values; walks over it are in the order of the keys. Of what a cluster has many, it holds packed
// copies: reading such a value makes it anew. It has no indexes.
class Store {
 public:
  // Returns whether the value differed from what was held and, of a workload endpoint, its number
  // in endpoints().
  Assignment Set(const Update& update);
  // Makes room for what is about to be set, if that is much.
  void Expect(std::span<const Update> updates);

  [[nodiscard]] const PackedMap<WorkloadEndpointId, WorkloadEndpoint>& endpoints() const {
    return endpoints_;
  }
  [[nodiscard]] const PackedMap<PolicyId, Policy>& policies() const { return policies_; }
  [[nodiscard]] const absl::btree_map<PolicyId, BrokenPolicy>& broken_policies() const {
    return broken_policies_;
  }
  [[nodiscard]] const absl::btree_map<TierId, Tier>& tiers() const { return tiers_; }
  [[nodiscard]] const PackedMap<ProfileId, Profile>& profiles() const { return profiles_; }
  [[nodiscard]] const PackedMap<NetworkSetId, NetworkSet>& network_sets() const {
    return network_sets_;
  }
  [[nodiscard]] const absl::btree_map<ConfigId, ConfigParameters>& configs() const {
    return configs_;
  }
  [[nodiscard]] const absl::btree_map<IpPoolId, IpPool>& ip_pools() const { return ip_pools_; }
  [[nodiscard]] const absl::btree_map<NodeId, Node>& nodes() const { return nodes_; }
  [[nodiscard]] const absl::btree_map<HostEndpointId, HostEndpoint>& host_endpoints() const {
    return host_endpoints_;
  }
  [[nodiscard]] const absl::btree_map<InterfaceId, Interface>& interfaces() const {
    return interfaces_;
  }
  // Everything as updates, in key order.
  [[nodiscard]] std::vector<Update> Snapshot() const;
  // The same, one at a time.
  void ForEach(const std::function<void(const Update&)>& visit) const;
  [[nodiscard]] std::size_t size() const;

 private:
  PackedMap<WorkloadEndpointId, WorkloadEndpoint> endpoints_;
  PackedMap<PolicyId, Policy> policies_;
  absl::btree_map<PolicyId, BrokenPolicy> broken_policies_;
  absl::btree_map<TierId, Tier> tiers_;
  PackedMap<ProfileId, Profile> profiles_;
  PackedMap<NetworkSetId, NetworkSet> network_sets_;
  absl::btree_map<ConfigId, ConfigParameters> configs_;
  absl::btree_map<IpPoolId, IpPool> ip_pools_;
  absl::btree_map<NodeId, Node> nodes_;
  absl::btree_map<HostEndpointId, HostEndpoint> host_endpoints_;
  absl::btree_map<InterfaceId, Interface> interfaces_;
};

}  // namespace felix::model
