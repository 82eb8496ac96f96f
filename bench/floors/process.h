// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace felix::bench {

// Runs a program (found along PATH) with `input` as its standard input, waits for its end, and
// keeps what it wrote to standard output and standard error, if `output` is not null. Errors:
// kUnavailable if it cannot be started, kInternal if it ends with another status than 0.
absl::Status RunProcess(const std::vector<std::string>& arguments, std::string_view input,
                        std::string* output);

}  // namespace felix::bench
