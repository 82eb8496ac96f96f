// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace felix::bench {

// Prints what a UDP packet costs that one container sends and another one of the same host is
// given, on a host with so many containers and 64 shapes: through empty tables, in both layouts,
// and through the rules of Shared with a jump in place of the dispatch. The packets of all take
// turns; no answer ever comes, so that policy is asked about each of them.
void CompareForwarding(std::uint32_t containers, std::uint32_t packets);

}  // namespace felix::bench
