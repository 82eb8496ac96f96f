// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace felix {

// What was built, from what, when; settled at configure time. "unknown" where the sources are not
// a git checkout.
struct Version {
  std::string_view version;     // "0.1.0"
  std::string_view commit;      // "1a2b3c4d5e6f", with "-dirty" if there were changes
  std::string_view build_date;  // "2026-01-31T12:00:00Z"
};
[[nodiscard]] Version BuildVersion();

}  // namespace felix
