// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "absl/status/status.h"

#include "datastore/snapshot/byte_reader.h"
#include "datastore/snapshot/event_sink.h"

namespace felix::datastore {

// What etcd's tools print as JSON, one value after the other: `etcdctl get -w json`, the answer of
// the gateway to a range request, and the lines of both kinds of watches. Keys and values are in
// Base64; numbers may be texts, as the gateway writes them, and names may begin with capitals, as
// etcdctl writes those of a watch. Events of revisions that are known by then are passed over.

// Whether the text begins like that.
[[nodiscard]] bool LooksLikeEtcdJson(std::string_view head);

// Errors: reading fails. What cannot be understood goes to the sink: the line is passed over, or
// the reading ends there.
absl::Status ReadEtcdJson(ByteReader& reader, EventSink& sink);

}  // namespace felix::datastore
