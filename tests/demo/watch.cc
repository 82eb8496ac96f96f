// SPDX-License-Identifier: Apache-2.0
#include "tests/demo/watch.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <deque>
#include <thread>
#include <utility>

#include "fmt/format.h"

#include "tests/demo/connection.h"

namespace felix::demo {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;  // in nanoseconds, like all times here
constexpr std::int64_t kInterval = kMillisecond / 2;
constexpr std::int64_t kAnswerTime = 250 * kMillisecond;
// Long enough for connections begun before the change to be judged.
constexpr std::int64_t kWarmUp = 600 * kMillisecond;
constexpr std::int64_t kSettle = 600 * kMillisecond;

struct Observation {
  std::int64_t start = 0;
  std::int64_t done = 0;  // accepted, or given up
  bool reached = false;
};

void SleepFor(std::int64_t nanoseconds) {
  std::this_thread::sleep_for(std::chrono::nanoseconds(nanoseconds));
}

// The traffic on one flow, from a thread of its own.
class Traffic {
 public:
  Traffic(const Flow& flow, const std::atomic<std::int64_t>& changed_at,
          const std::atomic<bool>& stop)
      : flow_(flow), changed_at_(changed_at), stop_(stop) {}

  void Run();
  // The new verdict has been seen.
  [[nodiscard]] bool decided() const { return decided_; }
  // Only once the thread has ended.
  [[nodiscard]] const std::vector<Observation>& observations() const { return observations_; }

 private:
  struct Pending {
    Descriptor socket;
    std::int64_t start = 0;
    bool judged = false;
  };

  void Start(std::int64_t now);
  void WaitUntil(std::int64_t deadline);
  void HandleEvent(Pending& pending);
  void GiveUpOn(std::int64_t begun_before);
  void Judge(Pending& pending, std::int64_t done, bool reached);
  [[nodiscard]] bool SeesNewVerdict(std::int64_t now) const;

  const Flow& flow_;
  const std::atomic<std::int64_t>& changed_at_;
  const std::atomic<bool>& stop_;
  std::atomic<bool> decided_ = false;
  Descriptor epoll_{epoll_create1(EPOLL_CLOEXEC)};
  std::deque<Pending> pending_;     // in the order of their starts
  std::uint64_t front_number_ = 0;  // of the first of pending_
  std::int64_t last_reached_start_ = 0;
  std::vector<Observation> observations_;
};

void Traffic::Run() {
  if (!epoll_.valid()) Fail("cannot make an epoll");
  // The default slack of 50 us would blur what is measured.
  prctl(PR_SET_TIMERSLACK, 1);
  if (!flow_.network_namespace.empty()) EnterNamespace(flow_.network_namespace);
  std::int64_t next = MonotonicNanoseconds();
  while (!stop_) {
    const std::int64_t now = MonotonicNanoseconds();
    if (now >= next) {
      Start(now);
      next = std::max(next + kInterval, now);
    }
    WaitUntil(next);
    GiveUpOn(now - kAnswerTime);
    if (!decided_ && SeesNewVerdict(now)) decided_ = true;
  }
}

void Traffic::Start(std::int64_t now) {
  Attempt attempt = StartConnection(flow_.to);
  Pending& pending = pending_.emplace_back();
  pending.socket = std::move(attempt.socket);
  pending.start = now;
  if (attempt.progress != Progress::kConnecting) {
    Judge(pending, MonotonicNanoseconds(), attempt.progress == Progress::kConnected);
    return;
  }
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.u64 = front_number_ + pending_.size() - 1;
  if (epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, pending.socket.fd(), &event) != 0) {
    Fail("cannot watch a socket");
  }
}

void Traffic::WaitUntil(std::int64_t deadline) {
  const std::int64_t left = std::max<std::int64_t>(deadline - MonotonicNanoseconds(), 0);
  const timespec timeout = {.tv_sec = 0, .tv_nsec = left};
  std::array<epoll_event, 64> events{};
  const int count = epoll_pwait2(epoll_.fd(), events.data(), events.size(), &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t number = events[static_cast<size_t>(i)].data.u64;
    HandleEvent(pending_[number - front_number_]);
  }
}

void Traffic::HandleEvent(Pending& pending) {
  const Progress progress = FinishConnection(pending.socket);
  if (progress == Progress::kConnecting) return;
  Judge(pending, MonotonicNanoseconds(), progress == Progress::kConnected);
}

// Called after the events were taken, with a moment from before: a stall of this process never
// makes an answered connection look like a blocked one.
void Traffic::GiveUpOn(std::int64_t begun_before) {
  while (!pending_.empty()) {
    Pending& oldest = pending_.front();
    if (!oldest.judged) {
      if (oldest.start > begun_before) return;
      Judge(oldest, begun_before + kAnswerTime, false);
    }
    pending_.pop_front();
    ++front_number_;
  }
}

