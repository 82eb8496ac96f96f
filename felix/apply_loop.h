// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/desired_state.h"
#include "felix/apply_report.h"
#include "felix/clock.h"
#include "model/address.h"

namespace felix {

struct TableId {
  model::IpFamily family{};
  ir::Table table{};
  auto operator<=>(const TableId&) const = default;
};

// What the loop drives: something that can bring the kernel to the staged state.
class Applier {
 public:
  virtual ~Applier() = default;
  // One attempt at everything that is staged or in doubt. Work that failed stays staged.
  virtual ApplyReport Apply() = 0;
  // Puts what is known of the kernel in doubt; the next Apply reads and repairs.
  virtual void ResyncTables() = 0;
  virtual void ResyncTable(const TableId& table) = 0;
  virtual void ResyncSets() = 0;
};

// Notices at little cost that others were at the tables.
class DriftSensor {
 public:
  virtual ~DriftSensor() = default;
  // What the kernel holds now is what is wanted.
  virtual void Remember() = 0;
  // Tables that have visibly changed since.
  virtual std::vector<TableId> Changed() = 0;
};

// Whether what is wanted is in force.
enum class Readiness : std::uint8_t { kStarting, kReady, kNotReady };

// Decides when to apply. Never before the datastore said that its state is complete. A first change
// is applied at once; what arrives meanwhile is the next batch. A failure is tried again after
// 0.1 s, doubling to 10 s; new changes during a failure do not wait for that, but applies are then
// at least 0.1 s apart. The kernel is read anew at the refresh intervals, and soon after others
// were seen at it, but then never for more than a sixth of the time, so that a change of ours
// waits for one reading at most; and if they undo each repair, every half minute. Reads no clock
// but the given one, never sleeps.
class ApplyLoop {
 public:
  struct Intervals {
    std::chrono::microseconds tables{};  // zero: never
    std::chrono::microseconds sets{};    // zero: never
    std::chrono::microseconds lock_probe{std::chrono::milliseconds(50)};
  };
  static constexpr std::chrono::milliseconds kFirstRetry{100};
  static constexpr std::chrono::seconds kLastRetry{10};
  static constexpr std::chrono::seconds kNotReadyAfter{30};
  static constexpr std::chrono::seconds kHopelessAfter{90};
  static constexpr std::chrono::milliseconds kLookInterval{500};
  static constexpr std::chrono::milliseconds kLeastComparePause{250};
  static constexpr std::chrono::seconds kFightWindow{60};
  static constexpr std::size_t kFightRepairs = 5;
  static constexpr std::chrono::seconds kFightPause{30};

  // `sensor` may be null.
  ApplyLoop(const Clock& clock, Applier& applier, Intervals intervals,
            DriftSensor* sensor = nullptr);

  void SetIntervals(Intervals intervals);
  void MarkInSync();
  // Something was staged.
  void MarkChanged();
  // Everything known of the kernel is in doubt from now on.
  void MarkResync();
  // Another program ended its turn with the lock of the tables: if we waited for it, we try now.
  void MarkOthersTurn();
  // Asks the sensor if it is time for that.
  void Look();

  [[nodiscard]] bool in_sync() const { return in_sync_; }
  // When there is something to do next, be it to look; none while only the outside can give the
  // loop work.
  [[nodiscard]] std::optional<Clock::TimePoint> NextDue() const;
  // Whether to apply.
  [[nodiscard]] bool IsDue() const;
  // Applies. Only when due.
  ApplyReport Run();

  // How long applying has failed without any table being written; zero if it has not. A lock that
  // another program holds does not count.
  [[nodiscard]] std::chrono::microseconds FailingFor() const;
  [[nodiscard]] bool IsHopeless() const { return FailingFor() >= kHopelessAfter; }
  // kReady from the first success on until there was none for kNotReadyAfter, for whatever reason
  // a table was not brought about. Failures of single objects do not count.
  [[nodiscard]] Readiness readiness() const;
  // Others have undone one and the same repair again and again within the last minute.
  [[nodiscard]] bool is_contended() const;

 private:
  [[nodiscard]] std::optional<Clock::TimePoint> NextApply() const;
  [[nodiscard]] std::optional<Clock::TimePoint> NextLook() const;
  [[nodiscard]] bool IsInDoubt() const { return all_in_doubt_ || !in_doubt_.empty(); }
  [[nodiscard]] Clock::TimePoint NextCompare() const;
  void PutInDoubt(Clock::TimePoint now);
  void Account(const ApplyReport& report);
  void AccountReadiness(const ApplyReport& report);
  void AccountCompare(const ApplyReport& report, Clock::TimePoint start, bool compared);

  const Clock& clock_;
  Applier& applier_;
  Intervals intervals_;
  DriftSensor* sensor_;
  bool in_sync_ = false;
  bool changed_ = false;
  Clock::TimePoint last_end_;
  Clock::TimePoint last_tables_read_;
  Clock::TimePoint last_sets_read_;
  std::optional<std::chrono::microseconds> retry_after_;  // set while failing
  bool locked_out_ = false;
  int failures_in_a_row_ = 0;
  std::chrono::microseconds spacing_{};       // least time between two applies
  std::optional<Clock::TimePoint> rest_due_;  // of what the last apply left for later
  std::optional<Clock::TimePoint> failing_since_;

  // Tables to compare, since others may have changed them.
  bool all_in_doubt_ = false;
  std::vector<TableId> in_doubt_;
  std::optional<Clock::TimePoint> last_compare_end_;
  std::chrono::microseconds compare_pause_{};
  std::deque<Clock::TimePoint> repairs_;  // of last_drift_, at most kFightRepairs
  std::vector<std::string> last_drift_;
  bool remembered_ = false;  // the sensor knows what we left
  Clock::TimePoint last_look_;

  bool was_ready_ = false;
  std::optional<Clock::TimePoint> unsuccessful_since_;
};

}  // namespace felix
