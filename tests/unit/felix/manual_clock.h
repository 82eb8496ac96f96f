// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "felix/clock.h"

namespace felix::testing {

// It is later when a test says so.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint Now() const override { return now_; }
  void Advance(Duration duration) { now_ += duration; }

 private:
  TimePoint now_ = TimePoint(std::chrono::hours(1));
};

}  // namespace felix::testing
