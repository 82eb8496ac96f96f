// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace felix::base {

// Prints the place, the condition and the reason on standard error, then aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view reason);

}  // namespace felix::base

// For what only our own code can cause: a broken invariant ends the process with a reason.
// Whatever the world can cause returns absl::Status instead.
#define FELIX_CHECK(condition, reason)                                                      \
  do {                                                                                      \
    if (!(condition)) ::felix::base::CheckFailed(__FILE__, __LINE__, #condition, (reason)); \
  } while (false)
