// SPDX-License-Identifier: Apache-2.0
#include "datastore/delivery.h"

#include <utility>

namespace felix::datastore {

void Delivery::Deliver(ResourceTable& table, std::optional<std::string> hold, bool listed,
                       Sink& sink) {
  in_sync_is_due_ = in_sync_is_due_ || listed || hold.has_value();
  const bool news = hold != std::exchange(hold_, hold);
  if (hold) {
    if (news) sink.OnLost(absl::UnavailableError(*hold));
    return;
  }
  ResourceTable::Change change = table.Commit();
  {
    const std::lock_guard lock(mutex_);
    ignored_kinds_ = table.ignored_kinds();
  }
  if (!change.updates.empty()) sink.OnUpdates(std::move(change.updates));
  for (auto& [id, refusal] : change.refusals) sink.OnRefusal(id, std::move(refusal));
  if (std::exchange(in_sync_is_due_, false)) sink.OnInSync();
}

absl::btree_map<std::string, std::size_t> Delivery::IgnoredKinds() const {
  const std::lock_guard lock(mutex_);
  return ignored_kinds_;
}

}  // namespace felix::datastore
