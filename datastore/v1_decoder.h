// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/container/btree_set.h"

#include "datastore/resource_table.h"

namespace felix::datastore {

// What one change of the older store changes in the model, and in what is refused.
using V1Decoded = ResourceTable::Change;

// Follows the keys of /calico/v1 one change at a time. Keeps what several keys have to say
// together: the parts of profiles, the parameters of configurations, what policies last covered,
// and who was there first. Refusals are named "<key>#<key>". Pure bookkeeping: no I/O.
class V1Decoder {
 public:
  V1Decoder();

  // The key has this value now; none: it is gone.
  [[nodiscard]] V1Decoded Decode(std::string_view key, std::optional<std::string_view> value);
  // The directory is gone with all below it, of which etcd's older API sends one event only.
  [[nodiscard]] V1Decoded DecodeRemovalBelow(std::string_view directory);

  // Whether the store says that it may be used: a store that does not say so must not be.
  [[nodiscard]] bool ready() const { return ready_; }

 private:
  void Set(const std::string& key, std::optional<std::string_view> value);

  ResourceTable table_;
  absl::btree_set<std::string> keys_;
  bool ready_ = false;
};

}  // namespace felix::datastore
