// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "model/address.h"
#include "model/labels.h"
#include "model/port.h"

namespace felix::model {

// Calico's internal key of a workload endpoint. Orders by host, then (orchestrator, workload,
// endpoint): among two endpoints of one host that claim one interface the smaller id wins.
struct WorkloadEndpointId {
  std::string host;
  std::string orchestrator;
  std::string workload;  // "<namespace>/<pod, container or workload>"
  std::string endpoint;

  [[nodiscard]] std::string ToString() const;  // host/orchestrator/workload/endpoint
  friend auto operator<=>(const WorkloadEndpointId&, const WorkloadEndpointId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const WorkloadEndpointId& e) {
    return H::combine(std::move(h), e.host, e.orchestrator, e.workload, e.endpoint);
  }
};

// An address outside that leads to one of the workload's.
struct NatMapping {
  IpAddress internal;
  IpAddress external;  // of the same family
  friend auto operator<=>(const NatMapping&, const NatMapping&) = default;
};

// A container's or VM's attachment to the network.
struct WorkloadEndpoint {
  bool admin_up = true;
  std::string interface_name;         // host side; [a-zA-Z0-9_.-]{1,15}
  std::vector<IpAddress> addresses;   // both families, sorted, unique
  LabelSet labels;                    // own labels, namespace and service account included
  std::vector<std::string> profiles;  // order matters: labels and rules
  std::vector<NamedPort> ports;
  std::vector<Cidr> allow_spoofed_source_prefixes;
  std::vector<NatMapping> nat_mappings;  // floating IPs

  bool operator==(const WorkloadEndpoint&) const = default;
};

// Labelled networks outside the cluster, for rules that select by label.
struct NetworkSetId {
  std::string namespace_name;  // empty: GlobalNetworkSet
  std::string name;

  [[nodiscard]] std::string ToString() const;
  friend auto operator<=>(const NetworkSetId&, const NetworkSetId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const NetworkSetId& n) {
    return H::combine(std::move(h), n.namespace_name, n.name);
  }
};

struct NetworkSet {
  std::vector<Cidr> nets;  // may overlap, may hold /0
  LabelSet labels;
  std::vector<std::string> profiles;  // labels are inherited from these

  bool operator==(const NetworkSet&) const = default;
};

}  // namespace felix::model
