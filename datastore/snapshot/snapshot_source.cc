// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/snapshot_source.h"

#include <pthread.h>
#include <signal.h>

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "fmt/format.h"

#include "datastore/snapshot/snapshot_reader.h"
#include "model/base/status_macros.h"

namespace felix::datastore {

SnapshotSource::SnapshotSource(std::string path) : path_(std::move(path)) {}

SnapshotSource::~SnapshotSource() {
  Stop();
}

absl::Status SnapshotSource::Start(Sink& sink) {
  if (sink_ != nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("start snapshot source {}: started before", path_));
  }
  sink_ = &sink;
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void SnapshotSource::Resync() {
  const std::lock_guard lock(mutex_);
  resync_ = true;
  wake_.notify_all();
}

void SnapshotSource::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

absl::btree_map<std::string, std::size_t> SnapshotSource::IgnoredKinds() const {
  const std::lock_guard lock(mutex_);
  return ignored_kinds_;
}

void SnapshotSource::Run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (!stop_) {
    resync_ = false;
    lock.unlock();
    if (const absl::Status status = Read(); !status.ok()) sink_->OnLost(status);
    lock.lock();
    wake_.wait(lock, [this] { return stop_ || resync_; });
  }
}

absl::Status SnapshotSource::Read() {
  std::vector<model::Update> updates;
  std::vector<std::pair<std::string, std::optional<Refusal>>> refusals;
  absl::StatusOr<SnapshotFacts> facts = ReadSnapshot({path_}, {}, [&](SnapshotStep step) {
    updates = std::move(step.updates);
    refusals = std::move(step.refusals);
  });
  if (!facts.ok()) return facts.status();
  if (facts->hold) return absl::UnavailableError("not ready: " + *facts->hold);
  // Interfaces are this host's own, whatever the one that recorded had.
  std::erase_if(updates, [](const model::Update& update) {
    return std::holds_alternative<model::InterfaceId>(update.key);
  });
  absl::btree_set<model::Key> gone = std::exchange(keys_, {});
  for (const model::Update& update : updates) {
    gone.erase(update.key);
    if (update.value) keys_.insert(update.key);
  }
  for (const model::Key& key : gone) updates.push_back({key, std::nullopt});
  absl::btree_set<std::string> mended = std::exchange(refused_, {});
  for (const auto& [id, refusal] : refusals) {
    mended.erase(id);
    if (refusal) refused_.insert(id);
  }
  {
    const std::lock_guard lock(mutex_);
    ignored_kinds_ = std::move(facts->ignored_kinds);
  }
  if (!updates.empty()) sink_->OnUpdates(std::move(updates));
  for (auto& [id, refusal] : refusals) sink_->OnRefusal(id, std::move(refusal));
  for (const std::string& id : mended) sink_->OnRefusal(id, std::nullopt);
  sink_->OnInSync();
  return absl::OkStatus();
}

}  // namespace felix::datastore
