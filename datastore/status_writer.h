// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

#include "absl/container/btree_map.h"

#include "model/endpoint.h"
#include "model/host_endpoint.h"

namespace felix::datastore {

enum class EndpointStatus : std::uint8_t { kUp, kDown, kError };

// All that this host has to say of itself, and how often.
struct StatusReport {
  using EndpointId = std::variant<model::WorkloadEndpointId, model::HostEndpointId>;

  std::string host;
  std::string region;                         // empty: none
  std::chrono::milliseconds host_interval{};  // 0: nothing is said of the host
  std::chrono::seconds host_lifetime{90};     // after which what was said of the host expires
  bool tells_endpoints = false;
  std::chrono::milliseconds endpoint_interval{1000};  // at most one endpoint in that time
  absl::btree_map<EndpointId, EndpointStatus> endpoints;
  bool operator==(const StatusReport&) const = default;
};

// Where a host tells how it fares: a port. Says nothing before the first report, which is to come
// once the kernel holds what the datastore says.
class StatusWriter {
 public:
  virtual ~StatusWriter() = default;
  // Replaces the earlier one. Never blocks; what cannot be written is tried again.
  virtual void Report(StatusReport report) = 0;
  // Ends the writing; what was written stays. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace felix::datastore
