// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "datastore/etcd/gateway_messages.h"

namespace felix::datastore {

// What etcd's older API (v2) answers. Its indexes stand in for revisions.

struct V2Event {
  bool is_removal = false;  // of the key, and of all below it if it is a directory
  bool is_directory = false;
  KeyValue value;
};

// All values of an answer to a recursive GET, in no order. A key that is not there has none.
[[nodiscard]] absl::StatusOr<std::vector<KeyValue>> ParseV2Tree(std::string_view text);
// kOutOfRange if etcd no longer keeps the event that was asked for. Other errors, of both:
// kDataLoss for what is not such an answer; kUnavailable for an error of etcd's, in its words.
[[nodiscard]] absl::StatusOr<V2Event> ParseV2Event(std::string_view text);

}  // namespace felix::datastore
