// SPDX-License-Identifier: Apache-2.0
// How a Registry takes note of what is desired; no kernel call.
#include <string>
#include <utility>
#include <vector>

#include "ipset/registry.h"
#include "ipset/set_name.h"
#include "model/base/check.h"

namespace felix::ipset {

void Registry::Stage(const ir::DesiredDelta& delta) {
  for (const ir::SetKey& key : delta.removed_sets) {
    if (key.family == family_) StageRemoved(key.id);
  }
  for (const auto& [key, set] : delta.new_sets) {
    if (key.family == family_) StageNew(key.id, set);
  }
  for (const auto& [key, change] : delta.changed_sets) {
    if (key.family == family_) StageChange(key.id, change);
  }
}

void Registry::StageNew(const std::string& id, const ir::AddressSet& set) {
  auto [it, inserted] = entries_.try_emplace(id);
  Entry& entry = it->second;
  if (!inserted && entry.desired == set) return;
  entry.desired = set;
  if (inserted) entry.name = KernelSetName({family_, id});
  entry.actual = {};
  entry.known = listed_ && inserted && !present_.contains(entry.name);
  const auto holder = holders_.find(entry.name);
  if (holder == holders_.end() || holder->second == id) doomed_.erase(entry.name);
  dirty_.insert(id);
}

void Registry::StageChange(const std::string& id, const ir::MemberChange& change) {
  const auto it = entries_.find(id);
  FELIX_CHECK(it != entries_.end(), "members of a set that nobody announced");
  for (const ir::SetMember& member : change.added) AddMember(it->second, member);
  for (const ir::SetMember& member : change.removed) RemoveMember(it->second, member);
  const Entry& entry = it->second;
  // What is known to be right already needs no apply.
  const bool right = entry.known && entry.actual.presence == Presence::kMatching &&
                     entry.actual.to_add.empty() && entry.actual.to_remove.empty();
  if (right) {
    dirty_.erase(id);
    waiting_.erase(id);
  } else {
    dirty_.insert(id);
  }
}

void Registry::StageRemoved(const std::string& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  const std::string name = it->second.name;
  entries_.erase(it);
  dirty_.erase(id);
  waiting_.erase(id);
  quarantined_.erase(id);
  const auto holder = holders_.find(name);
  if (holder == holders_.end() || holder->second != id) return;
  if (present_.contains(name)) {
    doomed_.insert(name);
  } else {
    holders_.erase(holder);
  }
}

void Registry::RemoveEverything() {
  std::vector<std::string> ids;
  ids.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) ids.push_back(id);
  for (const std::string& id : ids) StageRemoved(id);
  ForgetKernel();
}

void Registry::SetMaxSetSize(std::uint32_t max_set_size) {
  if (std::exchange(options_.max_set_size, max_set_size) == max_set_size) return;
  for (auto& [id, entry] : entries_) {
    if (entry.known && entry.actual.presence == Presence::kMatching) {
      entry.actual = {};
      entry.actual.presence = Presence::kUnfit;
    }
    dirty_.insert(id);
  }
}

void Registry::AddMember(Entry& entry, const ir::SetMember& member) {
  // Only a difference from a set of the right kind is kept; all else is written as a whole.
  const bool by_difference = entry.known && entry.actual.presence == Presence::kMatching;
  for (const ir::SetMember& part : KernelMembers(entry.desired.kind, member)) {
    if (!by_difference || IsWanted(entry.desired, part)) continue;
    if (entry.actual.to_remove.erase(part) == 0) entry.actual.to_add.insert(part);
  }
  entry.desired.members.insert(member);
}

void Registry::RemoveMember(Entry& entry, const ir::SetMember& member) {
  if (!entry.desired.members.erase(member)) return;
  if (!entry.known || entry.actual.presence != Presence::kMatching) return;
  for (const ir::SetMember& part : KernelMembers(entry.desired.kind, member)) {
    if (IsWanted(entry.desired, part)) continue;
    if (entry.actual.to_add.erase(part) == 0) entry.actual.to_remove.insert(part);
  }
}

}  // namespace felix::ipset
