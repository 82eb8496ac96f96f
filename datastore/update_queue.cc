// SPDX-License-Identifier: Apache-2.0
#include "datastore/update_queue.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>

#include "model/base/check.h"

namespace felix::datastore {

UpdateQueue::UpdateQueue() : event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  FELIX_CHECK(event_fd_ >= 0, "the process has no file descriptor left");
}

UpdateQueue::~UpdateQueue() {
  close(event_fd_);
}

void UpdateQueue::Signal() const {
  const std::uint64_t one = 1;
  // Fails only if the counter is about to overflow, in which case the descriptor is readable.
  static_cast<void>(!write(event_fd_, &one, sizeof one));
}

UpdateQueue::Pending UpdateQueue::Drain() {
  const std::lock_guard lock(mutex_);
  std::uint64_t count = 0;
  static_cast<void>(!read(event_fd_, &count, sizeof count));
  Pending pending;
  pending.updates = std::exchange(updates_, {});
  index_.clear();
  for (auto& [id, refusal] : refusals_) pending.refusals.emplace_back(id, std::move(refusal));
  refusals_.clear();
  pending.in_sync_marks = std::exchange(in_sync_marks_, 0);
  pending.source_status = source_status_;
  return pending;
}

bool UpdateQueue::WaitFor(absl::Duration timeout) const {
  pollfd descriptor{event_fd_, POLLIN, 0};
  const auto deadline = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout);
  while (true) {
    const auto left = std::max(deadline - std::chrono::steady_clock::now(),
                               std::chrono::steady_clock::duration::zero());
    const timespec time_left = absl::ToTimespec(absl::FromChrono(left));
    const int ready = ppoll(&descriptor, 1, &time_left, nullptr);
    if (ready > 0) return true;
    if (ready == 0) return false;
    FELIX_CHECK(errno == EINTR, "poll of an event descriptor");
  }
}

void UpdateQueue::OnUpdates(std::vector<model::Update> updates) {
  if (updates.empty()) return;
  const std::lock_guard lock(mutex_);
  for (model::Update& update : updates) {
    const auto [it, is_new] = index_.try_emplace(update.key, updates_.size());
    if (is_new) {
      updates_.push_back(std::move(update));
    } else {
      updates_[it->second].value = std::move(update.value);
    }
  }
  Signal();
}

void UpdateQueue::OnInSync() {
  const std::lock_guard lock(mutex_);
  ++in_sync_marks_;
  source_status_ = absl::OkStatus();
  Signal();
}

void UpdateQueue::OnLost(const absl::Status& reason) {
  const std::lock_guard lock(mutex_);
  source_status_ = reason;
  Signal();
}

void UpdateQueue::OnRefusal(const std::string& id, std::optional<Refusal> refusal) {
  const std::lock_guard lock(mutex_);
  refusals_.insert_or_assign(id, std::move(refusal));
  Signal();
}

}  // namespace felix::datastore
