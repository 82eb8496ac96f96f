// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace felix::iptables {

// Something that our rules need of the kernel.
struct Feature {
  std::string name;  // "ipv4 match set revision 4", "ipv6 table filter"
  bool present = false;
  std::string detail;  // why not, or what else there is to know
};

// Asks the kernel, family by family, for the tables and for every match and target in the revision
// that the codec writes (getsockopt *_SO_GET_INFO and *_SO_GET_REVISION_*). The kernel may load
// modules over it. Needs CAP_NET_ADMIN; without it, features are absent and say so.
std::vector<Feature> ProbeFeatures();

}  // namespace felix::iptables
