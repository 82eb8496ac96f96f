// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/session_loop.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>

#include "fmt/format.h"

namespace felix::datastore {
namespace {

using std::chrono::milliseconds;

// Short enough that a server that is back is used within 2 s.
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLastRetry{1500};

milliseconds Spread(milliseconds duration, std::minstd_rand& random) {
  return milliseconds(
      std::uniform_int_distribution<std::int64_t>(duration.count() / 2, duration.count())(random));
}

}  // namespace

SessionLoop::SessionLoop(std::vector<EtcdEndpoint> endpoints, Session session)
    : endpoints_(std::move(endpoints)), session_(std::move(session)) {}

SessionLoop::~SessionLoop() {
  Stop();
}

absl::Status SessionLoop::Start(Sink& sink) {
  if (endpoints_.empty()) {
    return absl::InvalidArgumentError("start etcd source: no endpoint is named");
  }
  if (sink_ != nullptr) return absl::FailedPreconditionError("start etcd source: started before");
  sink_ = &sink;
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void SessionLoop::Resync() {
  const std::lock_guard lock(mutex_);
  resync_ = true;
  if (interrupt_) interrupt_();
  wake_.notify_all();
}

void SessionLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    if (interrupt_) interrupt_();
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<bool> SessionLoop::Begin(std::function<void()> interrupt) {
  const std::lock_guard lock(mutex_);
  if (stop_) return absl::CancelledError("stopped");
  interrupt_ = std::move(interrupt);
  return resync_.exchange(false);
}

void SessionLoop::Pause(milliseconds duration) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, duration, [this] { return stop_ || resync_; });
}

void SessionLoop::Run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);

  std::minstd_rand random(std::random_device{}());
  milliseconds retry = kFirstRetry;
  for (std::size_t attempt = 0; !stop_; ++attempt) {
    const EtcdEndpoint& endpoint = endpoints_[attempt % endpoints_.size()];
    made_progress_ = false;
    const absl::Status status = session_(endpoint);
    if (stop_) return;
    if (made_progress_) retry = kFirstRetry;
    if (absl::IsCancelled(status)) continue;  // to read everything anew
    // The others are asked at once; then all had their turn.
    const bool all_tried = (attempt + 1) % endpoints_.size() == 0 || made_progress_;
    if (!all_tried) continue;
    sink_->OnLost(absl::Status(
        status.code(), fmt::format("{}: {}", endpoint.ToString(), std::string(status.message()))));
    Pause(Spread(retry, random));
    retry = std::min(2 * retry, kLastRetry);
  }
}

}  // namespace felix::datastore
