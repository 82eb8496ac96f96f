// SPDX-License-Identifier: Apache-2.0
#include "felix/apply_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "tests/unit/felix/manual_clock.h"

namespace felix {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

ApplyReport Failed(bool progress) {
  ApplyReport report;
  report.failures.push_back({"writing a table", absl::UnavailableError("no")});
  report.hard_failures = 1;
  report.tables_applied = progress ? 1 : 0;
  return report;
}

class FakeApplier final : public Applier {
 public:
  ApplyReport Apply() override {
    ++applies;
    return next;
  }
  void ResyncTables() override { ++table_resyncs; }
  void ResyncTable(const TableId& table) override { compared.push_back(table); }
  void ResyncSets() override { ++set_resyncs; }

  ApplyReport next;
  std::vector<TableId> compared;
  int applies = 0;
  int table_resyncs = 0;
  int set_resyncs = 0;
};

class ApplyLoopTest : public ::testing::Test {
 protected:
  // Runs whatever becomes due in `span`, millisecond by millisecond; the offsets of the runs.
  std::vector<int> RunsWithin(std::chrono::milliseconds span) {
    std::vector<int> runs;
    for (int ms = 0; ms <= span.count(); ++ms) {
      if (loop.IsDue()) {
        static_cast<void>(loop.Run());  // the fake's report is known
        runs.push_back(ms);
      }
      if (ms < span.count()) clock.Advance(1ms);
    }
    return runs;
  }

