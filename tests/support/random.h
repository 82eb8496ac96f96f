// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>

namespace felix::testing {

// Repeatable randomness (splitmix64): one seed gives one sequence on every platform and standard
// library, so a seed in a failure text is all that is needed to see the failure again.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  // 0 … bound - 1; the bias is far below anything a test could see.
  std::size_t Below(std::size_t bound) { return static_cast<std::size_t>(Next() % bound); }
  // first … last
  int Between(int first, int last) {
    return first + static_cast<int>(Below(static_cast<std::size_t>(last - first) + 1));
  }
  bool Chance(int percent) { return Below(100) < static_cast<std::size_t>(percent); }

  // An element of a non-empty random-access range that outlives the result.
  template <typename Range>
  const auto& Pick(const Range& range) {
    return *std::next(std::begin(range), static_cast<std::ptrdiff_t>(Below(std::size(range))));
  }
  template <typename T>
  T PickOf(std::initializer_list<T> values) {
    return *std::next(values.begin(), static_cast<std::ptrdiff_t>(Below(values.size())));
  }

 private:
  std::uint64_t state_;
};

}  // namespace felix::testing
