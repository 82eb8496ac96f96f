// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"

#include "datastore/delivery.h"
#include "datastore/directory_watcher.h"
#include "datastore/resource_table.h"
#include "datastore/source.h"
#include "datastore/source_tap.h"

namespace felix::datastore {

// A directory of Calico v3 resources in YAML or JSON, or of keys and values of Calico's older store
// as objects {"key": ..., "value": ...}, followed as it changes: the datastore of a host that has
// no other. JSON files may hold one object in each line. While the older store's Ready flag is
// there and not true, nothing is delivered and the source counts as lost. A file that is renamed
// into place is one change, in force within a few milliseconds; one that is written in place is
// read when its writer closes it. A file that does not parse is refused and named, and what it last
// defined stays in force; one that is removed takes its objects along. Only objects that differ
// from what was delivered are delivered. While the directory cannot be read everything stays, and
// it is tried again after 0.1 s, growing to 10 s.
class FileSource final : public Source {
 public:
  explicit FileSource(std::string directory, SourceTap* tap = nullptr);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  // Errors: kInvalidArgument if the directory is not named, kFailedPrecondition the second time.
  absl::Status Start(Sink& sink) override;
  void Resync() override;
  void Stop() override;
  [[nodiscard]] absl::btree_map<std::string, std::size_t> IgnoredKinds() const override;

 private:
  void Run();
  // Lists the directory and reads what changed, or everything.
  absl::Status Synchronise(bool read_everything);
  // Waits for changes and applies them, until the directory is lost or there is another order.
  absl::Status Follow();
  void Gather(DirectoryWatcher::Changes& changes);
  absl::Status Apply(DirectoryWatcher::Changes& changes);
  // Reads what changed since the last listing; whether all of it was still there.
  bool ReadListed(const DirectoryListing& now, bool read_everything);
  // Whether there is such a file; otherwise nothing changes.
  bool ReadFile(const std::string& file);
  void RemoveFile(const std::string& file);
  // `listed`: everything was read.
  void Deliver(bool listed);
  // Waits for the watcher, if there is one, or an order; whether the watcher has something.
  bool Wait(int timeout_ms);

  std::string directory_;
  SourceTap* const tap_;
  Sink* sink_ = nullptr;
  int wake_fd_ = -1;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> resync_ = false;
  std::thread thread_;

  // Of the source's thread alone.
  std::unique_ptr<DirectoryWatcher> watcher_;
  DirectoryListing listing_;  // what the table was read from
  absl::btree_set<std::string> unreadable_;
  ResourceTable table_;
  Delivery delivery_;
};

}  // namespace felix::datastore
