// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"

#include "datastore/source.h"
#include "model/update.h"

namespace felix::datastore {

// A file that ReadSnapshot understands as the datastore: read once, and again when it is asked to
// resynchronise, but not followed. While it cannot be read, or says that it is not to be used, what
// was delivered stays and the source counts as lost.
class SnapshotSource final : public Source {
 public:
  explicit SnapshotSource(std::string path);
  ~SnapshotSource() override;
  SnapshotSource(const SnapshotSource&) = delete;
  SnapshotSource& operator=(const SnapshotSource&) = delete;

  // Errors: kFailedPrecondition the second time.
  absl::Status Start(Sink& sink) override;
  void Resync() override;
  void Stop() override;
  [[nodiscard]] absl::btree_map<std::string, std::size_t> IgnoredKinds() const override;

 private:
  void Run();
  absl::Status Read();

  const std::string path_;
  Sink* sink_ = nullptr;
  std::thread thread_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;  // these are guarded by mutex_
  bool resync_ = false;
  absl::btree_map<std::string, std::size_t> ignored_kinds_;

  // Of the source's thread alone: what was delivered.
  absl::btree_set<model::Key> keys_;
  absl::btree_set<std::string> refused_;
};

}  // namespace felix::datastore
