// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "model/address.h"

namespace felix::model {

// A range from which the cluster's addresses are taken. Of several pools with one range only the
// one of the smallest name counts.
struct IpPoolId {
  std::string name;
  friend auto operator<=>(const IpPoolId&, const IpPoolId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const IpPoolId& p) {
    return H::combine(std::move(h), p.name);
  }
};

struct IpPool {
  Cidr cidr;
  bool nat_outgoing = false;        // what leaves the cluster takes the host's address
  bool load_balancer_only = false;  // holds no workloads, only addresses of services

  bool operator==(const IpPool&) const = default;
};

// A host of the cluster.
struct NodeId {
  std::string name;
  friend auto operator<=>(const NodeId&, const NodeId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const NodeId& n) {
    return H::combine(std::move(h), n.name);
  }
};

struct Node {
  std::vector<IpAddress> addresses;  // at most one of each family, sorted

  bool operator==(const Node&) const = default;
};

}  // namespace felix::model
