// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "model/host_endpoint.h"

namespace felix {

// The text form of failsafe ports in configuration, separated by commas: 22, tcp:22,
// udp:10.0.0.0/8:68, tcp:[fd00::/8]:22. Without a protocol it is TCP; others than TCP and UDP are
// none. Blanks and empty elements are ignored. Sorted and unique.
// Errors: kInvalidArgument, naming the element that is none.
[[nodiscard]] absl::StatusOr<std::vector<model::FailsafePort>> ParseFailsafePorts(
    std::string_view text);

// Canonical: protocol always given, in that order; empty for no ports.
[[nodiscard]] std::string FailsafePortsText(const std::vector<model::FailsafePort>& ports);

}  // namespace felix
