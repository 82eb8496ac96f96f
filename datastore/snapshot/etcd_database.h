// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "absl/status/status.h"

#include "datastore/snapshot/event_sink.h"

namespace felix::datastore {

// What `etcdctl snapshot save` writes, or a member's own file: each revision that was not compacted
// is a step; what stands from before the compaction is the first one. The checksum that a saved
// snapshot ends with is checked.

// Errors: this is no such file, or nothing of it can be read. What is damaged goes to the sink.
absl::Status ReadEtcdDatabase(std::string_view bytes, EventSink& sink);

}  // namespace felix::datastore
