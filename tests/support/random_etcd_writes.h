// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tests/support/random.h"

namespace felix {

inline constexpr std::string_view kResourcePrefix = "/calico/resources/v3/projectcalico.org/";

// One change of a cluster in etcd, as calicoctl and the CNI plug-in write it.
struct EtcdWrite {
  std::string key;
  std::optional<std::string> value;  // none: a deletion
};

// A workload endpoint on `node` and its interface, with one label, role.
[[nodiscard]] EtcdWrite EndpointWrite(std::string_view node, int number, std::string_view role,
                                      std::string_view address);
// Allows UDP to a port between endpoints of one role.
[[nodiscard]] EtcdWrite PolicyWrite(std::string_view name, std::string_view role, int port);
// A change of one of a few endpoints, policies, network sets and tiers, whose roles are a, b and c
// and whose local endpoints are on node-1. Some make a value that cannot be understood.
[[nodiscard]] EtcdWrite RandomEtcdWrite(testing::Random& random);

}  // namespace felix
