// SPDX-License-Identifier: Apache-2.0
#include "felix/interface_patterns.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "model/base/strings.h"

namespace felix {

absl::StatusOr<InterfacePatterns> InterfacePatterns::Parse(std::string_view text) {
  InterfacePatterns patterns;
  if (text.empty()) return patterns;
  for (const absl::string_view piece : absl::StrSplit(ToAbsl(text), ',')) {
    const std::string element(piece);
    if (element.empty()) return absl::InvalidArgumentError("an interface name is empty");
    if (element.size() < 2 || element.front() != '/' || element.back() != '/') {
      patterns.names_.insert(element);
      continue;
    }
    try {
      patterns.expressions_.emplace_back(element.substr(1, element.size() - 2));
    } catch (const std::regex_error& error) {
      return absl::InvalidArgumentError(
          fmt::format("{} is no regular expression: {}", element, error.what()));
    }
  }
  return patterns;
}

bool InterfacePatterns::Matches(const std::string& name) const {
  if (names_.contains(name)) return true;
  return std::any_of(expressions_.begin(), expressions_.end(), [&](const std::regex& expression) {
    try {
      return std::regex_search(name, expression);
    } catch (const std::regex_error&) {
      return false;  // too much to try: the name is not known to match
    }
  });
}

}  // namespace felix
