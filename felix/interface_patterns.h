// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace felix {

// Names of interfaces as Calico's InterfaceExclude lists them: separated by commas, each a name as
// it is or, between slashes, a regular expression that may match anywhere in the name.
class InterfacePatterns {
 public:
  InterfacePatterns() = default;  // matches nothing
  // Errors: kInvalidArgument for an empty element or an expression that is none.
  static absl::StatusOr<InterfacePatterns> Parse(std::string_view text);

  [[nodiscard]] bool Matches(const std::string& name) const;

 private:
  std::set<std::string> names_;
  std::vector<std::regex> expressions_;
};

}  // namespace felix
