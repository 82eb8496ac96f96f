// SPDX-License-Identifier: Apache-2.0
#include "felix/table_tripwire.h"

#include "absl/status/statusor.h"

namespace felix {

void TableTripwire::Remember() {
  known_.clear();
  for (const model::IpFamily family : model::kIpFamilies) {
    for (const ir::Table table : kernel_.PresentTables(family)) {
      const absl::StatusOr<iptables::TableOutline> outline = kernel_.Outline(family, table);
      if (outline.ok()) known_[{family, table}] = *outline;
    }
  }
}

std::vector<TableId> TableTripwire::Changed() {
  std::vector<TableId> changed;
  for (const auto& [id, outline] : known_) {
    const absl::StatusOr<iptables::TableOutline> now = kernel_.Outline(id.family, id.table);
    if (now.ok() && *now != outline) changed.push_back(id);
  }
  return changed;
}

}  // namespace felix
