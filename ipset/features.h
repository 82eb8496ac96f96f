// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace felix::ipset {

// Something that address sets need from the kernel.
struct Feature {
  std::string name;
  bool present = false;
  std::string detail;  // versions if present, else the reason
};

// Asks the kernel, without changing anything, for the ip_set protocol and for every set type that
// felix creates.
[[nodiscard]] std::vector<Feature> ProbeFeatures();

}  // namespace felix::ipset
