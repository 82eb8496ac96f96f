// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "felix/apply_loop.h"
#include "tests/unit/felix/manual_clock.h"

namespace felix {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TableId kFilter4{model::IpFamily::kV4, ir::Table::kFilter};

// An applier whose readings of the tables take a while, and a sensor that says what it is told.
class FakeTables final : public Applier, public DriftSensor {
 public:
  explicit FakeTables(testing::ManualClock& clock) : clock_(clock) {}

  ApplyReport Apply() override {
    ApplyReport report;
    report.tables_applied = 1;
    if (in_doubt_) {
      ++reads;
      clock_.Advance(read_time);
      if (!vandalism.empty()) report.drift = {vandalism};
    }
    in_doubt_ = false;
    return report;
  }
  void ResyncTables() override { in_doubt_ = true; }
  void ResyncTable(const TableId& table) override {
    compared.push_back(table);
    in_doubt_ = true;
  }
  void ResyncSets() override {}
  void Remember() override { changed.clear(); }
  std::vector<TableId> Changed() override {
    ++looks;
    return changed;
  }

  std::chrono::microseconds read_time{};
  std::string vandalism;
  std::vector<TableId> changed;
  std::vector<TableId> compared;
  int reads = 0;
  int looks = 0;

 private:
  testing::ManualClock& clock_;
  bool in_doubt_ = false;
};

class DriftLoopTest : public ::testing::Test {
 protected:
  DriftLoopTest() {
    loop.MarkInSync();
    loop.Run();
  }
  // Steps through `span` by milliseconds as the engine does; `each` may play the others.
  template <typename Each>
  void Pass(std::chrono::milliseconds span, Each each) {
    for (const auto end = clock.Now() + span; clock.Now() < end; clock.Advance(1ms)) {
      each();
      loop.Look();
      if (loop.IsDue()) loop.Run();
    }
  }
  void Pass(std::chrono::milliseconds span) {
    Pass(span, [] {});
  }

  testing::ManualClock clock;
  FakeTables tables{clock};
  ApplyLoop loop{clock, tables, {}, &tables};
};

TEST_F(DriftLoopTest, LooksTwiceASecondAndReadsNothingWhileNothingStirs) {
  Pass(10s);
  EXPECT_GE(tables.looks, 19);
  EXPECT_LE(tables.looks, 20);
  EXPECT_EQ(tables.reads, 0);
}

TEST_F(DriftLoopTest, WakesToLook) {
  ASSERT_TRUE(loop.NextDue().has_value());
  EXPECT_LE(*loop.NextDue() - clock.Now(), 1s);
  EXPECT_FALSE(loop.IsDue());
}

TEST_F(DriftLoopTest, ComparesTheTableThatHasAnotherSizeWithinASecond) {
  tables.changed = {kFilter4};
  Pass(1s);
  EXPECT_THAT(tables.compared, ElementsAre(kFilter4));
  EXPECT_EQ(tables.reads, 1);
  Pass(10s);
  EXPECT_EQ(tables.reads, 1);
}

TEST_F(DriftLoopTest, ComparesAtOnceWhenAnotherProgramLetTheLockGo) {
  loop.MarkOthersTurn();
  EXPECT_TRUE(loop.IsDue());
  loop.Run();
  EXPECT_EQ(tables.reads, 1);
  EXPECT_FALSE(loop.IsDue());
}

TEST_F(DriftLoopTest, ReadsForASixthOfTheTimeAtMostWhenOthersComeAllTheTime) {
  tables.read_time = 100ms;
  Pass(60s, [&] { loop.MarkOthersTurn(); });
  EXPECT_LE(tables.reads, 101);
  EXPECT_GE(tables.reads, 95);
}

TEST_F(DriftLoopTest, AppliesAChangeOfOursWithoutWaitingForTheNextComparison) {
  loop.MarkOthersTurn();
  loop.Run();
  loop.MarkOthersTurn();
  EXPECT_FALSE(loop.IsDue());
  loop.MarkChanged();
  EXPECT_TRUE(loop.IsDue());
  loop.Run();
  EXPECT_EQ(tables.reads, 1);
  Pass(300ms);
  EXPECT_EQ(tables.reads, 2) << "the turn of the other is not forgotten";
}

TEST_F(DriftLoopTest, YieldsToAProgramThatUndoesEveryRepair) {
  tables.vandalism = "ipv4 filter: chain cali-x was deleted";
  Pass(30s, [&] { loop.MarkOthersTurn(); });
  EXPECT_TRUE(loop.is_contended());
  EXPECT_LE(tables.reads, 6);
  tables.vandalism.clear();
  Pass(61s);
  EXPECT_FALSE(loop.is_contended());
}

TEST_F(DriftLoopTest, GoesOnRepairingAtOnceWhatDiffersEachTime) {
  for (int act = 0; act < 20; ++act) {
    tables.vandalism = "ipv4 filter: act " + std::to_string(act);
    loop.MarkOthersTurn();
    Pass(300ms);
    EXPECT_EQ(tables.reads, act + 1);
  }
  EXPECT_FALSE(loop.is_contended());
}

TEST_F(DriftLoopTest, HasNothingToLookAtBeforeTheFirstApply) {
  ApplyLoop fresh(clock, tables, {}, &tables);
  fresh.MarkOthersTurn();
  EXPECT_EQ(fresh.NextDue(), std::nullopt);
  EXPECT_FALSE(fresh.IsDue());
}

}  // namespace
}  // namespace felix
