// SPDX-License-Identifier: Apache-2.0
#include "model/update.h"

#include "fmt/format.h"

#include "model/base/overloaded.h"

namespace felix::model {

std::string ToString(const Key& key) {
  return std::visit(
      Overloaded{
          [](const WorkloadEndpointId& id) {
            return fmt::format("workload endpoint {}", id.ToString());
          },
          [](const PolicyId& id) { return fmt::format("policy {}", id.ToString()); },
          [](const TierId& id) { return fmt::format("tier {}", id.name); },
          [](const ProfileId& id) { return fmt::format("profile {}", id.name); },
          [](const NetworkSetId& id) { return fmt::format("network set {}", id.ToString()); },
          [](const ConfigId& id) {
            return id.host.empty() ? std::string("configuration of the cluster")
                                   : fmt::format("configuration of host {}", id.host);
          },
          [](const IpPoolId& id) { return fmt::format("IP pool {}", id.name); },
          [](const NodeId& id) { return fmt::format("node {}", id.name); },
          [](const HostEndpointId& id) { return fmt::format("host endpoint {}", id.ToString()); },
          [](const InterfaceId& id) { return fmt::format("interface {}", id.name); },
      },
      key);
}

}  // namespace felix::model
