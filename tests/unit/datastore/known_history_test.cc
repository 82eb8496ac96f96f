// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/known_history.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace felix::datastore {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

WatchEvent Put(const std::string& key, std::int64_t revision, const std::string& value = "v") {
  return {false, {key, value, revision}};
}

WatchEvent Delete(const std::string& key, std::int64_t revision) {
  return {true, {key, "", revision}};
}

WatchMessage Message(std::vector<WatchEvent> events) {
  WatchMessage message;
  message.events = std::move(events);
  return message;
}

RangeResponse At(std::int64_t revision) {
  RangeResponse response;
  response.revision = revision;
  response.cluster_id = 1;
  return response;
}

// Keys a, c and e, of which e was changed last, at revision 20 of the store.
class KnownHistoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    history_.BeginListing();
    EXPECT_THAT(history_.TakePage({{"a", "1", 5}, {"c", "2", 7}}), ElementsAre(0, 1));
    EXPECT_THAT(history_.TakePage({{"e", "3", 9}}), ElementsAre(0));
    EXPECT_THAT(history_.EndListing(At(20)), IsEmpty());
    EXPECT_EQ(history_.BeginWatch(), 21);
  }
  KnownHistory history_;
};

TEST_F(KnownHistoryTest, ASecondListingTellsOnlyWhatChangedAndWhatIsGone) {
  history_.BeginListing();
  EXPECT_THAT(history_.TakePage({{"b", "1", 22}, {"c", "2", 7}}), ElementsAre(0));
  EXPECT_THAT(history_.TakePage({}), IsEmpty());
  EXPECT_THAT(history_.EndListing(At(23)), ElementsAre("a", "e"));
  EXPECT_TRUE(history_.Contains("b"));
  EXPECT_FALSE(history_.Contains("e"));
}

TEST_F(KnownHistoryTest, AListingThatBrokeOffTakesNothingForGone) {
  history_.BeginListing();
  history_.TakePage({{"c", "2", 7}});
  history_.BeginListing();
  EXPECT_THAT(history_.TakePage({{"a", "1", 5}, {"c", "2", 7}, {"e", "3", 9}}), IsEmpty());
  EXPECT_THAT(history_.EndListing(At(23)), IsEmpty());
}

TEST_F(KnownHistoryTest, AWatchThatIsTakenUpBeginsWithTheLastChange) {
  EXPECT_THAT(history_.TakeMessage(Message({Put("a", 25)})), ElementsAre(0));
  EXPECT_EQ(history_.BeginWatch(), 25);
  EXPECT_THAT(history_.TakeMessage(Message({Put("a", 25), Put("a", 26), Delete("c", 27)})),
              ElementsAre(1, 2));
  EXPECT_EQ(history_.revision(), 27);
  EXPECT_EQ(history_.BeginWatch(), 27);
  EXPECT_THAT(history_.TakeMessage(Message({Delete("c", 27)})), IsEmpty());
  EXPECT_EQ(history_.revision(), 27);
}

TEST_F(KnownHistoryTest, AnotherValueOfTheLastChangeIsAnotherHistory) {
  EXPECT_EQ(history_.BeginWatch(), 9);
  EXPECT_THAT(history_.TakeMessage(Message({Put("e", 9, "other")})), IsEmpty());
  EXPECT_EQ(history_.revision(), 0);
  // All values are news, the same revisions notwithstanding.
  history_.BeginListing();
  EXPECT_THAT(history_.TakePage({{"a", "1", 5}, {"e", "x", 9}}), ElementsAre(0, 1));
  EXPECT_THAT(history_.EndListing(At(30)), ElementsAre("c"));
}

TEST_F(KnownHistoryTest, AHistoryWithoutTheLastChangeIsAnother) {
  EXPECT_EQ(history_.BeginWatch(), 9);
  history_.TakeMessage(Message({Put("a", 30)}));
  EXPECT_EQ(history_.revision(), 0);
}

TEST_F(KnownHistoryTest, AHistoryThatNeverTellsTheLastChangeIsAnother) {
  EXPECT_EQ(history_.BeginWatch(), 9);
  history_.NoteSilence();
  EXPECT_EQ(history_.revision(), 0);
}

TEST_F(KnownHistoryTest, AChangeThatShouldBeKnownIsOfAnotherHistory) {
  for (const WatchEvent& event : {Put("z", 15), Put("a", 15), Delete("a", 15)}) {
    history_ = KnownHistory();
    SetUp();
    EXPECT_EQ(history_.BeginWatch(), 9);
    history_.TakeMessage(Message({Put("e", 9, "3"), event}));
    EXPECT_EQ(history_.revision(), 0);
  }
}

TEST_F(KnownHistoryTest, WhatCameAndWentBeforeTheListingMayBeTold) {
  EXPECT_EQ(history_.BeginWatch(), 9);
  EXPECT_THAT(history_.TakeMessage(Message({Put("e", 9, "3"), Put("z", 12), Delete("y", 13),
                                            Delete("z", 14), Put("a", 30)})),
              ElementsAre(4));
  EXPECT_EQ(history_.revision(), 30);
}

TEST_F(KnownHistoryTest, SilenceAfterTheLastChangeCameMeansNothing) {
  history_.BeginWatch();
  history_.TakeMessage(Message({Put("e", 9, "3")}));
  history_.NoteSilence();
  EXPECT_EQ(history_.revision(), 20);
}

TEST_F(KnownHistoryTest, DoesWithoutTheLastChangeWhereItIsNoLongerKept) {
  EXPECT_EQ(history_.BeginWatch(), 9);
  history_.NoteCompaction();
  EXPECT_EQ(history_.BeginWatch(), 21);
  history_.NoteCompaction();
  EXPECT_EQ(history_.revision(), 0);
}

TEST_F(KnownHistoryTest, DoesWithoutTheLastChangeWhereItIsLongPast) {
  WatchMessage progress;
  progress.revision = 50'000;
  history_.TakeMessage(progress);
  EXPECT_EQ(history_.BeginWatch(), 50'001);
}

TEST_F(KnownHistoryTest, ALowerRevisionOrAnotherClusterIsAnotherHistory) {
  history_.Meet(At(20));
  EXPECT_EQ(history_.revision(), 20);
  RangeResponse other = At(30);
  other.cluster_id = 2;
  history_.Meet(other);
  EXPECT_EQ(history_.revision(), 0);
  history_ = KnownHistory();
  SetUp();
  history_.Meet(At(19));
  EXPECT_EQ(history_.revision(), 0);
}

}  // namespace
}  // namespace felix::datastore
