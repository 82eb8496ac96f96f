// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace felix::testing {

// How many seeds a property test walks: `usual`, or that many times FELIX_TEST_SEED_FACTOR in a
// longer run. FELIX_TEST_FIRST_SEED moves the range, to try fresh histories or repeat one.
inline std::uint64_t NumberOf(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}
inline std::uint64_t FirstSeed() {
  return NumberOf("FELIX_TEST_FIRST_SEED", 1);
}
inline std::uint64_t SeedCount(std::uint64_t usual) {
  return usual * NumberOf("FELIX_TEST_SEED_FACTOR", 1);
}

}  // namespace felix::testing
