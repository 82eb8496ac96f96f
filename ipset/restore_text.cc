// SPDX-License-Identifier: Apache-2.0
#include "ipset/restore_text.h"

#include <vector>

#include "ipset/kernel_sets.h"
#include "ipset/planner.h"
#include "ipset/set_name.h"
#include "ipset/tracked_map.h"

namespace felix::ipset {
namespace {

void Append(const std::vector<Operation>& operations, std::string& text) {
  for (const Operation& operation : operations) {
    for (const std::string& line : ToRestoreLines(operation)) text += line + "\n";
  }
}

}  // namespace

std::string RestoreText(const ir::DesiredState& state, std::uint32_t max_members) {
  std::string text;
  for (const auto& [key, set] : state.sets) {
    const Target target{KernelSetName(key), key.family, max_members, &set};
    Append(Plan(target, Actual{}, Removals::kNow, TemporarySetName(key.family, 0)).operations,
           text);
  }
  for (const auto& [key, map] : state.mark_maps) {
    TrackedMap tracked(key.family, KernelSetName(key), max_members);
    tracked.NoteMissing();
    tracked.Desire(map);
    Append(tracked.Leave(TemporaryMarkMapName(key.family, 0)), text);
    Append({AddInterfaceMembers{tracked.name(), key.family, tracked.Arrive()}}, text);
  }
  return text;
}

}  // namespace felix::ipset
