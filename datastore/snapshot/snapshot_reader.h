// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "datastore/snapshot/event_sink.h"
#include "datastore/source.h"
#include "model/update.h"

namespace felix::datastore {

struct SnapshotOptions {
  bool lenient = false;                  // pass over what is damaged
  std::optional<std::int64_t> revision;  // nothing that came after it
  std::optional<absl::Time> at;          // nothing that was seen after it
  bool every_step = false;               // else only the end is delivered
};

// What changed in the model from one moment of the history to the next.
struct SnapshotStep {
  Moment moment;
  std::vector<model::Update> updates;
  std::vector<std::pair<std::string, std::optional<Refusal>>> refusals;  // by id
};
using OnSnapshotStep = std::function<void(SnapshotStep)>;

// What an input turned out to be.
struct InputFacts {
  std::string path;
  std::string format;   // "resources", "etcd answers", "etcd database", "recording"
  std::string packing;  // "gzip", "zstd" or nothing
  std::size_t steps = 0;
  std::size_t keys = 0;  // values, removals and files that it told
};

struct SnapshotFacts {
  std::vector<InputFacts> inputs;
  Moment first;
  Moment last;
  std::vector<std::string> damages;  // what was passed over, one line each
  absl::btree_map<std::string, std::size_t> ignored_kinds;
  std::optional<std::string> hold;   // why the datastore was not to be used
  std::vector<CommitTimes> commits;  // that a recording tells of
};

// Reads whatever somebody kept of a datastore, recognised by what it is and not by its name: a
// directory or file of resources in YAML or JSON, what etcd's tools and its gateway print,
// etcd's database itself, and what felix recorded, each also packed; "-" is standard input. Several
// inputs are one datastore: what a later one says of an object counts. No threads, and nothing is
// written. Errors, one line each with the place: an input cannot be read, or is damaged and
// `lenient` was not asked for; the moment that was asked for is not in it.
[[nodiscard]] absl::StatusOr<SnapshotFacts> ReadSnapshot(const std::vector<std::string>& paths,
                                                         const SnapshotOptions& options,
                                                         const OnSnapshotStep& on_step);

// The same, event by event as the inputs hold them.
absl::Status ReadInputs(const std::vector<std::string>& paths, EventSink& sink);

}  // namespace felix::datastore
