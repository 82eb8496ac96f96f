// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/graph.h"
#include "ipset/interface_member.h"
#include "ipset/kernel_sets.h"
#include "model/address.h"

namespace felix {

struct DirectedCounters {
  ipset::MemberCounters from;  // what came from there
  ipset::MemberCounters to;    // what was to go there
  bool operator==(const DirectedCounters&) const = default;
};

// What a container of this host sent and was sent, as the kernel counted it where it looked the
// container up: established flows and what policy then denied included; what had no right to the
// container's address is not in it. From the start of the container's element, through restarts of
// this program.
struct ContainerCounters {
  std::string id;  // host/orchestrator/workload/endpoint
  std::string interface_name;
  // Of both families, and only those that elements tell. None: the container is down, has chains of
  // its own, or is not in the kernel yet.
  absl::btree_map<model::IpAddress, DirectedCounters> addresses;

  [[nodiscard]] DirectedCounters Total() const;
};

// OK if containers are counted in the layout that is compiled; else says what to do about it.
[[nodiscard]] absl::Status CountsContainers(const compiler::Graph& graph);

// Those of all containers of this host, by interface. Reads the maps of both families. Errors:
// kNotFound if there is none of them; those of KernelSets.
[[nodiscard]] absl::StatusOr<std::vector<ContainerCounters>> ReadContainerCounters(
    const compiler::Graph& graph, ipset::KernelSets& sets);

// A line for each container, or for each address of one; "-" where nothing counts.
[[nodiscard]] std::string CountersText(const std::vector<ContainerCounters>& containers,
                                       bool by_address);
// One line of JSON without a line end: {"version": 1, "containers": [{"id": ..., "interface": ...,
// "counted": true, "from": {"packets": 0, "bytes": 0}, "to": {...}, "addresses": [{"address": ...,
// "from": {...}, "to": {...}}]}]}. Without "counted" the numbers say nothing.
[[nodiscard]] std::string CountersJson(const std::vector<ContainerCounters>& containers);

}  // namespace felix
