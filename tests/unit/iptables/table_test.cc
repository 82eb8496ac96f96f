// SPDX-License-Identifier: Apache-2.0
#include "iptables/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/support/fake_kernel_table.h"
#include "tests/unit/iptables/encoded_rules.h"
#include "tests/unit/iptables/table_fixture.h"

namespace felix::iptables {
namespace {

using model::IpFamily;
using testing::FakeKernelTable;
using ::testing::HasSubstr;
using testing::JumpRule;
using testing::MarkRule;

ir::ChainKey Filter(const std::string& name) {
  return {.family = IpFamily::kV4, .table = ir::Table::kFilter, .name = name};
}
constexpr ir::HookKey kForward{.family = IpFamily::kV4,
                               .table = ir::Table::kFilter,
                               .base = ir::BaseChain::kForward,
                               .position = ir::HookPosition::kFirst};

ir::DesiredState TwoChains() {
  ir::DesiredState state;
  state.chains[Filter("cali-FORWARD")] = {{JumpRule("cali-a"), MarkRule(1)}};
  state.chains[Filter("cali-a")] = {{MarkRule(2), MarkRule(3, ir::Drop{})}};
  state.hooks[kForward] = {JumpRule("cali-FORWARD")};
  return state;
}

class TableTest : public TableFixture {
 protected:
  ApplyStats MustApply() {
    const auto stats = table_.Apply();
    EXPECT_TRUE(stats.ok()) << stats.status();
    return stats.ok() ? *stats : ApplyStats{};
  }
  void Stage(const ir::DesiredState& from, const ir::DesiredState& to) {
    table_.Stage(ir::Diff(from, to));
  }
};

TEST_F(TableTest, WritesEverythingInOneCommitAndThenNothing) {
  Stage({}, TwoChains());
  const ApplyStats stats = MustApply();
  EXPECT_EQ(stats.commits, 1);
  EXPECT_EQ(stats.chains_created, 2U);
  EXPECT_EQ(stats.rules_written, 5U);
  EXPECT_EQ(stats.rules_desired, 5U);
  EXPECT_FALSE(table_.dirty());
  const int opens = kernel_.opens();
  EXPECT_EQ(MustApply().commits, 0);
  EXPECT_EQ(kernel_.opens(), opens);
}

TEST_F(TableTest, ResyncReadsButWritesNothingIfAllIsWell) {
  Stage({}, TwoChains());
  MustApply();
  table_.Resync();
  EXPECT_EQ(MustApply().commits, 0);
  EXPECT_EQ(kernel_.opens(), 2);
  EXPECT_EQ(kernel_.commits(), 1);
}

TEST_F(TableTest, ResyncRepairsWhatOthersBroke) {
  Stage({}, TwoChains());
  MustApply();
  const std::string good = testing::Dump(kernel_.content());
  kernel_.ChangeUnlocked([](TableContent& table) {
    testing::ChainOf(table, "FORWARD").rules.clear();
    testing::ChainOf(table, "cali-a").rules.pop_back();
  });
  table_.Resync();
  EXPECT_EQ(MustApply().rules_written, 2U);
  EXPECT_EQ(testing::Dump(kernel_.content()), good);
}

TEST_F(TableTest, StaysCleanWhenNothingOfItChanges) {
  Stage({}, TwoChains());
  MustApply();
  ir::DesiredState other = TwoChains();
  other.chains[Filter("cali-a")].rules[0].provenance.owner = "gnp/other";
  other.chains[{.family = IpFamily::kV6, .table = ir::Table::kFilter, .name = "cali-x"}] = {};
  other.chains[{.family = IpFamily::kV4, .table = ir::Table::kRaw, .name = "cali-x"}] = {};
  ir::HookKey raw = kForward;
  raw.table = ir::Table::kRaw;
  other.hooks[raw] = {JumpRule("cali-x")};
  Stage(TwoChains(), other);
  ir::DesiredDelta same;
  same.chains = TwoChains().chains;
  same.hooks = TwoChains().hooks;
  same.removed_chains = {Filter("cali-unknown")};
  table_.Stage(same);
  EXPECT_FALSE(table_.dirty());
}

TEST_F(TableTest, AppliesOnlyTheDifference) {
  Stage({}, TwoChains());
  MustApply();
  ir::DesiredState next = TwoChains();
  auto& rules = next.chains[Filter("cali-a")].rules;
  rules.insert(rules.begin(), MarkRule(9));
  next.chains[Filter("cali-FORWARD")].rules.pop_back();
  Stage(TwoChains(), next);
  const ApplyStats stats = MustApply();
  EXPECT_EQ(stats.rules_written, 1U);
  EXPECT_EQ(stats.rules_deleted, 1U);
  EXPECT_EQ(stats.chains_created + stats.chains_deleted, 0U);
}

TEST_F(TableTest, RemovesEverythingOfOursAndNothingElse) {
  kernel_.ChangeUnlocked([](TableContent& table) {
    testing::ChainOf(table, "FORWARD").rules = {testing::InKernel(testing::Numbered(70))};
  });
  const std::string before = testing::Dump(kernel_.content());
  Stage({}, TwoChains());
  MustApply();
  table_.RemoveEverything();
  const ApplyStats stats = MustApply();
  EXPECT_EQ(stats.chains_deleted, 2U);
  EXPECT_EQ(stats.rules_deleted, 5U);
  EXPECT_EQ(testing::Dump(kernel_.content()), before);
}

TEST_F(TableTest, ReadsAgainWhenAnotherWriterInterferes) {
  Stage({}, TwoChains());
  kernel_.InterfereOnce([](TableContent& table) {
    testing::ChainOf(table, "FORWARD").rules.push_back(testing::InKernel(testing::Numbered(70)));
  });
  const ApplyStats stats = MustApply();
  EXPECT_EQ(stats.retries, 1);
  EXPECT_EQ(stats.commits, 1);
  TableContent content = kernel_.content();
  EXPECT_EQ(testing::ChainOf(content, "FORWARD").rules.size(), 2U);
}

TEST_F(TableTest, GivesUpAfterTheLastAttemptAndStaysDirty) {
  Stage({}, TwoChains());
  kernel_.AbortCommits(4);
  const auto stats = table_.Apply();
  EXPECT_TRUE(absl::IsAborted(stats.status())) << stats.status();
  EXPECT_THAT(std::string(stats.status().message()), HasSubstr("ipv4 table filter"));
  EXPECT_TRUE(table_.dirty());
  EXPECT_EQ(kernel_.opens(), 4);
  kernel_.AbortCommits(3);
  EXPECT_EQ(MustApply().retries, 3);
}

TEST_F(TableTest, ReportsALockThatIsNotToBeHadAtOnce) {
  Stage({}, TwoChains());
  kernel_.FailOpens(1, absl::UnavailableError("held"));
  EXPECT_TRUE(absl::IsUnavailable(table_.Apply().status()));
  EXPECT_EQ(kernel_.opens(), 1);
  EXPECT_TRUE(table_.dirty());
  EXPECT_EQ(MustApply().commits, 1);
}

TEST_F(TableTest, KeepsTheOldRulesWhenTheKernelRefusesTheNew) {
  Stage({}, TwoChains());
  MustApply();
  const std::string before = testing::Dump(kernel_.content());
  ir::DesiredState next = TwoChains();
  next.chains[Filter("cali-a")].rules = {MarkRule(50)};
  Stage(TwoChains(), next);
  kernel_.FailCommit(absl::FailedPreconditionError("no such match"));
  EXPECT_TRUE(absl::IsFailedPrecondition(table_.Apply().status()));
  EXPECT_EQ(testing::Dump(kernel_.content()), before);
  EXPECT_EQ(MustApply().commits, 1);
}

TEST_F(TableTest, NamesTheRuleThatCannotBeEncoded) {
  ir::DesiredState state = TwoChains();
  state.chains[Filter("cali-a")].rules[1].action = ir::Log{.prefix = "two\nlines"};
  Stage({}, state);
  const auto status = table_.Apply().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("rule 1 of chain cali-a"));
  EXPECT_EQ(kernel_.opens(), 0);
}

TEST_F(TableTest, FollowsASetThatWasMadeAgain) {
  ir::DesiredState state = TwoChains();
  ir::Rule rule = MarkRule(4);
  rule.matches.emplace_back(ir::SetMatch{.set_id = "s:a"});
  state.chains[Filter("cali-a")].rules.push_back(rule);
  sets_ = {{"s:a", 3}};
  Stage({}, state);
  MustApply();
  sets_ = {{"s:a", 4}};
  table_.Resync();
  EXPECT_EQ(MustApply().rules_written, 1U);
  table_.Resync();
  EXPECT_EQ(MustApply().rules_written, 0U);
  sets_.clear();
  table_.Resync();
  EXPECT_TRUE(absl::IsNotFound(table_.Apply().status()));
  Stage(state, TwoChains());
  EXPECT_EQ(MustApply().rules_deleted, 1U);
}

TEST_F(TableTest, DryRunPlansAndWritesNothing) {
  Stage({}, TwoChains());
  const auto plan = table_.DryRun();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->operations.size(), 7U);
  EXPECT_EQ(kernel_.commits(), 0);
  EXPECT_TRUE(table_.dirty());
  MustApply();
  EXPECT_TRUE(table_.DryRun()->empty());
}

TEST_F(TableTest, RefusesRulesThatBelongToOtherTables) {
  FakeKernelTable kernel(ir::Table::kMangle);
  ir::ChainKey key = Filter("cali-a");
  key.table = ir::Table::kMangle;
  for (const ir::Action& action :
       {ir::Action(ir::Reject{}), ir::Action(ir::NoTrack{}), ir::Action(ir::Masquerade{}),
        ir::Action(ir::SourceNat{}), ir::Action(ir::DestinationNat{})}) {
    Table mangle(IpFamily::kV4, ir::Table::kMangle, kernel, testing::NoSets);
    ir::DesiredState state;
    state.chains[key] = {{MarkRule(1, action)}};
    mangle.Stage(ir::Diff({}, state));
    EXPECT_THAT(std::string(mangle.Apply().status().message()),
                HasSubstr("has no place in table mangle"))
        << action.index();
  }
}

}  // namespace
}  // namespace felix::iptables
