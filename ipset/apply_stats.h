// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace felix::ipset {

// What a call that brings sets about did.
struct ApplyStats {
  std::size_t sets_created = 0;
  std::size_t sets_destroyed = 0;
  std::size_t sets_swapped = 0;
  std::size_t members_added = 0;  // those that fill a new or replaced set included
  std::size_t members_removed = 0;
  std::size_t marks_changed = 0;     // members of a mark map that took another mark in place
  std::size_t destroys_refused = 0;  // left for later
  std::size_t kernel_calls = 0;      // calls of KernelSets
};

}  // namespace felix::ipset