void Traffic::Judge(Pending& pending, std::int64_t done, bool reached) {
  Abort(std::move(pending.socket));
  pending.judged = true;
  observations_.push_back({.start = pending.start, .done = done, .reached = reached});
  if (reached) last_reached_start_ = std::max(last_reached_start_, pending.start);
}

bool Traffic::SeesNewVerdict(std::int64_t now) const {
  const std::int64_t changed_at = changed_at_;
  if (changed_at == 0) return false;
  switch (flow_.wanted) {
    case Wanted::kBecomesReached:
      return last_reached_start_ >= changed_at;
    case Wanted::kBecomesBlocked:
      return now - std::max(last_reached_start_, changed_at) > kAnswerTime + kInterval;
    case Wanted::kStaysReached:
    case Wanted::kStaysBlocked:
      return true;
  }
  return true;
}

std::int64_t FirstReachedStart(const std::vector<Observation>& observations) {
  std::int64_t first = INT64_MAX;
  for (const Observation& seen : observations) {
    if (seen.reached) first = std::min(first, seen.start);
  }
  return first;
}

std::int64_t LastReachedStart(const std::vector<Observation>& observations) {
  std::int64_t last = INT64_MIN;
  for (const Observation& seen : observations) {
    if (seen.reached) last = std::max(last, seen.start);
  }
  return last;
}

bool Contradicts(Wanted wanted, const Observation& seen, std::int64_t changed_at,
                 std::int64_t first_reached, std::int64_t last_reached) {
  const bool before = seen.done < changed_at;
  switch (wanted) {
    case Wanted::kBecomesReached:
      return before ? seen.reached : !seen.reached && seen.start > first_reached;
    case Wanted::kBecomesBlocked:
      return !seen.reached && (before || seen.start < last_reached);
    case Wanted::kStaysReached:
      return !seen.reached;
    case Wanted::kStaysBlocked:
      return seen.reached;
  }
  return true;
}

FlowReport Report(const Flow& flow, const Traffic& traffic, std::int64_t changed_at) {
  const std::vector<Observation>& observations = traffic.observations();
  const std::int64_t first_reached = FirstReachedStart(observations);
  const std::int64_t last_reached = LastReachedStart(observations);
  FlowReport report;
  report.changed = traffic.decided();
  report.attempts = static_cast<std::int64_t>(observations.size());
  const bool to_reached = flow.wanted == Wanted::kBecomesReached;
  const Observation* first = nullptr;
  for (const Observation& seen : observations) {
    if (Contradicts(flow.wanted, seen, changed_at, first_reached, last_reached)) {
      ++report.contradictions;
      continue;
    }
    if (seen.done < changed_at) ++report.before;
    const bool is_new = seen.reached == to_reached && (to_reached || seen.start > last_reached);
    if (is_new && (first == nullptr || seen.start < first->start)) first = &seen;
  }
  if (first != nullptr) {
    report.first_start_us = std::max<std::int64_t>(first->start - changed_at, 0) / 1'000;
    report.first_done_us = (first->done - changed_at) / 1'000;
  }
  return report;
}

// Every connection that nobody answers holds a descriptor for a while.
void AllowManyDescriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

std::vector<FlowReport> WatchFlows(const std::vector<Flow>& flows,
                                   const std::function<void()>& change,
                                   std::chrono::milliseconds timeout) {
  AllowManyDescriptors();
  std::atomic<std::int64_t> changed_at = 0;
  std::atomic<bool> stop = false;
  std::deque<Traffic> traffic;
  std::vector<std::thread> threads;
  for (const Flow& flow : flows) {
    Traffic& of_flow = traffic.emplace_back(flow, changed_at, stop);
    threads.emplace_back([&of_flow] { of_flow.Run(); });
  }
  SleepFor(kWarmUp);

  changed_at = MonotonicNanoseconds();
  change();
  const std::int64_t deadline = changed_at + std::int64_t{timeout.count()} * kMillisecond;
  const auto decided = [](const Traffic& of_flow) { return of_flow.decided(); };
  while (MonotonicNanoseconds() < deadline &&
         !std::all_of(traffic.begin(), traffic.end(), decided)) {
    SleepFor(kMillisecond);
  }
  SleepFor(kSettle);
  stop = true;
  for (std::thread& thread : threads) thread.join();

  std::vector<FlowReport> reports;
  for (size_t i = 0; i < flows.size(); ++i) {
    reports.push_back(Report(flows[i], traffic[i], changed_at));
  }
  return reports;
}

}  // namespace felix::demo
