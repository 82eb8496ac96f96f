// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "felix/apply_report.h"
#include "felix/clock.h"

namespace felix {

// Logs why applies fail, without a flood: a failure is said at once when it is new, then once a
// minute; a lock that another program holds only after ten seconds, with its holder. The end of
// all failures is said too.
class FailureLog {
 public:
  static constexpr std::chrono::seconds kRepeatAfter{60};
  static constexpr std::chrono::seconds kLockPatience{10};

  explicit FailureLog(const Clock& clock) : clock_(clock) {}
  void Hear(const ApplyReport& report);

 private:
  void HearLock(const ApplyReport& report);

  const Clock& clock_;
  std::optional<Clock::TimePoint> locked_since_;
  std::optional<Clock::TimePoint> said_at_;
  std::string said_;
};

// "cannot write the ipv4 filter table: permission denied (run as root …)": all failures of the
// report in one line, with what helps against the first.
[[nodiscard]] std::string Describe(const ApplyReport& report);
// What a person can do about an error of that kind; empty, or " (…)".
[[nodiscard]] std::string HintFor(const absl::Status& status);

}  // namespace felix
