// SPDX-License-Identifier: Apache-2.0
#include "datastore/update_queue.h"

#include <poll.h>

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace felix::datastore {
namespace {

using model::Update;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Update Tier(std::string name, double order) {
  return {model::TierId{std::move(name)}, model::Tier{order, model::TierDefaultAction::kDeny}};
}

bool IsReadable(int fd) {
  pollfd descriptor{fd, POLLIN, 0};
  return poll(&descriptor, 1, 0) == 1;
}

TEST(UpdateQueue, KeepsTheLatestUpdateOfEachKey) {
  UpdateQueue queue;
  queue.OnUpdates({Tier("a", 1), Tier("b", 2)});
  queue.OnUpdates({Tier("b", 3), Tier("c", 4)});
  queue.OnUpdates({{model::TierId{"a"}, std::nullopt}});
  EXPECT_THAT(queue.Drain().updates,
              ElementsAre(Update{model::TierId{"a"}, std::nullopt}, Tier("b", 3), Tier("c", 4)));
  EXPECT_TRUE(queue.Drain().empty());
}

TEST(UpdateQueue, IsReadableWhileSomethingIsPending) {
  UpdateQueue queue;
  EXPECT_FALSE(IsReadable(queue.event_fd()));
  queue.OnUpdates({});
  EXPECT_FALSE(IsReadable(queue.event_fd()));
  queue.OnInSync();
  queue.OnUpdates({Tier("a", 1)});
  EXPECT_TRUE(IsReadable(queue.event_fd()));
  EXPECT_FALSE(queue.Drain().empty());
  EXPECT_FALSE(IsReadable(queue.event_fd()));
}

TEST(UpdateQueue, TellsWhetherTheSourceIsInSyncOrLost) {
  UpdateQueue queue;
  queue.OnLost(absl::UnavailableError("gone"));
  UpdateQueue::Pending pending = queue.Drain();
  EXPECT_EQ(pending.source_status, absl::UnavailableError("gone"));
  EXPECT_EQ(pending.in_sync_marks, 0);
  EXPECT_EQ(queue.Drain().source_status, absl::UnavailableError("gone"));
  queue.OnInSync();
  queue.OnInSync();
  pending = queue.Drain();
  EXPECT_TRUE(pending.source_status.ok());
  EXPECT_EQ(pending.in_sync_marks, 2);
  EXPECT_EQ(queue.Drain().in_sync_marks, 0);
}

TEST(UpdateQueue, KeepsTheLatestWordOnEachRefusal) {
  UpdateQueue queue;
  queue.OnRefusal("b", Refusal{"", "", "", "first"});
  queue.OnRefusal("a", Refusal{"", "", "", "only"});
  queue.OnRefusal("b", std::nullopt);
  EXPECT_THAT(queue.Drain().refusals,
              ElementsAre(Pair("a", Refusal{"", "", "", "only"}), Pair("b", std::nullopt)));
  EXPECT_THAT(queue.Drain().refusals, IsEmpty());
}

TEST(UpdateQueue, WaitsNoLongerThanItIsTold) {
  UpdateQueue queue;
  EXPECT_FALSE(queue.WaitFor(absl::Milliseconds(5)));
  queue.OnInSync();
  EXPECT_TRUE(queue.WaitFor(absl::ZeroDuration()));
}

TEST(UpdateQueue, NeverTearsABatchApart) {
  UpdateQueue queue;
  constexpr int kBatches = 2'000;
  std::thread source([&queue] {
    for (int i = 1; i <= kBatches; ++i) queue.OnUpdates({Tier("a", i), Tier("b", i)});
  });
  double a = 0;
  double b = 0;
  while (a < kBatches) {
    ASSERT_TRUE(queue.WaitFor(absl::Seconds(10)));
    for (const Update& update : queue.Drain().updates) {
      const double order = *std::get<model::Tier>(*update.value).order;
      (std::get<model::TierId>(update.key).name == "a" ? a : b) = order;
    }
    ASSERT_EQ(a, b);
  }
  source.join();
}

}  // namespace
}  // namespace felix::datastore
