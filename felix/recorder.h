// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "datastore/source_tap.h"
#include "felix/engine.h"
#include "model/update.h"

namespace felix {

// Appends what the program sees and does to a file, for felix-replay: the form is that of
// datastore/snapshot/recording.h. What belongs together is written at once, so that a crash costs
// the last piece at most. A file that can no longer be written to, as on a full disk, is told of
// once and let go: recording never stands in the way. From both threads.
class Recorder final : public datastore::SourceTap {
 public:
  // Errors: the file cannot be opened or written.
  static absl::StatusOr<std::unique_ptr<Recorder>> Open(const std::string& path,
                                                        const std::string& host);
  ~Recorder() override;
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  void OnValue(std::string_view key, std::string_view value) override;
  void OnRemoval(std::string_view key) override;
  void OnFile(std::string_view path, std::string_view text) override;
  void OnFileGone(std::string_view path) override;
  void OnStepEnd(std::int64_t revision) override;

  // From the engine's thread.
  void OnInterface(const model::Update& update);
  void OnCommit(const ApplyOutcome& outcome);

 private:
  Recorder(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::Status Write(const std::string& lines);

  std::string path_;
  std::mutex mutex_;
  int fd_;            // guarded by mutex_; -1: let go
  std::string step_;  // lines of the step that is under way; of the source's thread
};

}  // namespace felix
