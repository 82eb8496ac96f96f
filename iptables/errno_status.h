// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace felix::iptables {

// What an errno of libiptc or of the kernel means, after the name of the act. kAborted: the table
// changed meanwhile, read it again; kPermissionDenied; kFailedPrecondition: something is missing;
// kResourceExhausted: no memory; kInvalidArgument: refused as it is; kInternal: all others.
[[nodiscard]] absl::Status FailureOf(int error, std::string_view act);

// The same for a commit, with what is known of its reason.
[[nodiscard]] absl::Status CommitFailure(int error);

}  // namespace felix::iptables
