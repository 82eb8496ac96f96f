// SPDX-License-Identifier: Apache-2.0
#include "ipset/restore_text.h"

#include "ipset/kernel_sets.h"
#include "ipset/planner.h"
#include "ipset/set_name.h"

namespace felix::ipset {

std::string RestoreText(const ir::DesiredState& state, std::uint32_t max_members) {
  std::string text;
  for (const auto& [key, set] : state.sets) {
    const Target target{KernelSetName(key), key.family, max_members, &set};
    const SetPlan plan = Plan(target, Actual{}, Removals::kNow, TemporarySetName(key.family, 0));
    for (const Operation& operation : plan.operations) {
      for (const std::string& line : ToRestoreLines(operation)) text += line + "\n";
    }
  }
  return text;
}

}  // namespace felix::ipset
