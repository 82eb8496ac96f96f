// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datastore/source.h"
#include "felix/clock.h"

namespace felix {

// Notes when the first change since the last look was handed over, and passes everything on.
class ArrivalSink final : public datastore::Sink {
 public:
  ArrivalSink(const Clock& clock, datastore::Sink& next) : clock_(clock), next_(next) {}

  // When the oldest change came that was not taken yet. Take it before what was passed on, so that
  // a change is never looked at without its time.
  [[nodiscard]] std::optional<Clock::TimePoint> Take() {
    const Clock::Duration::rep since = first_.exchange(kNone);
    if (since == kNone) return std::nullopt;
    return Clock::TimePoint(Clock::Duration(since));
  }

  void OnUpdates(std::vector<model::Update> updates) override {
    Clock::Duration::rep none = kNone;
    first_.compare_exchange_strong(none, clock_.Now().time_since_epoch().count());
    next_.OnUpdates(std::move(updates));
  }
  void OnInSync() override { next_.OnInSync(); }
  void OnLost(const absl::Status& reason) override { next_.OnLost(reason); }
  void OnRefusal(const std::string& id, std::optional<datastore::Refusal> refusal) override {
    next_.OnRefusal(id, std::move(refusal));
  }

 private:
  static constexpr Clock::Duration::rep kNone = -1;

  const Clock& clock_;
  datastore::Sink& next_;
  std::atomic<Clock::Duration::rep> first_{kNone};
};

}  // namespace felix
