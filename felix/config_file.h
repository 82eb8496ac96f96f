// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace felix {

// What a configuration file says: `Name = value` lines. Section headers are ignored, so that all
// sections are one; `#` and `;` begin a comment, at the start of a line or after a blank. A name
// that comes twice, in whatever case, is warned of, and the last value counts.
struct ConfigFile {
  std::map<std::string, std::string> values;  // names as written where they counted
  std::vector<std::string> warnings;          // "line 7: not of the form Name = value"
};

[[nodiscard]] ConfigFile ParseConfigFile(std::string_view content);

// Errors: kNotFound if there is no such file, kPermissionDenied, kInvalidArgument for what cannot
// be a configuration file (a directory, more than a megabyte), kUnavailable if reading fails.
[[nodiscard]] absl::StatusOr<ConfigFile> ReadConfigFile(const std::string& path);

}  // namespace felix
