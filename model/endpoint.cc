// SPDX-License-Identifier: Apache-2.0
#include "model/endpoint.h"

#include "fmt/format.h"

#include "model/host_endpoint.h"

namespace felix::model {

std::string WorkloadEndpointId::ToString() const {
  return fmt::format("{}/{}/{}/{}", host, orchestrator, workload, endpoint);
}

std::string HostEndpointId::ToString() const {
  return fmt::format("{}/{}", host, name);
}

std::string NetworkSetId::ToString() const {
  return namespace_name.empty() ? name : fmt::format("{}/{}", namespace_name, name);
}

}  // namespace felix::model
