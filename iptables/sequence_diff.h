// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace felix::iptables {

// Pairs (index in `from`, index in `to`) of equal elements that may stay when `from` is turned into
// `to`, ascending in both. A longest common subsequence where the two differ in at most some 1,000
// places; beyond that a long one, found in O(n log n). The same input gives the same output.
std::vector<std::pair<std::size_t, std::size_t>> CommonSubsequence(
    std::span<const std::uint32_t> from, std::span<const std::uint32_t> to);

}  // namespace felix::iptables
