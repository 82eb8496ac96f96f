// SPDX-License-Identifier: Apache-2.0
#include "felix/apply_loop.h"

#include <algorithm>

#include "model/base/check.h"

namespace felix {
namespace {

using std::chrono::microseconds;

constexpr std::chrono::milliseconds kLeastLockProbe{10};

void TakeEarlier(std::optional<Clock::TimePoint>& earliest, Clock::TimePoint candidate) {
  if (!earliest || candidate < *earliest) earliest = candidate;
}

}  // namespace

ApplyLoop::ApplyLoop(const Clock& clock, Applier& applier, Intervals intervals)
    : clock_(clock),
      applier_(applier),
      intervals_(intervals),
      last_end_(clock.Now()),
      last_tables_read_(clock.Now()),
      last_sets_read_(clock.Now()) {}

void ApplyLoop::SetIntervals(Intervals intervals) {
  intervals_ = intervals;
}

void ApplyLoop::MarkInSync() {
  if (in_sync_) return;
  in_sync_ = true;
  changed_ = true;  // even an empty state is to be brought about
}

void ApplyLoop::MarkChanged() {
  changed_ = true;
}

void ApplyLoop::MarkResync() {
  applier_.ResyncTables();
  applier_.ResyncSets();
  last_tables_read_ = clock_.Now();
  last_sets_read_ = clock_.Now();
  changed_ = true;
}

std::optional<Clock::TimePoint> ApplyLoop::NextDue() const {
  if (!in_sync_) return std::nullopt;
  std::optional<Clock::TimePoint> due;
  if (changed_) TakeEarlier(due, last_end_ + spacing_);
  if (retry_after_) TakeEarlier(due, last_end_ + *retry_after_);
  if (intervals_.tables > microseconds::zero()) {
    TakeEarlier(due, std::max(last_tables_read_ + intervals_.tables, last_end_ + spacing_));
  }
  if (intervals_.sets > microseconds::zero()) {
    TakeEarlier(due, std::max(last_sets_read_ + intervals_.sets, last_end_ + spacing_));
  }
  return due;
}

bool ApplyLoop::IsDue() const {
  const std::optional<Clock::TimePoint> due = NextDue();
  return due && *due <= clock_.Now();
}

ApplyReport ApplyLoop::Run() {
  FELIX_CHECK(in_sync_, "the kernel is not touched before the datastore is complete");
  const Clock::TimePoint now = clock_.Now();
  if (intervals_.tables > microseconds::zero() && now >= last_tables_read_ + intervals_.tables) {
    applier_.ResyncTables();
    last_tables_read_ = now;
  }
  if (intervals_.sets > microseconds::zero() && now >= last_sets_read_ + intervals_.sets) {
    applier_.ResyncSets();
    last_sets_read_ = now;
  }
  changed_ = false;
  ApplyReport report = applier_.Apply();
  Account(report);
  return report;
}

void ApplyLoop::Account(const ApplyReport& report) {
  last_end_ = clock_.Now();
  if (report.unfinished) changed_ = true;
  if (report.ok()) {
    retry_after_.reset();
    failures_in_a_row_ = 0;
    spacing_ = microseconds::zero();
    failing_since_.reset();
    return;
  }
  if (report.only_locked_out()) {
    // Somebody else's turn is no fault of ours: ask again soon, and for as long as it takes.
    const microseconds pause = std::max<microseconds>(intervals_.lock_probe, kLeastLockProbe);
    retry_after_ = pause;
    spacing_ = pause;
    failures_in_a_row_ = 0;
    failing_since_.reset();
    return;
  }
  ++failures_in_a_row_;
  constexpr int kDoublingsToLast = 7;
  retry_after_ = std::min<microseconds>(
      kFirstRetry * (1 << std::min(failures_in_a_row_ - 1, kDoublingsToLast)), kLastRetry);
  spacing_ = kFirstRetry;
  if (report.tables_applied != 0) failing_since_.reset();
  const bool in_vain = report.tables_applied == 0 && report.hard_failures != 0;
  if (in_vain && !failing_since_) failing_since_ = last_end_;
}

microseconds ApplyLoop::FailingFor() const {
  return failing_since_ ? clock_.Now() - *failing_since_ : microseconds::zero();
}

}  // namespace felix
