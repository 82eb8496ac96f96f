// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "felix/host_kernel.h"

namespace felix {

// What a clean-up did, or would do.
struct CleanupReport {
  std::vector<std::string> lines;      // one for each operation
  std::uint64_t destroys_refused = 0;  // sets that rules of others still name
  absl::Status status;                 // the first failure; what could be removed is gone
};

// Removes every rule, chain and set of ours in both families, in all tables that exist, and
// nothing else. With `dry_run` it only says what it would remove.
[[nodiscard]] CleanupReport Cleanup(HostKernel& kernel, bool dry_run);

}  // namespace felix
