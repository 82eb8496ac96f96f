// SPDX-License-Identifier: Apache-2.0
// How MarkMaps takes note of what is desired; no kernel call.
#include <string>
#include <utility>

#include "ipset/mark_maps.h"
#include "ipset/set_name.h"
#include "model/base/check.h"

namespace felix::ipset {

void MarkMaps::Stage(const ir::DesiredDelta& delta) {
  for (const ir::SetKey& key : delta.removed_mark_maps) {
    if (key.family == family_) StageRemoved(key.id);
  }
  for (const auto& [key, map] : delta.new_mark_maps) {
    if (key.family == family_) StageNew(key.id, map);
  }
  for (const auto& [key, change] : delta.changed_mark_maps) {
    if (key.family != family_) continue;
    const auto it = maps_.find(key.id);
    FELIX_CHECK(it != maps_.end(), "addresses of a mark map that nobody announced");
    it->second.Desire(change);
  }
}

void MarkMaps::StageNew(const std::string& id, const ir::MarkMap& map) {
  std::string name = KernelSetName({family_, id});
  FELIX_CHECK(IsMarkMap(family_, name) && name.ends_with(id), "no id of a mark map");
  const auto [it, inserted] = maps_.try_emplace(id, family_, name, options_.max_set_size);
  it->second.Desire(map);
  if (!inserted) return;
  if (listed_ && !present_.contains(name)) it->second.NoteMissing();
  doomed_.erase(name);
  refused_.erase(name);
}

void MarkMaps::StageRemoved(const std::string& id) {
  const auto it = maps_.find(id);
  if (it == maps_.end()) return;
  if (present_.contains(it->second.name())) doomed_.insert(it->second.name());
  maps_.erase(it);
}

void MarkMaps::RemoveEverything() {
  maps_.clear();
  ForgetKernel();
}

void MarkMaps::Resync() {
  check_due_ = true;
  doomed_.insert(refused_.begin(), refused_.end());
  refused_.clear();
}

}  // namespace felix::ipset
