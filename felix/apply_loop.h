// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>

#include "felix/apply_report.h"
#include "felix/clock.h"

namespace felix {

// What the loop drives: something that can bring the kernel to the staged state.
class Applier {
 public:
  virtual ~Applier() = default;
  // One attempt at everything that is staged or in doubt. Work that failed stays staged.
  virtual ApplyReport Apply() = 0;
  // Puts what is known of the kernel in doubt; the next Apply reads and repairs.
  virtual void ResyncTables() = 0;
  virtual void ResyncSets() = 0;
};

// Decides when to apply. Never before the datastore said that its state is complete. A first change
// is applied at once; what arrives meanwhile is the next batch. A failure is tried again after
// 0.1 s, doubling to 10 s; new changes during a failure do not wait for that, but applies are then
// at least 0.1 s apart. The kernel is read anew at the refresh intervals. Reads no clock but the
// given one, never sleeps.
class ApplyLoop {
 public:
  struct Intervals {
    std::chrono::microseconds tables{};  // zero: never
    std::chrono::microseconds sets{};    // zero: never
    std::chrono::microseconds lock_probe{std::chrono::milliseconds(50)};
  };
  static constexpr std::chrono::milliseconds kFirstRetry{100};
  static constexpr std::chrono::seconds kLastRetry{10};
  static constexpr std::chrono::seconds kHopelessAfter{90};

  ApplyLoop(const Clock& clock, Applier& applier, Intervals intervals);

  void SetIntervals(Intervals intervals);
  void MarkInSync();
  // Something was staged.
  void MarkChanged();
  // Everything known of the kernel is in doubt from now on.
  void MarkResync();

  [[nodiscard]] bool in_sync() const { return in_sync_; }
  // When there is something to do next; none while only the outside can give the loop work.
  [[nodiscard]] std::optional<Clock::TimePoint> NextDue() const;
  [[nodiscard]] bool IsDue() const;
  // Applies. Only when due.
  ApplyReport Run();

  // How long applying has failed without any table being written; zero if it has not. A lock that
  // another program holds does not count.
  [[nodiscard]] std::chrono::microseconds FailingFor() const;
  [[nodiscard]] bool IsHopeless() const { return FailingFor() >= kHopelessAfter; }

 private:
  void Account(const ApplyReport& report);

  const Clock& clock_;
  Applier& applier_;
  Intervals intervals_;
  bool in_sync_ = false;
  bool changed_ = false;
  Clock::TimePoint last_end_;
  Clock::TimePoint last_tables_read_;
  Clock::TimePoint last_sets_read_;
  std::optional<std::chrono::microseconds> retry_after_;  // set while failing
  int failures_in_a_row_ = 0;
  std::chrono::microseconds spacing_{};  // least time between two applies
  std::optional<Clock::TimePoint> failing_since_;
};

}  // namespace felix
