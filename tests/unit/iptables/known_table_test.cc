// SPDX-License-Identifier: Apache-2.0
// What a Table makes of knowing that the kernel's table is as it left it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>

#include "iptables/table.h"
#include "tests/support/fake_kernel_table.h"
#include "tests/support/random.h"
#include "tests/support/seeds.h"
#include "tests/unit/iptables/encoded_rules.h"
#include "tests/unit/iptables/table_fixture.h"

namespace felix::iptables {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::JumpRule;
using testing::MarkRule;
using testing::Random;

ir::ChainKey Filter(const std::string& name) {
  return {.family = model::IpFamily::kV4, .table = ir::Table::kFilter, .name = name};
}
ir::HookKey Forward(ir::HookPosition position = ir::HookPosition::kFirst) {
  return {.family = model::IpFamily::kV4,
          .table = ir::Table::kFilter,
          .base = ir::BaseChain::kForward,
          .position = position};
}

class KnownTableTest : public TableFixture {
 protected:
  KnownTableTest() {
    state_.chains[Filter("cali-FORWARD")] = {{JumpRule("cali-pi-a"), JumpRule("cali-pi-b")}};
    state_.chains[Filter("cali-pi-a")] = {{MarkRule(1)}};
    state_.chains[Filter("cali-pi-b")] = {{MarkRule(2)}};
    state_.hooks[Forward()] = {JumpRule("cali-FORWARD")};
    Apply();
  }
  ApplyStats Apply() {
    table_.Stage(ir::Diff(staged_, state_));
    staged_ = state_;
    const auto stats = table_.Apply();
    EXPECT_TRUE(stats.ok()) << stats.status();
    return stats.ok() ? *stats : ApplyStats{};
  }
  std::vector<ir::Rule>& Rules(const std::string& name) {
    return state_.chains[Filter(name)].rules;
  }

  ir::DesiredState state_;
  ir::DesiredState staged_;
};

TEST_F(KnownTableTest, LooksOnlyAtWhatWasStaged) {
  EXPECT_EQ(kernel_.excerpts(), 0);
  Rules("cali-pi-a") = {MarkRule(3)};
  EXPECT_EQ(Apply().rules_written, 1U);
  EXPECT_EQ(kernel_.excerpts(), 1);
  EXPECT_THAT(kernel_.shown(), ElementsAre("cali-pi-a"));
  EXPECT_FALSE(kernel_.was_told_to_read());
  state_.hooks[Forward(ir::HookPosition::kLast)] = {MarkRule(4)};
  Rules("cali-new") = {MarkRule(5)};
  Rules("cali-FORWARD") = {JumpRule("cali-new"), JumpRule("cali-pi-b")};
  state_.chains.erase(Filter("cali-pi-a"));
  const ApplyStats stats = Apply();
  EXPECT_EQ(stats.chains_created, 1U);
  EXPECT_EQ(stats.chains_deleted, 1U);
  EXPECT_EQ(kernel_.excerpts(), 2);
  EXPECT_THAT(kernel_.shown(), ElementsAre("FORWARD", "cali-FORWARD", "cali-new", "cali-pi-a"));
  EXPECT_EQ(testing::Dump(kernel_.content()),
            ":INPUT ACCEPT\n:FORWARD ACCEPT\n0 cali-FORWARD\ntagged 4 ACCEPT\n:OUTPUT ACCEPT\n"
            ":cali-FORWARD \n0 cali-new\n0 cali-pi-b\n:cali-new \n5 ACCEPT\n:cali-pi-b \n"
            "2 ACCEPT\n");
}

TEST_F(KnownTableTest, WantsAReadingWhenSomethingMayHaveChanged) {
  table_.Resync();
  EXPECT_EQ(Apply().commits, 0);
  EXPECT_EQ(kernel_.excerpts(), 1);
  EXPECT_THAT(kernel_.shown(), IsEmpty());
  EXPECT_TRUE(kernel_.was_told_to_read());
  table_.Recheck();
  EXPECT_EQ(Apply().commits, 0);
  EXPECT_FALSE(kernel_.was_told_to_read());
}

TEST_F(KnownTableTest, KeepsWantingAReadingUntilItHadOne) {
  table_.Resync();
  kernel_.FailOpens(1, absl::UnavailableError("held"));
  EXPECT_FALSE(table_.Apply().ok());
  EXPECT_EQ(Apply().commits, 0);
  EXPECT_TRUE(kernel_.was_told_to_read());
}

TEST_F(KnownTableTest, LooksAtEverythingAfterOthersChangedSomething) {
  kernel_.ChangeUnlocked(
      [](TableContent& table) { testing::ChainOf(table, "cali-pi-b").rules.clear(); });
  Rules("cali-pi-a") = {MarkRule(3)};
  EXPECT_EQ(Apply().rules_written, 2U);
  EXPECT_EQ(kernel_.excerpts(), 0);
}

TEST_F(KnownTableTest, LooksAtEverythingWhenACommitWentWrong) {
  kernel_.AbortCommits(1);
  Rules("cali-pi-a") = {MarkRule(3)};
  EXPECT_EQ(Apply().commits, 1);
  EXPECT_EQ(kernel_.excerpts(), 1);
  EXPECT_EQ(kernel_.opens(), 3) << "the first apply, the excerpt, and everything";
  Rules("cali-pi-a") = {MarkRule(4)};
  Apply();
  EXPECT_EQ(kernel_.excerpts(), 2) << "and goes on as before";
}

TEST_F(KnownTableTest, FindsTheCulpritOfARefusal) {
  kernel_.RefuseWith([](const TableContent& table) {
    for (const KernelChain& chain : table.chains) {
      for (const KernelRule& rule : chain.rules) {
        if (rule.rule == testing::Numbered(66)) return EINVAL;
      }
    }
    return 0;
  });
  Rules("cali-pi-a") = {MarkRule(66)};
  Rules("cali-pi-b") = {MarkRule(7)};
  Apply();
  EXPECT_THAT(table_.closed(), ElementsAre(::testing::Key("cali-pi-a")));
  EXPECT_EQ(
      testing::ChainOf(const_cast<TableContent&>(kernel_.content()), "cali-pi-b").rules.at(0).rule,
      testing::Numbered(7));
  Rules("cali-pi-b") = {MarkRule(8)};
  Apply();
  Rules("cali-pi-a") = {MarkRule(9)};
  Apply();
  EXPECT_THAT(table_.closed(), IsEmpty());
}

TEST_F(KnownTableTest, TakesARuleToAChainThatGoesForAnError) {
  state_.chains.erase(Filter("cali-pi-b"));
  table_.Stage(ir::Diff(staged_, state_));
  const auto stats = table_.Apply();
  EXPECT_TRUE(absl::IsInvalidArgument(stats.status())) << stats.status();
  EXPECT_EQ(
      testing::ChainOf(const_cast<TableContent&>(kernel_.content()), "cali-pi-b").rules.size(), 1U);
}

// Passes sessions on that show everything.
class Complete final : public KernelTable {
 public:
  explicit Complete(KernelTable& kernel) : kernel_(kernel) {}
  absl::StatusOr<std::unique_ptr<TableSession>> Open() override { return kernel_.Open(); }

