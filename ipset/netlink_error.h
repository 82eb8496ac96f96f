// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace felix::ipset {

// What an error number of the ip_set subsystem means, be it an errno or one of IPSET_ERR_*
// (linux/netfilter/ipset/ip_set.h): one of the codes that KernelSets promises, with `what` before
// the reason.
[[nodiscard]] absl::Status NetlinkError(std::string_view what, int error);

}  // namespace felix::ipset
