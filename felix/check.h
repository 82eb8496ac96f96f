// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "compiler/options.h"
#include "felix/layout_fit.h"

namespace felix {

// Something that this program needs, or could use, of the kernel and the libraries.
struct CheckedFeature {
  std::string name;
  bool needed = true;
  bool present = false;
  std::string detail;  // the reason if it is missing
};

// Asks the kernel of this network namespace. The options say whether IPv6 is needed, and what
// ChainLayout=Shared takes.
[[nodiscard]] std::vector<CheckedFeature> CheckFeatures(const compiler::Options& options);

[[nodiscard]] bool IsSufficient(const std::vector<CheckedFeature>& features);
// One line for each feature, one that names what is missing, and those of LayoutText.
[[nodiscard]] std::string CheckText(const std::vector<CheckedFeature>& features,
                                    const LayoutFit& fit);
// One line of JSON.
[[nodiscard]] std::string CheckJson(const std::vector<CheckedFeature>& features,
                                    const LayoutFit& fit);

}  // namespace felix
