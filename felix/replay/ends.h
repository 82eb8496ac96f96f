// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "felix/replay/judge.h"

namespace felix::replay {

// How people name a flow.
struct FlowRequest {
  std::string from;  // an endpoint or an address
  std::string to;
  std::string protocol = "tcp";
  std::string port;         // of the destination; "8" or "8/0" for ICMP's type and code
  std::string source_port;  // empty: any
};

// A workload by its id (host/orchestrator/namespace/workload/endpoint), by any run of whole parts
// of it that only one workload has, or by an address. Errors: there is none or there are several.
[[nodiscard]] absl::StatusOr<const Workload*> FindWorkload(const AddressBook& book,
                                                           std::string_view text);

// Protocol and ports. Errors: a text makes no sense.
[[nodiscard]] absl::StatusOr<Flow> ParseFlow(const FlowRequest& request);

// One end of a flow: a workload, an address, or both.
struct End {
  const Workload* workload = nullptr;
  std::optional<model::IpAddress> address;  // if that was named
};
// Errors: no workload, or several, are called that.
[[nodiscard]] absl::StatusOr<End> FindEnd(const AddressBook& book, const std::string& text);

// Of workloads with addresses of both families IPv4 counts. None if they share no family.
[[nodiscard]] std::optional<FlowEnds> Join(const AddressBook& book, const End& from, const End& to);

// The workload's first address of the family, if it has one.
[[nodiscard]] std::optional<model::IpAddress> AddressOf(const Workload& workload,
                                                        model::IpFamily family);
// "default/web (node-1)": what people call it.
[[nodiscard]] std::string NameOf(const Workload& workload);

}  // namespace felix::replay
