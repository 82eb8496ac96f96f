// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "compiler/ir/desired_state.h"

namespace felix {

// How much a desired state asks of the kernel.
struct DesiredTotals {
  std::size_t rules = 0;  // in chains of ours and in hooks
  std::size_t chains = 0;
  std::size_t sets = 0;
  std::size_t set_members = 0;
};

[[nodiscard]] inline DesiredTotals Count(const ir::DesiredState& state) {
  DesiredTotals totals;
  totals.chains = state.chains.size();
  totals.sets = state.sets.size();
  for (const auto& [key, chain] : state.chains) totals.rules += chain.rules.size();
  for (const auto& [key, rules] : state.hooks) totals.rules += rules.size();
  for (const auto& [key, set] : state.sets) totals.set_members += set.members.size();
  return totals;
}

}  // namespace felix
