// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/container_host.h"

namespace felix::bench {

inline constexpr std::uint32_t kFirstNew = 500000;  // no host has so many containers

[[nodiscard]] std::string Quantiles(const std::vector<double>& microseconds);

// Prints what a container of a known shape costs that starts and stops on such a host with Shared,
// and the bare messages for the same elements; and what it costs with PerContainer, and a process
// of iptables-legacy-restore that changes the same chains, of which there are fewer rounds.
void KnownShape(const HostSize& size, int rounds, int slow_rounds);
// The first of these with nothing in between: for a profiler.
void KnownShapeAlone(const HostSize& size, int rounds);

}  // namespace felix::bench
