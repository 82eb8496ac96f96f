// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/string_view.h"

namespace felix {

// Our interfaces speak std::string_view. The distribution builds abseil with a string_view of its
// own, which abseil's hash tables and Status want; these two functions are the only bridge, and
// they are free of cost.
inline absl::string_view ToAbsl(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}
inline std::string_view ToStd(absl::string_view text) {
  return std::string_view(text.data(), text.size());
}

}  // namespace felix
