// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datastore/source.h"
#include "model/store.h"

namespace felix::datastore {

// Keeps all that a source says, and lets a test wait until that is what it expects. Safe for the
// source's thread and the test's.
class RecordingSink final : public Sink {
 public:
  struct State {
    model::Store store;
    std::vector<std::vector<model::Update>> batches;
    std::map<std::string, Refusal> refusals;
    std::vector<absl::Status> losses;
    int in_sync_marks = 0;

    [[nodiscard]] const model::Tier* Tier(const std::string& name) const {
      const auto it = store.tiers().find(model::TierId{name});
      return it == store.tiers().end() ? nullptr : &it->second;
    }
    [[nodiscard]] bool TierHasOrder(const std::string& name, double order) const {
      const model::Tier* tier = Tier(name);
      return tier != nullptr && tier->order == order;
    }
  };

  void OnUpdates(std::vector<model::Update> updates) override {
    Change([&] {
      for (const model::Update& update : updates) state_.store.Set(update);
      state_.batches.push_back(std::move(updates));
    });
  }
  void OnInSync() override {
    Change([&] { ++state_.in_sync_marks; });
  }
  void OnLost(const absl::Status& reason) override {
    Change([&] { state_.losses.push_back(reason); });
  }
  void OnRefusal(const std::string& id, std::optional<Refusal> refusal) override {
    Change([&] {
      if (refusal) {
        state_.refusals.insert_or_assign(id, *std::move(refusal));
      } else {
        state_.refusals.erase(id);
      }
    });
  }

  // Whether the condition came to hold within five seconds.
  [[nodiscard]] bool WaitUntil(const std::function<bool(const State&)>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(5), [&] { return condition(state_); });
  }
  [[nodiscard]] State Now() {
    const std::lock_guard lock(mutex_);
    return state_;
  }

 private:
  template <typename Act>
  void Change(const Act& act) {
    const std::lock_guard lock(mutex_);
    act();
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  State state_;
};

}  // namespace felix::datastore
