// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace felix::compiler {

// How an answer came about, counted since the graph was made. Tests assert these, so that a lost
// optimisation fails like a wrong result.
struct Stats {
  std::uint64_t updates_in = 0;
  std::uint64_t updates_suppressed = 0;  // the value was what we had
  std::uint64_t selector_evaluations = 0;
  std::uint64_t policies_rendered = 0;  // chains of policies and profiles
  std::uint64_t shapes_rendered = 0;
  std::uint64_t endpoints_resolved = 0;  // ordered policy lists worked out
  std::uint64_t endpoints_rendered = 0;  // per-container chains
  std::uint64_t dispatch_rendered = 0;
  std::uint64_t members_changed = 0;  // additions and removals before cancelling out
  std::uint64_t chains_emitted = 0;
  std::uint64_t chains_suppressed = 0;  // rendered, but equal to what was emitted
  std::uint64_t rebuilds = 0;
};

}  // namespace felix::compiler
