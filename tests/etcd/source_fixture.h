// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "datastore/etcd/etcd_source.h"
#include "model/base/strings.h"
#include "tests/unit/datastore/recording_sink.h"

namespace felix::datastore {

inline constexpr std::string_view kPrefix = "/calico/resources/v3/projectcalico.org/";

inline std::string TierKey(std::string_view name) {
  return fmt::format("{}tiers/{}", kPrefix, name);
}

inline std::string TierValue(std::string_view name, int order) {
  return fmt::format(R"({{"apiVersion":"projectcalico.org/v3","kind":"Tier",)"
                     R"("metadata":{{"name":"{}"}},"spec":{{"order":{}}}}})",
                     name, order);
}

inline std::string ReadyValue(bool ready) {
  return fmt::format(R"({{"apiVersion":"projectcalico.org/v3","kind":"ClusterInformation",)"
                     R"("metadata":{{"name":"default"}},"spec":{{"datastoreReady":{}}}}})",
                     ready);
}

// A source that is followed. Tiers stand for whatever is in the store: their order is the value.
class SourceFixture : public ::testing::Test {
 protected:
  using State = RecordingSink::State;

  void StartSource(EtcdConfig config) {
    source_ = std::make_unique<EtcdSource>(std::move(config));
    ASSERT_TRUE(source_->Start(sink_).ok());
  }
  void ExpectInSync(int marks) {
    EXPECT_TRUE(WaitLong([&](const State& s) { return s.in_sync_marks >= marks; })) << Losses();
  }
  void ExpectTier(const std::string& name, int order) {
    EXPECT_TRUE(WaitLong([&](const State& s) { return s.TierHasOrder(name, order); }))
        << name << " " << order << Losses();
  }
  void ExpectNoTier(const std::string& name) {
    EXPECT_TRUE(WaitLong([&](const State& s) { return s.Tier(name) == nullptr; }))
        << name << Losses();
  }
  // Whether the source comes to be lost for a reason with these words.
  void ExpectLoss(std::string_view words) {
    EXPECT_TRUE(WaitLong([&](const State& s) {
      return !s.losses.empty() &&
             s.losses.back().message().find(ToAbsl(words)) != absl::string_view::npos;
    })) << words
        << Losses();
  }
  // Five times what the sink waits for: the time in which a dead server must be noticed is 20 s.
  bool WaitLong(const std::function<bool(const State&)>& condition) {
    for (int i = 0; i < 5; ++i) {
      if (sink_.WaitUntil(condition)) return true;
    }
    return false;
  }
  std::string Losses() {
    const State state = sink_.Now();
    return state.losses.empty() ? "" : "\nlast loss: " + state.losses.back().ToString();
  }

  RecordingSink sink_;
  std::unique_ptr<EtcdSource> source_;
};

}  // namespace felix::datastore
