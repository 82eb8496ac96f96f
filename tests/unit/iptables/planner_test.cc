// SPDX-License-Identifier: Apache-2.0
#include "iptables/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_kernel_table.h"
#include "tests/unit/iptables/encoded_rules.h"

namespace felix::iptables {
namespace {

using testing::ChainOf;
using testing::Dump;
using testing::EmptyTable;
using ::testing::HasSubstr;
using testing::InKernel;
using testing::JumpTo;
using testing::Numbered;
using testing::Tagged;

void AddChain(TableContent& table, const std::string& name, std::vector<EncodedRule> rules) {
  ASSERT_TRUE(testing::Execute(CreateChain{name}, table).ok());
  for (auto& rule : rules) ChainOf(table, name).rules.push_back(InKernel(std::move(rule)));
}

Transaction MustPlan(const TableContent& actual, const DesiredTable& desired,
                     HookPlacement placement = HookPlacement::kInsert) {
  auto plan = Plan(actual, desired, placement);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *std::move(plan) : Transaction{};
}

void Perform(const Transaction& transaction, TableContent& table) {
  for (const Operation& operation : transaction.operations) {
    const auto status = testing::Execute(operation, table);
    ASSERT_TRUE(status.ok()) << status;
  }
}

std::vector<std::uint64_t> PacketsOf(TableContent& table, const std::string& chain) {
  std::vector<std::uint64_t> packets;
  for (const auto& rule : ChainOf(table, chain).rules) packets.push_back(rule.counters.packets);
  return packets;
}

TEST(Planner, MakesChainsBeforeRulesAndRulesBeforeHooks) {
  DesiredTable desired;
  desired.chains["cali-a"] = {JumpTo("cali-b")};
  desired.chains["cali-b"] = {Numbered(1)};
  desired.hooks["FORWARD"].first = {JumpTo("cali-a")};
  const Transaction expected{
      {CreateChain{"cali-a"}, CreateChain{"cali-b"}, InsertRule{"cali-a", 0, JumpTo("cali-b")},
       InsertRule{"cali-b", 0, Numbered(1)}, InsertRule{"FORWARD", 0, JumpTo("cali-a")}}};
  EXPECT_EQ(MustPlan(EmptyTable(ir::Table::kFilter), desired), expected);
}

TEST(Planner, WantsNothingOfATableThatIsAsDesired) {
  DesiredTable desired;
  desired.chains["cali-a"] = {Numbered(1), Numbered(1), Numbered(2)};
  desired.chains["cali-b"] = {};
  desired.hooks["FORWARD"] = {.first = {JumpTo("cali-a")}, .last = {Tagged(3)}};
  for (const auto placement : {HookPlacement::kInsert, HookPlacement::kAppend}) {
    TableContent table = EmptyTable(ir::Table::kFilter);
    ChainOf(table, "FORWARD").rules = {InKernel(Numbered(8)), InKernel(Numbered(9))};
    Perform(MustPlan(table, desired, placement), table);
    EXPECT_TRUE(MustPlan(table, desired, placement).empty());
  }
}

TEST(Planner, InsertionLeavesTheCountersOfOtherRulesAlone) {
  TableContent table = EmptyTable(ir::Table::kFilter);
  AddChain(table, "cali-a", {Numbered(1), Numbered(2), Numbered(3), Numbered(4)});
  std::uint64_t packets = 10;
  for (auto& rule : ChainOf(table, "cali-a").rules) rule.counters.packets = packets++;
  DesiredTable desired;
  desired.chains["cali-a"] = {Numbered(1), Numbered(5), Numbered(2), Numbered(6), Numbered(4)};
  const Transaction plan = MustPlan(table, desired);
  EXPECT_EQ(
      plan,
      (Transaction{{InsertRule{"cali-a", 1, Numbered(5)}, ReplaceRule{"cali-a", 3, Numbered(6)}}}));
  Perform(plan, table);
  EXPECT_EQ(PacketsOf(table, "cali-a"), (std::vector<std::uint64_t>{10, 0, 11, 0, 13}));
}

TEST(Planner, PutsHooksWhereThePlacementSays) {
  struct Case {
    HookPlacement placement;
    std::vector<EncodedRule> expected;
  };
  const EncodedRule jump = JumpTo("cali-a");
  DesiredTable desired;
  desired.chains["cali-a"] = {};
  desired.hooks["FORWARD"] = {.first = {jump, Tagged(1)}, .last = {Tagged(2)}};
  for (const Case& c :
       {Case{HookPlacement::kInsert, {jump, Tagged(1), Numbered(8), Numbered(9), Tagged(2)}},
        Case{HookPlacement::kAppend, {Numbered(8), Numbered(9), jump, Tagged(1), Tagged(2)}}}) {
    TableContent table = EmptyTable(ir::Table::kFilter);
    ChainOf(table, "FORWARD").rules = {InKernel(Numbered(8)), InKernel(Numbered(9))};
    Perform(MustPlan(table, desired, c.placement), table);
    std::vector<EncodedRule> rules;
    for (const auto& rule : ChainOf(table, "FORWARD").rules) rules.push_back(rule.rule);
    EXPECT_EQ(rules, c.expected);
  }
}

TEST(Planner, LeavesForeignRulesInPlaceWhileItMovesOurs) {
  TableContent table = EmptyTable(ir::Table::kFilter);
  AddChain(table, "cali-a", {});
  auto& rules = ChainOf(table, "FORWARD").rules;
  rules = {InKernel(Numbered(1), {.packets = 1}), InKernel(JumpTo("cali-a")),
           InKernel(Numbered(2), {.packets = 2}), InKernel(Tagged(7)),
           InKernel(Numbered(3), {.packets = 3}), InKernel(JumpTo("cali-a"))};
  DesiredTable desired;
  desired.chains["cali-a"] = {};
  desired.hooks["FORWARD"].first = {JumpTo("cali-a")};
  Perform(MustPlan(table, desired), table);
  EXPECT_EQ(PacketsOf(table, "FORWARD"), (std::vector<std::uint64_t>{0, 1, 2, 3}));
  EXPECT_EQ(rules[0].rule, JumpTo("cali-a"));
}

TEST(Planner, SweepsWhatIsLeftOfOurs) {
  TableContent table = EmptyTable(ir::Table::kFilter);
  AddChain(table, "felix-old", {});
  AddChain(table, "cali-old", {JumpTo("felix-old"), Numbered(1)});
  AddChain(table, "cali-a", {JumpTo("cali-old")});
  AddChain(table, "KUBE-FORWARD", {Numbered(4), JumpTo("cali-old"), Numbered(5)});
  ChainOf(table, "felix-old").rules = {InKernel(Numbered(2))};
  ChainOf(table, "INPUT").rules = {InKernel(JumpTo("cali-old")), InKernel(JumpTo("KUBE-FORWARD"))};
  ChainOf(table, "INPUT").policy = "DROP";
  DesiredTable desired;
  desired.chains["cali-a"] = {};
  Perform(MustPlan(table, desired), table);
  EXPECT_EQ(Dump(table),
            ":INPUT DROP\n0 KUBE-FORWARD\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n"
            ":KUBE-FORWARD \n4 ACCEPT\n5 ACCEPT\n:cali-a \n");
}

TEST(Planner, RefusesWhatCannotWork) {
  TableContent table = EmptyTable(ir::Table::kNat);
  AddChain(table, "cali-old", {});
  AddChain(table, "KUBE-SERVICES", {});
  struct Case {
    DesiredTable desired;
    std::string reason;
  };
  const auto jump = [](const std::string& chain) { return std::vector{JumpTo(chain)}; };
  const Case cases[] = {
      {{.chains = {{"cali-a", jump("cali-b")}}, .hooks = {}},
       "chain cali-a jumps to missing chain cali-b"},
      {{.chains = {{"cali-a", jump("cali-old")}}, .hooks = {}}, "missing chain cali-old"},
      {{.chains = {{"cali-a", jump("OUTPUT")}}, .hooks = {}}, "missing chain OUTPUT"},
      {{.chains = {{"mine", {}}}, .hooks = {}}, "'mine' is not one of ours"},
      {{.chains = {{"cali-34567890123456789012345678", {}}}, .hooks = {}}, "28 bytes"},
      {{.chains = {}, .hooks = {{"FORWARD", {.first = {Tagged(1)}, .last = {}}}}},
       "no chain FORWARD to hook"},
      {{.chains = {}, .hooks = {{"OUTPUT", {.first = {}, .last = jump("cali-b")}}}},
       "chain OUTPUT jumps to missing chain cali-b"},
  };
  for (const Case& c : cases) {
    const auto plan = Plan(table, c.desired, HookPlacement::kInsert);
    EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument) << c.reason;
    EXPECT_THAT(std::string(plan.status().message()), HasSubstr(c.reason));
  }
  const auto foreign = Plan(table, {.chains = {{"cali-a", jump("KUBE-SERVICES")}}, .hooks = {}},
                            HookPlacement::kInsert);
  EXPECT_TRUE(foreign.ok()) << foreign.status();
}

TEST(Planner, PrintsItsPlansForPeople) {
  const Transaction transaction{{CreateChain{"cali-a"}, InsertRule{"cali-a", 0, Numbered(1)},
                                 ReplaceRule{"cali-a", 0, JumpTo("cali-b")}, DeleteRule{"INPUT", 3},
                                 FlushChain{"cali-b"}, DeleteChain{"cali-b"}}};
  EXPECT_EQ(Print(transaction, model::IpFamily::kV4),
            "create chain cali-a\n"
            "insert cali-a[0] -m mark --mark 0x1/0xffffffff -j ACCEPT\n"
            "replace cali-a[0] -j cali-b\n"
            "delete INPUT[3]\n"
            "flush chain cali-b\n"
            "delete chain cali-b\n");
}

}  // namespace
}  // namespace felix::iptables
