// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>

#include "absl/container/btree_map.h"

#include "datastore/resource_table.h"
#include "datastore/source.h"

namespace felix::datastore {

// The last step of a source: hands what changed in its table to its sink, unless the datastore is
// not to be used for now; then the source counts as lost, once for each reason. For the source's
// one thread, but for IgnoredKinds.
class Delivery {
 public:
  // `hold`: why nothing is to be delivered. `listed`: the table is a complete state, of which the
  // sink is to hear.
  void Deliver(ResourceTable& table, std::optional<std::string> hold, bool listed, Sink& sink);
  // A reason that was told before is told again by the next Deliver.
  void TellHoldAgain() { hold_.reset(); }
  // As of the last delivery. From any thread.
  [[nodiscard]] absl::btree_map<std::string, std::size_t> IgnoredKinds() const;

 private:
  bool in_sync_is_due_ = false;
  std::optional<std::string> hold_;
  mutable std::mutex mutex_;
  absl::btree_map<std::string, std::size_t> ignored_kinds_;  // guarded by mutex_
};

}  // namespace felix::datastore
