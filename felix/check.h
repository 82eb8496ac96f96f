// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace felix {

// Something that this program needs, or could use, of the kernel and the libraries.
struct CheckedFeature {
  std::string name;
  bool needed = true;
  bool present = false;
  std::string detail;  // the reason if it is missing
};

// Asks the kernel of this network namespace. IPv6 is needed only if `ipv6_support`.
[[nodiscard]] std::vector<CheckedFeature> CheckFeatures(bool ipv6_support);

[[nodiscard]] bool IsSufficient(const std::vector<CheckedFeature>& features);
// One line for each feature, and a last one that names what is missing.
[[nodiscard]] std::string CheckText(const std::vector<CheckedFeature>& features);
// One line of JSON.
[[nodiscard]] std::string CheckJson(const std::vector<CheckedFeature>& features);

}  // namespace felix
