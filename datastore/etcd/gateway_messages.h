// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace felix::datastore {

// The JSON that etcd's gateway (grpc-gateway; etcd 3.3 to 3.6) speaks: keys and values in Base64,
// 64-bit numbers as text, fields of the default value left out. Pure text to values and back.

struct KeyValue {
  std::string key;
  std::string value;
  std::int64_t mod_revision = 0;
};

struct RangeResponse {
  std::int64_t revision = 0;  // of the whole store when it answered
  std::uint64_t cluster_id = 0;
  std::vector<KeyValue> values;
  bool more = false;  // the limit cut it short
};

struct WatchEvent {
  bool is_delete = false;
  KeyValue value;  // of a deletion: key and revision only
};

// One line of a watch's answer. It holds whole revisions only, since fragments were not asked for.
struct WatchMessage {
  std::int64_t revision = 0;  // of the store; events of lower ones may follow this message's own
  bool created = false;
  bool canceled = false;
  std::string cancel_reason;
  std::int64_t compact_revision = 0;  // not 0: the revision that was asked for is no longer kept
  std::vector<WatchEvent> events;
};

// The end of the range of all keys that begin with `prefix`, as etcd's own clients form it.
[[nodiscard]] std::string PrefixEnd(std::string_view prefix);

// `revision` 0: the latest.
[[nodiscard]] std::string RangeRequest(std::string_view key, std::string_view end,
                                       std::int64_t revision, int limit);
[[nodiscard]] std::string WatchRequest(std::string_view key, std::string_view end,
                                       std::int64_t start_revision);
// `lease` 0: none.
[[nodiscard]] std::string PutRequest(std::string_view key, std::string_view value,
                                     std::int64_t lease);
[[nodiscard]] std::string DeleteRequest(std::string_view key);
[[nodiscard]] std::string LeaseRequest(std::int64_t seconds);
[[nodiscard]] std::string AuthenticateRequest(std::string_view name, std::string_view password);

// Errors of all four: kDataLoss if the text is not such a message.
[[nodiscard]] absl::StatusOr<RangeResponse> ParseRangeResponse(std::string_view text);
// Also the status of an error that stands in the stream in place of a message.
[[nodiscard]] absl::StatusOr<WatchMessage> ParseWatchMessage(std::string_view line);
[[nodiscard]] absl::StatusOr<std::string> ParseToken(std::string_view text);
[[nodiscard]] absl::StatusOr<std::int64_t> ParseLease(std::string_view text);

// What an answer other than 200 means, with the cause and its cure where the gateway hides it. A
// revision that is compacted or still to come is kOutOfRange, a token that is not or no longer
// good is kUnauthenticated, a path that is not there is kUnimplemented.
[[nodiscard]] absl::Status StatusFromError(int http_status, std::string_view body);

}  // namespace felix::datastore
