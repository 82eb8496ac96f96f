// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/etcd_v2_source.h"

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/etcd/word_tap.h"
#include "tests/support/etcd_server.h"
#include "tests/support/tcp_proxy.h"
#include "tests/unit/datastore/recording_sink.h"

namespace felix::datastore {
namespace {

using State = RecordingSink::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string TierKey(std::string_view name) {
  return fmt::format("/calico/v1/policy/tier/{}/metadata", name);
}

class EtcdV2SourceTest : public ::testing::Test {
 protected:
  void SetUp() override { Do("set /calico/v1/Ready true"); }
  // As Calico's tools of that time did.
  void Do(const std::string& command) const {
    const std::string whole = fmt::format("ETCDCTL_API=2 etcdctl --endpoints {} {} > /dev/null",
                                          server_.endpoint().ToString(), command);
    ASSERT_EQ(std::system(whole.c_str()), 0) << whole;
  }
  void PutTier(std::string_view name, int order) const {
    Do(fmt::format("set {} '{{\"order\": {}}}'", TierKey(name), order));
  }
  void StartSource(SourceTap* tap = nullptr) {
    EtcdEndpoint endpoint = server_.endpoint();
    endpoint.port = proxy_.port();
    EtcdTiming timing;
    timing.probe_after = std::chrono::milliseconds(500);
    timing.probe = std::chrono::milliseconds(1000);
    source_ =
        std::make_unique<EtcdV2Source>(EtcdConfig{.endpoints = {endpoint}, .timing = timing}, tap);
    ASSERT_TRUE(source_->Start(sink_).ok());
  }
  void Expect(const std::function<bool(const State&)>& condition) {
    EXPECT_TRUE(sink_.WaitUntil(condition) || sink_.WaitUntil(condition))
        << (sink_.Now().losses.empty() ? "" : sink_.Now().losses.back().ToString());
  }
  void ExpectTier(const std::string& name, int order) {
    Expect([&](const State& s) { return s.TierHasOrder(name, order); });
  }
  void ExpectNoTier(const std::string& name) {
    Expect([&](const State& s) { return s.Tier(name) == nullptr; });
  }

  EtcdServer server_{EtcdServerOptions{.arguments = {"--enable-v2"}}};
  TcpProxy proxy_{server_.endpoint().port};
  RecordingSink sink_;
  std::unique_ptr<EtcdV2Source> source_;
};

TEST_F(EtcdV2SourceTest, DeliversTheTreeAsOneBatchAndFollowsFromThere) {
  PutTier("a", 1);
  PutTier("b", 2);
  StartSource();
  Expect([](const State& s) { return s.in_sync_marks == 1; });
  ExpectTier("a", 1);
  EXPECT_THAT(sink_.Now().batches, SizeIs(1));
  PutTier("a", 3);
  ExpectTier("a", 3);
  Do("rm " + TierKey("b"));
  ExpectNoTier("b");
  PutTier("c", 4);
  ExpectTier("c", 4);
  EXPECT_THAT(sink_.Now().losses, IsEmpty());
}

TEST_F(EtcdV2SourceTest, ADirectoryTakesAllBelowItAlong) {
  PutTier("a", 1);
  PutTier("b", 2);
  Do("set /calico/v1/policy/tier/a/policy/p '{\"selector\": \"all()\", \"order\": 1, "
     "\"inbound_rules\": [], \"outbound_rules\": []}'");
  StartSource();
  Expect([](const State& s) { return s.store.policies().size() == 1; });
  Do("rm --recursive /calico/v1/policy/tier/a");
  ExpectNoTier("a");
  Expect([](const State& s) { return s.store.policies().size() == 0; });
  ExpectTier("b", 2);
}

TEST_F(EtcdV2SourceTest, TellsATapWhatChangedAndNothingTwice) {
  PutTier("a", 1);
  WordTap tap;
  StartSource(&tap);
  ExpectTier("a", 1);
  PutTier("a", 2);
  ExpectTier("a", 2);
  source_->Resync();
  PutTier("b", 1);
  ExpectTier("b", 1);
  Do("rm " + TierKey("a"));
  ExpectNoTier("a");
  source_->Stop();
  std::vector<std::string> words = absl::StrSplit(tap.words, '\n', absl::SkipEmpty());
  std::erase_if(words, [](const std::string& word) { return word.starts_with("end"); });
  // etcd's v2 API tells a tree in no order.
  EXPECT_EQ(std::erase(words, "set Ready"), 1U);
  EXPECT_THAT(words, ElementsAre("set metadata", "set metadata", "set metadata", "del metadata"));
}

TEST_F(EtcdV2SourceTest, AValueThatExpiresIsGone) {
  StartSource();
  Do("set --ttl 1 " + TierKey("short") + " '{\"order\": 1}'");
  ExpectTier("short", 1);
  ExpectNoTier("short");
}

TEST_F(EtcdV2SourceTest, SaysNothingUntilTheStoreIsReady) {
  Do("set /calico/v1/Ready false");
  PutTier("a", 1);
  StartSource();
  Expect([](const State& s) { return !s.losses.empty(); });
  EXPECT_THAT(sink_.Now().batches, IsEmpty());
  Do("set /calico/v1/Ready true");
  ExpectTier("a", 1);
}

TEST_F(EtcdV2SourceTest, GoesOnWhereItWasAfterSilenceACutAndARestart) {
  PutTier("a", 1);
  StartSource();
  ExpectTier("a", 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // more than one long poll
  PutTier("a", 2);
  ExpectTier("a", 2);
  proxy_.Cut();
  PutTier("a", 3);
  ExpectTier("a", 3);
  server_.Kill();
  server_.Start();
  PutTier("a", 4);
  ExpectTier("a", 4);
  EXPECT_EQ(sink_.Now().in_sync_marks, 1);
}

// Etcd keeps a thousand events.
TEST_F(EtcdV2SourceTest, ReadsTheTreeAnewWhenItsEventsAreNoLongerKept) {
  PutTier("a", 1);
  PutTier("b", 1);
  StartSource();
  ExpectTier("a", 1);
  proxy_.Swallow(true);
  Do("rm " + TierKey("b"));
  HttpConnection others;
  ASSERT_TRUE(others.Connect(server_.endpoint(), {}, std::chrono::seconds(5)).ok());
  for (int i = 0; i < 1100; ++i) {
    ASSERT_TRUE(others.Post("/v2/keys/other?value=x", "", "", std::chrono::seconds(5)).ok());
  }
  PutTier("a", 2);
  proxy_.Swallow(false);
  ExpectTier("a", 2);
  ExpectNoTier("b");
}

TEST_F(EtcdV2SourceTest, NoticesAServerThatNoLongerAnswers) {
  StartSource();
  Expect([](const State& s) { return s.in_sync_marks == 1; });
  proxy_.Swallow(true);
  Expect([](const State& s) { return !s.losses.empty(); });
  proxy_.Swallow(false);
  PutTier("a", 1);
  ExpectTier("a", 1);
}

TEST(EtcdV2WithoutV2, SaysWhatTheServerNeeds) {
  const EtcdServer server;
  EtcdV2Source source(EtcdConfig{.endpoints = {server.endpoint()}});
  RecordingSink sink;
  ASSERT_TRUE(source.Start(sink).ok());
  ASSERT_TRUE(sink.WaitUntil([](const State& s) { return !s.losses.empty(); }));
  EXPECT_THAT(std::string(sink.Now().losses[0].message()), HasSubstr("--enable-v2"));
}

}  // namespace
}  // namespace felix::datastore