 private:
  KernelTable& kernel_;
};

ir::DesiredState RandomChange(Random& random, ir::DesiredState state) {
  const std::vector<std::string> names = {"cali-a", "cali-pi-b", "cali-pi-c", "cali-pi-d"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (random.Chance(60)) continue;
    std::vector<ir::Rule> rules;
    for (std::size_t n = random.Below(5); n > 0; --n) {
      const std::size_t to = random.Below(names.size());
      const bool jump = to > i && state.chains.contains(Filter(names[to]));
      rules.push_back(jump ? JumpRule(names[to])
                           : MarkRule(static_cast<std::uint32_t>(random.Below(5))));
    }
    state.chains[Filter(names[i])].rules = std::move(rules);
  }
  for (const auto position : {ir::HookPosition::kFirst, ir::HookPosition::kLast}) {
    if (random.Chance(70)) continue;
    state.hooks.erase(Forward(position));
    if (random.Chance(30) || !state.chains.contains(Filter("cali-a"))) continue;
    state.hooks[Forward(position)] = {JumpRule("cali-a"), MarkRule(6)};
  }
  // A chain goes when nothing jumps to it; the others say so first.
  if (random.Chance(20)) state = {};
  return state;
}

TEST(KnownTableProperty, TheTableIsWhatACompleteLookWouldMakeIt) {
  int excerpts = 0;
  for (std::uint64_t seed = testing::FirstSeed();
       seed < testing::FirstSeed() + testing::SeedCount(100); ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    testing::FakeKernelTable known(ir::Table::kFilter);
    testing::FakeKernelTable looked_at(ir::Table::kFilter);
    Complete complete(looked_at);
    const Table::Retry retry{.attempts = 3, .first_pause = std::chrono::milliseconds(0)};
    Table fast(model::IpFamily::kV4, ir::Table::kFilter, known, testing::NoSets,
               HookPlacement::kInsert, retry);
    Table slow(model::IpFamily::kV4, ir::Table::kFilter, complete, testing::NoSets,
               HookPlacement::kInsert, retry);
    ir::DesiredState state;
    for (int step = 0; step < 20; ++step) {
      const ir::DesiredState next = RandomChange(random, state);
      const bool disturb = random.Chance(15);
      const bool abort = random.Chance(15);
      const bool refuse = random.Chance(10);
      const bool hold = random.Chance(10);
      for (const bool is_fast : {true, false}) {
        testing::FakeKernelTable& kernel = is_fast ? known : looked_at;
        Table& table = is_fast ? fast : slow;
        if (disturb) {
          kernel.ChangeUnlocked([&](TableContent& content) {
            content.chains[1].rules.push_back(testing::InKernel(testing::Numbered(99)));
            for (KernelChain& chain : content.chains) {
              if (!chain.is_builtin && !chain.rules.empty()) chain.rules.pop_back();
            }
          });
        }
        if (abort) kernel.AbortCommits(1);
        if (refuse) kernel.FailCommit(absl::ResourceExhaustedError("no memory"));
        if (hold) kernel.FailOpens(1, absl::UnavailableError("held"));
        table.Stage(ir::Diff(state, next));
        static_cast<void>(table.Apply());
        // Faults are over, and what failed is made good.
        kernel.AbortCommits(0);
        kernel.FailCommit(absl::OkStatus());
        kernel.FailOpens(0, absl::OkStatus());
        table.Recheck();
        const auto stats = table.Apply();
        ASSERT_TRUE(stats.ok()) << stats.status();
      }
      ASSERT_EQ(testing::Dump(known.content()), testing::Dump(looked_at.content())) << step;
      state = next;
    }
    excerpts += known.excerpts();
  }
  EXPECT_GT(excerpts, 500);
}

}  // namespace
}  // namespace felix::iptables