  testing::ManualClock clock;
  FakeApplier applier;
  ApplyLoop loop{clock, applier, {.tables = 180s, .sets = 90s}};
};

using ApplyLoopDeathTest = ApplyLoopTest;

TEST_F(ApplyLoopDeathTest, RefusesToRunBeforeTheDatastoreIsComplete) {
  loop.MarkChanged();
  EXPECT_FALSE(loop.IsDue());
  EXPECT_EQ(loop.NextDue(), std::nullopt);
  EXPECT_DEATH(static_cast<void>(loop.Run()), "before the datastore is complete");
}

TEST_F(ApplyLoopTest, AppliesOnceWhenTheDatastoreIsCompleteEvenIfItIsEmpty) {
  loop.MarkInSync();
  EXPECT_THAT(RunsWithin(10s), ElementsAre(0));
}

TEST_F(ApplyLoopTest, AppliesAFirstChangeAtOnceAndTheNextRightBehind) {
  loop.MarkInSync();
  RunsWithin(1s);
  loop.MarkChanged();
  EXPECT_TRUE(loop.IsDue());
  loop.Run();
  EXPECT_FALSE(loop.IsDue());
  loop.MarkChanged();
  loop.MarkChanged();
  EXPECT_TRUE(loop.IsDue());
  loop.Run();
  EXPECT_FALSE(loop.IsDue());
}

TEST_F(ApplyLoopTest, TriesAgainAfterFailureWithDoublingDelays) {
  applier.next = Failed(false);
  loop.MarkInSync();
  EXPECT_THAT(RunsWithin(35s),
              ElementsAre(0, 100, 300, 700, 1500, 3100, 6300, 12700, 22700, 32700));
}

TEST_F(ApplyLoopTest, BeginsWithShortDelaysAgainAfterSuccess) {
  applier.next = Failed(false);
  loop.MarkInSync();
  RunsWithin(2s);
  applier.next = {};
  RunsWithin(2s);
  applier.next = Failed(false);
  loop.MarkChanged();
  EXPECT_THAT(RunsWithin(500ms), ElementsAre(0, 100, 300));
}

TEST_F(ApplyLoopTest, LetsNewChangesThroughDuringAFailureButNotInARush) {
  applier.next = Failed(false);
  loop.MarkInSync();
  RunsWithin(7s);  // the next retry is more than five seconds away
  const int before = applier.applies;
  for (int i = 0; i < 1000; ++i) {
    loop.MarkChanged();
    if (loop.IsDue()) loop.Run();
    clock.Advance(1ms);
  }
  EXPECT_GE(applier.applies - before, 9);
  EXPECT_LE(applier.applies - before, 11);
}

TEST_F(ApplyLoopTest, GoesOnAtOnceWithWhatOneApplyLeftOver) {
  applier.next.unfinished = true;
  loop.MarkInSync();
  loop.Run();
  EXPECT_TRUE(loop.IsDue());
  applier.next.unfinished = false;
  loop.Run();
  EXPECT_FALSE(loop.IsDue());
}

TEST_F(ApplyLoopTest, ReadsTheKernelAnewAtItsIntervals) {
  loop.MarkInSync();
  EXPECT_THAT(RunsWithin(181s), ElementsAre(0, 90000, 180000));
  EXPECT_EQ(applier.set_resyncs, 2);
  EXPECT_EQ(applier.table_resyncs, 1);
}

TEST_F(ApplyLoopTest, NeverReadsAnewIfTheIntervalIsZero) {
  loop.SetIntervals({});
  loop.MarkInSync();
  RunsWithin(1s);
  EXPECT_EQ(loop.NextDue(), std::nullopt);
}

TEST_F(ApplyLoopTest, ResyncsAtOnceOnDemand) {
  loop.MarkInSync();
  RunsWithin(1s);
  loop.MarkResync();
  EXPECT_TRUE(loop.IsDue());
  EXPECT_EQ(applier.set_resyncs, 1);
  EXPECT_EQ(applier.table_resyncs, 1);
}

TEST_F(ApplyLoopTest, GivesUpAfterNinetySecondsWithoutOneSuccess) {
  applier.next = Failed(false);
  loop.MarkInSync();
  RunsWithin(89s);
  EXPECT_FALSE(loop.IsHopeless());
  EXPECT_GE(loop.FailingFor(), 88s);
  RunsWithin(2s);
  EXPECT_TRUE(loop.IsHopeless());
}

TEST_F(ApplyLoopTest, EndsNoTwoProcessesWithinAMinuteForOneReason) {
  EXPECT_GT(ApplyLoop::kHopelessAfter, 60s) << "a new process counts from its start";
  applier.next = Failed(false);
  loop.MarkInSync();
  RunsWithin(60s);
  EXPECT_FALSE(loop.IsHopeless());
}

TEST_F(ApplyLoopTest, IsReadyFromTheFirstSuccessOn) {
  EXPECT_EQ(loop.readiness(), Readiness::kStarting);
  loop.MarkInSync();
  EXPECT_EQ(loop.readiness(), Readiness::kStarting);
  loop.Run();
  EXPECT_EQ(loop.readiness(), Readiness::kReady);
}

TEST_F(ApplyLoopTest, IsNotReadyAfterThirtySecondsWithoutSuccessAndReadyAtTheNextOne) {
  loop.MarkInSync();
  loop.Run();
  applier.next = Failed(false);
  loop.MarkChanged();
  RunsWithin(29s);
  EXPECT_EQ(loop.readiness(), Readiness::kReady);
  RunsWithin(2s);
  EXPECT_EQ(loop.readiness(), Readiness::kNotReady);
  applier.next = {};
  RunsWithin(10s);
  EXPECT_EQ(loop.readiness(), Readiness::kReady);
}

TEST_F(ApplyLoopTest, IsNotReadyWhenTheFirstSuccessDoesNotCome) {
  applier.next = Failed(true);  // one table of several
  loop.MarkInSync();
  RunsWithin(31s);
  EXPECT_EQ(loop.readiness(), Readiness::kNotReady);
  EXPECT_FALSE(loop.IsHopeless());
}

TEST_F(ApplyLoopTest, StaysReadyForAllWhenOneObjectFails) {
  applier.next.failures.push_back({"write a set", absl::ResourceExhaustedError("full")});
  loop.MarkInSync();
  RunsWithin(60s);
  EXPECT_EQ(loop.readiness(), Readiness::kReady);
}

TEST_F(ApplyLoopTest, KeepsGoingWhileOtherThingsSucceed) {
  applier.next = Failed(true);
  loop.MarkInSync();
  RunsWithin(200s);
  EXPECT_FALSE(loop.IsHopeless());
}

TEST_F(ApplyLoopTest, ASuccessEndsTheCountdown) {
  applier.next = Failed(false);
  loop.MarkInSync();
  RunsWithin(80s);
  applier.next = {};
  RunsWithin(11s);
  applier.next = Failed(false);
  loop.MarkChanged();
  RunsWithin(80s);
  EXPECT_FALSE(loop.IsHopeless());
}

TEST_F(ApplyLoopTest, ProbesALockThatSomebodyHoldsForAsLongAsItTakes) {
  applier.next = Failed(false);
  applier.next.hard_failures = 0;
  applier.next.locked_out = 1;
  loop.MarkInSync();
  EXPECT_THAT(RunsWithin(200ms), ElementsAre(0, 50, 100, 150, 200));
  RunsWithin(200s);
  EXPECT_FALSE(loop.IsHopeless());
  applier.next = {};
  loop.MarkChanged();
  RunsWithin(50ms);
  loop.MarkChanged();
  EXPECT_TRUE(loop.IsDue());
}

TEST_F(ApplyLoopTest, TriesAtOnceWhenTheLockThatItWaitsForIsLetGo) {
  applier.next = Failed(false);
  applier.next.hard_failures = 0;
  applier.next.locked_out = 1;
  loop.MarkInSync();
  loop.Run();
  clock.Advance(1ms);
  EXPECT_FALSE(loop.IsDue());
  loop.MarkOthersTurn();
  EXPECT_TRUE(loop.IsDue());
  loop.Run();
  clock.Advance(1ms);
  EXPECT_FALSE(loop.IsDue()) << "somebody else was faster";
}

TEST_F(ApplyLoopTest, DoesNotHastenARetryAfterAnotherFailureWhenALockIsLetGo) {
  applier.next = Failed(false);
  loop.MarkInSync();
  loop.Run();
  loop.MarkOthersTurn();
  clock.Advance(1ms);
  EXPECT_FALSE(loop.IsDue());
}

}  // namespace
}  // namespace felix
