// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/etcd_source.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "datastore/etcd/etcd_keys.h"
#include "tests/etcd/source_fixture.h"
#include "tests/etcd/word_tap.h"
#include "tests/support/etcd_server.h"

namespace felix::datastore {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class EtcdSourceTest : public SourceFixture {
 protected:
  void SetUp() override { server_.Put(kClusterInformationKey, ReadyValue(true)); }
  void StartSource() { StartSource({server_.endpoint()}); }
  void StartSource(std::vector<EtcdEndpoint> endpoints) {
    SourceFixture::StartSource({.endpoints = std::move(endpoints)});
  }
  void PutTier(std::string_view name, int order) {
    server_.Put(TierKey(name), TierValue(name, order));
  }

  EtcdServer server_;
};

TEST_F(EtcdSourceTest, DeliversTheSnapshotAsOneBatchAndFollowsFromThere) {
  PutTier("a", 1);
  PutTier("b", 2);
  StartSource();
  ExpectInSync(1);
  EXPECT_THAT(sink_.Now().batches, SizeIs(1));
  ExpectTier("a", 1);
  PutTier("a", 3);
  ExpectTier("a", 3);
  server_.Delete(TierKey("b"));
  ExpectNoTier("b");
  EXPECT_THAT(sink_.Now().losses, IsEmpty());
}

TEST_F(EtcdSourceTest, TellsATapEachKeyAndWhereARevisionEnds) {
  PutTier("a", 1);
  const std::int64_t first = server_.Revision();
  WordTap tap;
  source_ = std::make_unique<EtcdSource>(EtcdConfig{{server_.endpoint()}, {}, "", ""}, &tap);
  ASSERT_TRUE(source_->Start(sink_).ok());
  ExpectInSync(1);
  PutTier("a", 2);
  ExpectTier("a", 2);
  server_.Delete(TierKey("a"));
  ExpectNoTier("a");
  source_->Stop();
  EXPECT_EQ(tap.words, fmt::format("set default\nset a\nend {}\nset a\nend {}\ndel a\nend {}\n",
                                   first, first + 1, first + 2));
}

TEST_F(EtcdSourceTest, ReadsMorePagesThanOne) {
  constexpr int kTiers = 5100;
  for (int i = 0; i < kTiers; i += 2) {
    const std::string first = fmt::format("t{}", i);
    const std::string second = fmt::format("t{}", i + 1);
    server_.PutTwo(TierKey(first), TierValue(first, i), TierKey(second), TierValue(second, i));
  }
  StartSource();
  ExpectInSync(1);
  EXPECT_THAT(sink_.Now().batches, SizeIs(1));
  EXPECT_EQ(sink_.Now().store.tiers().size(), kTiers + 3U);
}

TEST_F(EtcdSourceTest, DeliversOneRevisionWhole) {
  StartSource();
  ExpectInSync(1);
  for (int i = 1; i <= 50; ++i) {
    server_.PutTwo(TierKey("a"), TierValue("a", i), TierKey("b"), TierValue("b", i));
  }
  ExpectTier("b", 50);
  model::Store store;
  for (const auto& batch : sink_.Now().batches) {
    for (const model::Update& update : batch) store.Set(update);
    const auto a = store.tiers().find(model::TierId{"a"});
    const auto b = store.tiers().find(model::TierId{"b"});
    ASSERT_EQ(a == store.tiers().end(), b == store.tiers().end());
    if (a == store.tiers().end()) continue;
    ASSERT_EQ(a->second.order, b->second.order);
  }
}

TEST_F(EtcdSourceTest, SaysNothingUntilTheStoreIsReadyAndKeepsAllWhileItIsNot) {
  server_.Put(kClusterInformationKey, ReadyValue(false));
  PutTier("a", 1);
  StartSource();
  EXPECT_TRUE(WaitLong([](const State& s) { return !s.losses.empty(); }));
  EXPECT_THAT(sink_.Now().batches, IsEmpty());
  EXPECT_THAT(std::string(sink_.Now().losses[0].message()), HasSubstr("datastoreReady"));
  server_.Put(kClusterInformationKey, ReadyValue(true));
  ExpectInSync(1);
  ExpectTier("a", 1);
  server_.PutTwo(kClusterInformationKey, ReadyValue(false), TierKey("a"), TierValue("a", 2));
  EXPECT_TRUE(WaitLong([](const State& s) { return s.losses.size() == 2; }));
  ExpectTier("a", 1);
  server_.Put(kClusterInformationKey, ReadyValue(true));
  ExpectTier("a", 2);
}

TEST_F(EtcdSourceTest, GoesOnWhereItWasAfterTheServerWasKilled) {
  PutTier("a", 1);
  PutTier("b", 2);
  StartSource();
  ExpectInSync(1);
  server_.Kill();
  EXPECT_TRUE(WaitLong([](const State& s) { return !s.losses.empty(); }));
  server_.Start();
  server_.Delete(TierKey("a"));
  PutTier("c", 3);
  ExpectTier("c", 3);
  ExpectNoTier("a");
  // Nothing was told twice: the snapshot, the deletion, the new tier.
  EXPECT_LE(sink_.Now().batches.size(), 3U);
}

// More than etcd sends at once to a watch that is behind.
TEST_F(EtcdSourceTest, CatchesUpWithThousandsOfRevisions) {
  StartSource();
  ExpectInSync(1);
  server_.Kill();
  server_.Start(true);
  constexpr int kTiers = 2500;
  for (int i = 0; i < kTiers; ++i) PutTier(fmt::format("t{}", i), i);
  server_.Kill();
  server_.Start();
  EXPECT_TRUE(WaitLong([](const State& s) {
    return s.store.tiers().size() == kTiers + std::size_t{3};
  })) << sink_.Now().store.tiers().size();
}

TEST_F(EtcdSourceTest, ReadsEverythingAnewAfterACompactionAndDeletesOnlyWhatIsGone) {
  PutTier("a", 1);
  PutTier("b", 2);
  StartSource();
  ExpectInSync(1);
  server_.Suspend();
  server_.Kill();
  server_.Start();
  // Before the source is back, with luck; the outcome must be the same without.
  server_.Delete(TierKey("a"));
  PutTier("b", 5);
  PutTier("c", 3);
  server_.Compact();
  ExpectTier("c", 3);
  ExpectTier("b", 5);
  ExpectNoTier("a");
}

TEST_F(EtcdSourceTest, ReadsEverythingAnewAfterAnOldBackupWasRestored) {
  PutTier("a", 1);
  PutTier("b", 1);
  StartSource();
  ExpectInSync(1);
  server_.Kill();
  server_.SaveData();
  server_.Start();
  ExpectTier("a", 1);
  PutTier("a", 7);
  server_.Delete(TierKey("b"));
  PutTier("late", 8);
  ExpectTier("late", 8);
  ExpectNoTier("b");
  server_.Kill();
  server_.RestoreData();
  server_.Start();
  ExpectNoTier("late");
  ExpectTier("a", 1);
  ExpectTier("b", 1);
}

TEST_F(EtcdSourceTest, KnowsThatRevisionsOfAnotherHistoryMeanOtherValues) {
  PutTier("a", 1);
  StartSource();
  ExpectInSync(1);
  server_.Kill();
  server_.SaveData();
  server_.Start();
  PutTier("a", 7);
  PutTier("late", 1);
  PutTier("late", 2);
  ExpectTier("late", 2);
  ExpectTier("a", 7);
  server_.Kill();
  server_.RestoreData();
  // The first value of the new history has the revision of the one that was just told.
  server_.Start(true);
  PutTier("a", 9);
  server_.Kill();
  server_.Start();
  ExpectNoTier("late");
  ExpectTier("a", 9);
}

// The restored history grows past what is known while the source is away.
TEST_F(EtcdSourceTest, KnowsThatARestoredHistoryHasGrownPastItsOwn) {
  PutTier("a", 1);
  StartSource();
  ExpectInSync(1);
  server_.Kill();
  server_.SaveData();
  server_.Start();
  ExpectTier("a", 1);
  PutTier("a", 7);
  PutTier("late", 1);
  ExpectTier("late", 1);
  server_.Kill();
  server_.RestoreData();
  server_.Start(true);
  for (int i = 0; i < 10; ++i) server_.Put("/calico/ipam/v2/config", "{}");
  server_.Kill();
  server_.Start();
  ExpectNoTier("late");
  ExpectTier("a", 1);
}

TEST_F(EtcdSourceTest, NoticesAServerThatNoLongerAnswersAndGoesOnWhenItDoes) {
  StartSource();
  ExpectInSync(1);
  server_.Suspend();
  EXPECT_TRUE(WaitLong([](const State& s) { return !s.losses.empty(); }));
  server_.Resume();
  PutTier("a", 1);
  ExpectTier("a", 1);
}

TEST_F(EtcdSourceTest, EachHostileValueFailsAlone) {
  StartSource();
  ExpectInSync(1);
  const std::string deep(2000, '[');
  server_.Put(TierKey("nonsense"), "{");
  server_.Put(TierKey("empty"), "");
  server_.Put(TierKey("deep"), deep);
  server_.Put(TierKey("utf8"), "{\"kind\":\"\xff\"}");
  server_.Put(TierKey("another"), TierValue("other", 1));
  server_.Put(TierKey("type"), R"({"apiVersion":"projectcalico.org/v3","kind":"Tier",)"
                               R"("metadata":{"name":"type"},"spec":{"order":"x"}})");
  server_.Put(TierKey("a/b"), TierValue("b", 1));
  PutTier("good", 1);
  ExpectTier("good", 1);
  EXPECT_TRUE(WaitLong([](const State& s) { return s.refusals.size() == 6; }));
  const State state = sink_.Now();
  EXPECT_EQ(state.store.tiers().size(), 3U + 1U);
  for (const auto& [id, refusal] : state.refusals) {
    EXPECT_THAT(refusal.origin, HasSubstr(kPrefix)) << id;
    EXPECT_FALSE(refusal.reason.empty()) << id;
  }
  PutTier("nonsense", 4);
  ExpectTier("nonsense", 4);
  EXPECT_TRUE(WaitLong([](const State& s) { return s.refusals.size() == 5; }));
}

TEST_F(EtcdSourceTest, ReadsTheOlderStoreToo) {
  server_.Put("/calico/v1/policy/tier/old/metadata", R"({"order": 5})");
  server_.Put("/calico/ipam/v2/config", "{}");
  StartSource();
  ExpectInSync(1);
  ExpectTier("old", 5);
}

TEST_F(EtcdSourceTest, FillsInNothingThatAClientOfTheStoreDidNotWrite) {
  server_.Put(TierKey("t"), R"({"apiVersion":"projectcalico.org/v3","kind":"Tier",)"
                            R"("metadata":{"name":"t"},"spec":{}})");
  server_.Put(fmt::format("{}globalnetworkpolicies/p", kPrefix),
              R"({"apiVersion":"projectcalico.org/v3","kind":"GlobalNetworkPolicy",)"
              R"("metadata":{"name":"p"},"spec":{"ingress":[{"action":"Allow"}]}})");
  StartSource();
  ExpectInSync(1);
  const State state = sink_.Now();
  ASSERT_NE(state.Tier("t"), nullptr);
  EXPECT_FALSE(state.Tier("t")->order.has_value());
  ASSERT_EQ(state.store.policies().size(), 1U);
  const model::Policy& policy = state.store.policies().begin()->second;
  EXPECT_TRUE(policy.ingress_applies);
  EXPECT_TRUE(policy.egress_applies);
}

TEST_F(EtcdSourceTest, IsNotLostWhileOneOfItsEndpointsAnswers) {
  PutTier("a", 1);
  const EtcdEndpoint closed{.tls = false, .host = "127.0.0.1", .port = 9};
  StartSource({closed, server_.endpoint()});
  ExpectInSync(1);
  ExpectTier("a", 1);
  EXPECT_THAT(sink_.Now().losses, IsEmpty());
}

TEST_F(EtcdSourceTest, StopsWhileTheServerIsAway) {
  StartSource();
  ExpectInSync(1);
  server_.Kill();
  EXPECT_TRUE(WaitLong([](const State& s) { return !s.losses.empty(); }));
  source_->Stop();
}

TEST_F(EtcdSourceTest, ResyncTellsNothingOfAStoreThatDidNotChange) {
  PutTier("a", 1);
  StartSource();
  ExpectInSync(1);
  source_->Resync();
  ExpectInSync(2);
  EXPECT_THAT(sink_.Now().batches, SizeIs(1));
  EXPECT_THAT(sink_.Now().losses, IsEmpty());
}

}  // namespace
}  // namespace felix::datastore
