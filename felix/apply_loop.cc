// SPDX-License-Identifier: Apache-2.0
#include "felix/apply_loop.h"

#include <algorithm>
#include <utility>

#include "model/base/check.h"

namespace felix {
namespace {

using std::chrono::microseconds;

constexpr std::chrono::milliseconds kLeastLockProbe{10};
// A comparison may take one part of the time, and these parts are for the rest.
constexpr int kPartsWithoutCompare = 5;

void TakeEarlier(std::optional<Clock::TimePoint>& earliest,
                 std::optional<Clock::TimePoint> candidate) {
  if (candidate && (!earliest || *candidate < *earliest)) earliest = candidate;
}

}  // namespace

ApplyLoop::ApplyLoop(const Clock& clock, Applier& applier, Intervals intervals, DriftSensor* sensor)
    : clock_(clock),
      applier_(applier),
      intervals_(intervals),
      sensor_(sensor),
      last_end_(clock.Now()),
      last_tables_read_(clock.Now()),
      last_sets_read_(clock.Now()),
      last_look_(clock.Now()) {}

void ApplyLoop::SetIntervals(Intervals intervals) {
  intervals_ = intervals;
}

void ApplyLoop::MarkInSync() {
  if (in_sync_) return;
  in_sync_ = true;
  changed_ = true;  // even an empty state is to be brought about
  unsuccessful_since_ = clock_.Now();
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

void ApplyLoop::MarkOthersTurn() {
  if (!in_sync_) return;
  all_in_doubt_ = true;
  if (!locked_out_) return;
  retry_after_ = microseconds::zero();
  spacing_ = microseconds::zero();
}

void ApplyLoop::Look() {
  const std::optional<Clock::TimePoint> due = NextLook();
  if (!due || *due > clock_.Now()) return;
  last_look_ = clock_.Now();
  for (const TableId& table : sensor_->Changed()) {
    if (std::find(in_doubt_.begin(), in_doubt_.end(), table) == in_doubt_.end()) {
      in_doubt_.push_back(table);
    }
  }
}

std::optional<Clock::TimePoint> ApplyLoop::NextLook() const {
  // What is in doubt or failing will be read in any case.
  if (sensor_ == nullptr || !remembered_ || retry_after_ || IsInDoubt()) return std::nullopt;
  return last_look_ + kLookInterval;
}

bool ApplyLoop::is_contended() const {
  return repairs_.size() == kFightRepairs && clock_.Now() - repairs_.front() <= kFightWindow;
}

Clock::TimePoint ApplyLoop::NextCompare() const {
  if (!last_compare_end_) return last_end_ + spacing_;
  return std::max(*last_compare_end_ + compare_pause_, last_end_ + spacing_);
}

std::optional<Clock::TimePoint> ApplyLoop::NextApply() const {
  if (!in_sync_) return std::nullopt;
  std::optional<Clock::TimePoint> due;
  if (changed_) TakeEarlier(due, last_end_ + spacing_);
  if (retry_after_) TakeEarlier(due, last_end_ + *retry_after_);
  if (rest_due_) TakeEarlier(due, std::max(*rest_due_, last_end_ + spacing_));
  if (IsInDoubt()) TakeEarlier(due, NextCompare());
  if (intervals_.tables > microseconds::zero()) {
    TakeEarlier(due, std::max(last_tables_read_ + intervals_.tables, last_end_ + spacing_));
  }
  if (intervals_.sets > microseconds::zero()) {
    TakeEarlier(due, std::max(last_sets_read_ + intervals_.sets, last_end_ + spacing_));
  }
  return due;
}

std::optional<Clock::TimePoint> ApplyLoop::NextDue() const {
  std::optional<Clock::TimePoint> due = NextApply();
  TakeEarlier(due, NextLook());
  return due;
}

bool ApplyLoop::IsDue() const {
  const std::optional<Clock::TimePoint> due = NextApply();
  return due && *due <= clock_.Now();
}

void ApplyLoop::PutInDoubt(Clock::TimePoint now) {
  if (all_in_doubt_) {
    applier_.ResyncTables();
    last_tables_read_ = now;
  } else {
    for (const TableId& table : in_doubt_) applier_.ResyncTable(table);
  }
  all_in_doubt_ = false;
  in_doubt_.clear();
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
  const bool compares = IsInDoubt() && now >= NextCompare();
  if (compares) PutInDoubt(now);
  changed_ = false;
  ApplyReport report = applier_.Apply();
  Account(report);
  AccountReadiness(report);
  AccountCompare(report, now, compares);
  return report;
}

void ApplyLoop::Account(const ApplyReport& report) {
  last_end_ = clock_.Now();
  if (report.unfinished) changed_ = true;
  rest_due_.reset();
  if (report.due_in) rest_due_ = last_end_ + *report.due_in;
  locked_out_ = report.only_locked_out();
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

void ApplyLoop::AccountReadiness(const ApplyReport& report) {
  if (report.is_in_force()) {
    was_ready_ = true;
    unsuccessful_since_.reset();
  } else if (!unsuccessful_since_) {
    unsuccessful_since_ = last_end_;
  }
}

void ApplyLoop::AccountCompare(const ApplyReport& report, Clock::TimePoint start, bool compared) {
  if (sensor_ != nullptr && report.tables_applied != 0 && report.is_in_force()) {
    sensor_->Remember();
    remembered_ = true;
    last_look_ = last_end_;
  }
  if (!report.drift.empty()) {
    // Who undoes one and the same thing again and again is a program, others are people.
    if (report.drift != last_drift_) repairs_.clear();
    last_drift_ = report.drift;
    repairs_.push_back(last_end_);
    if (repairs_.size() > kFightRepairs) repairs_.pop_front();
  }
  if (!compared) return;
  last_compare_end_ = last_end_;
  compare_pause_ =
      is_contended()
          ? microseconds(kFightPause)
          : std::max<microseconds>(kLeastComparePause, (last_end_ - start) * kPartsWithoutCompare);
}

microseconds ApplyLoop::FailingFor() const {
  return failing_since_ ? clock_.Now() - *failing_since_ : microseconds::zero();
}

Readiness ApplyLoop::readiness() const {
  if (unsuccessful_since_ && clock_.Now() - *unsuccessful_since_ >= kNotReadyAfter) {
    return Readiness::kNotReady;
  }
  return was_ready_ ? Readiness::kReady : Readiness::kStarting;
}

}  // namespace felix
