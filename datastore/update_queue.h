// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include "datastore/key_hash.h"
#include "datastore/source.h"

namespace felix::datastore {

// Stands between a source's thread and the thread that works on what it says. Keeps at most one
// pending update per key, the latest, so that a reader that falls behind has no more to do than
// there are objects; refusals likewise. What arrived as one batch is handed out whole: all that is
// pending is one change from what was last drained to the latest state. Safe for one source thread
// and one reading thread. Owns a pollable descriptor that is readable while something is pending.
class UpdateQueue final : public Sink {
 public:
  UpdateQueue();
  ~UpdateQueue() override;
  UpdateQueue(const UpdateQueue&) = delete;
  UpdateQueue& operator=(const UpdateQueue&) = delete;

  struct Pending {
    std::vector<model::Update> updates;  // in the order in which the keys first became pending
    std::vector<std::pair<std::string, std::optional<Refusal>>> refusals;  // by id
    // How often the source was in sync again since the last drain.
    int in_sync_marks = 0;
    // Whether the source is lost, and why; OK again once it was in sync.
    absl::Status source_status;

    [[nodiscard]] bool empty() const {
      return updates.empty() && refusals.empty() && in_sync_marks == 0;
    }
  };

  // Everything that is pending; never blocks.
  [[nodiscard]] Pending Drain();
  // Waits until something is pending, including a lost source, or the time is over.
  bool WaitFor(absl::Duration timeout) const;
  // For poll(2). Never read it; Drain resets it.
  [[nodiscard]] int event_fd() const { return event_fd_; }

  void OnUpdates(std::vector<model::Update> updates) override;
  void OnInSync() override;
  void OnLost(const absl::Status& reason) override;
  void OnRefusal(const std::string& id, std::optional<Refusal> refusal) override;

 private:
  void Signal() const;

  int event_fd_ = -1;
  std::mutex mutex_;
  std::vector<model::Update> updates_;
  absl::flat_hash_map<model::Key, std::size_t, KeyHash> index_;  // into updates_
  std::map<std::string, std::optional<Refusal>> refusals_;
  int in_sync_marks_ = 0;
  absl::Status source_status_;
};

}  // namespace felix::datastore
