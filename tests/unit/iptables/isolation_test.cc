// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "iptables/table.h"
#include "tests/support/fake_kernel_table.h"
#include "tests/unit/iptables/encoded_rules.h"
#include "tests/unit/iptables/table_fixture.h"

namespace felix::iptables {
namespace {

using model::IpFamily;
using testing::ChainOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::JumpRule;
using ::testing::Key;
using testing::MarkRule;

constexpr std::uint32_t kBad = 666;
constexpr ir::HookKey kForward{.family = IpFamily::kV4,
                               .table = ir::Table::kFilter,
                               .base = ir::BaseChain::kForward,
                               .position = ir::HookPosition::kFirst};

ir::ChainKey Filter(const std::string& name) {
  return {.family = IpFamily::kV4, .table = ir::Table::kFilter, .name = name};
}

ir::Rule Owned(ir::Rule rule, const std::string& owner) {
  rule.provenance.owner = owner;
  return rule;
}

// What the kernel says to a table with a rule that bears the bad mark.
std::function<int(const TableContent&)> RefusesBadMark(int error) {
  return [error, bad = testing::Numbered(kBad)](const TableContent& table) {
    for (const KernelChain& chain : table.chains) {
      for (const KernelRule& rule : chain.rules) {
        if (rule.rule == bad) return error;
      }
    }
    return 0;
  };
}

class IsolationTest : public TableFixture {
 protected:
  IsolationTest() {
    std::vector<ir::Rule> forward;
    for (const char* name : {"a", "b", "c", "d", "e"}) {
      const std::string chain = std::string("cali-pi-") + name;
      forward.push_back(JumpRule(chain));
      state_.chains[Filter(chain)].rules = {
          Owned(MarkRule(static_cast<std::uint32_t>(name[0])), std::string("gnp/") + name)};
    }
    state_.chains[Filter("cali-FORWARD")].rules = std::move(forward);
    state_.hooks[kForward] = {JumpRule("cali-FORWARD")};
  }

  void Stage() {
    table_.Stage(ir::Diff(staged_, state_));
    staged_ = state_;
  }
  std::vector<ir::Rule>& Rules(const std::string& chain) {
    return state_.chains[Filter(chain)].rules;
  }
  std::vector<EncodedRule> InKernel(const std::string& name) {
    TableContent content = kernel_.content();
    std::vector<EncodedRule> rules;
    for (const KernelRule& rule : ChainOf(content, name).rules) rules.push_back(rule.rule);
    return rules;
  }
  bool IsClosed(const std::string& name) {
    return InKernel(name) == std::vector<EncodedRule>{DropRule(IpFamily::kV4)};
  }

  ir::DesiredState state_;
  ir::DesiredState staged_;
};

TEST_F(IsolationTest, ClosesTheGuiltyChainAndWritesAllOthersWhateverTheErrnoIs) {
  for (const int error : {EINVAL, ENOENT, ELOOP, E2BIG, ENOMEM, ENOSPC, EOPNOTSUPP, EEXIST}) {
    SCOPED_TRACE(error);
    kernel_.RefuseWith(RefusesBadMark(error));
    Rules("cali-pi-c") = {Owned(MarkRule(kBad), "gnp/c")};
    Rules("cali-pi-e") = {MarkRule(static_cast<std::uint32_t>(error))};
    Stage();
    ASSERT_TRUE(table_.Apply().ok());
    EXPECT_THAT(table_.closed(), ElementsAre(Key("cali-pi-c")));
    EXPECT_EQ(table_.closed().at("cali-pi-c").owner, "gnp/c");
    EXPECT_TRUE(IsClosed("cali-pi-c"));
    EXPECT_THAT(InKernel("cali-pi-e"),
                ElementsAre(testing::Numbered(static_cast<std::uint32_t>(error))));
    EXPECT_FALSE(table_.dirty());
    Rules("cali-pi-c") = {MarkRule(3)};
    Stage();
    ASSERT_TRUE(table_.Apply().ok());
    EXPECT_THAT(table_.closed(), IsEmpty());
    EXPECT_THAT(InKernel("cali-pi-c"), ElementsAre(testing::Numbered(3)));
  }
}

TEST_F(IsolationTest, IsolatesNobodyForErrorsThatNoRuleCauses) {
  Stage();
  for (const int error : {EPERM, EACCES, EAGAIN}) {
    kernel_.RefuseWith([error](const TableContent&) { return error; });
    EXPECT_FALSE(table_.Apply().ok());
    EXPECT_THAT(table_.closed(), IsEmpty());
    EXPECT_TRUE(table_.dirty());
  }
  EXPECT_EQ(kernel_.refused_commits(), 2 + 4) << "EAGAIN alone is tried again at once";
}

TEST_F(IsolationTest, LeavesTheTableAloneIfAllOfItIsRefused) {
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  const std::string before = testing::Dump(kernel_.content());
  kernel_.RefuseWith([](const TableContent&) { return ENOMEM; });
  Rules("cali-pi-a") = {MarkRule(1)};
  Rules("cali-pi-b") = {MarkRule(2)};
  Stage();
  EXPECT_TRUE(absl::IsResourceExhausted(table_.Apply().status()));
  EXPECT_THAT(table_.closed(), IsEmpty());
  EXPECT_EQ(testing::Dump(kernel_.content()), before);
  kernel_.RefuseWith({});
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_THAT(InKernel("cali-pi-b"), ElementsAre(testing::Numbered(2)));
}

TEST_F(IsolationTest, KeepsTheTableIfAChainThatMustNotBeClosedIsRefused) {
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  const std::string before = testing::Dump(kernel_.content());
  kernel_.RefuseWith(RefusesBadMark(EINVAL));
  Rules("cali-FORWARD").push_back(MarkRule(kBad));
  Stage();
  EXPECT_TRUE(absl::IsInvalidArgument(table_.Apply().status()));
  EXPECT_EQ(testing::Dump(kernel_.content()), before);
}

TEST_F(IsolationTest, InnocentChainsAreNeverClosedNotEvenForAMoment) {
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  const EncodedRule drop = DropRule(IpFamily::kV4);
  int closed_innocents = 0;
  kernel_.RefuseWith([&, refuses = RefusesBadMark(EINVAL)](const TableContent& table) {
    for (const KernelChain& chain : table.chains) {
      if (chain.name == "cali-pi-b") continue;
      for (const KernelRule& rule : chain.rules) closed_innocents += rule.rule == drop ? 1 : 0;
    }
    return refuses(table);
  });
  for (const char* chain : {"cali-pi-a", "cali-pi-c", "cali-pi-d"}) Rules(chain) = {MarkRule(7)};
  Rules("cali-pi-b") = {MarkRule(kBad)};
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_EQ(closed_innocents, 0);
  EXPECT_TRUE(IsClosed("cali-pi-b"));
}

TEST_F(IsolationTest, TriesAgainWhenToldToAndNotBefore) {
  kernel_.RefuseWith(RefusesBadMark(EINVAL));
  Rules("cali-pi-c") = {MarkRule(kBad)};
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  const int refused = kernel_.refused_commits();
  Rules("cali-pi-a") = {MarkRule(4)};
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  table_.Resync();
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_EQ(kernel_.refused_commits(), refused);
  EXPECT_TRUE(IsClosed("cali-pi-c"));
  kernel_.RefuseWith({});
  table_.RetryClosed();
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_THAT(InKernel("cali-pi-c"), ElementsAre(testing::Numbered(kBad)));
  EXPECT_THAT(table_.closed(), IsEmpty());
}

TEST_F(IsolationTest, ClosesAChainWhoseRuleCannotBeEncoded) {
  Rules("cali-pi-d").push_back(Owned(MarkRule(1, ir::Log{.prefix = "two\nlines"}), "gnp/d"));
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_TRUE(IsClosed("cali-pi-d"));
  EXPECT_EQ(table_.closed().at("cali-pi-d").owner, "gnp/d");
  EXPECT_THAT(std::string(table_.closed().at("cali-pi-d").reason.message()),
              HasSubstr("rule 1 of chain cali-pi-d"));
  EXPECT_EQ(kernel_.refused_commits(), 0);
}

TEST_F(IsolationTest, ClosesAChainThatGoesNowhere) {
  Rules("cali-pi-b") = {JumpRule("cali-nowhere")};
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_THAT(table_.closed(), ElementsAre(Key("cali-pi-b")));
}

ir::Rule SetRule(const std::string& id) {
  ir::Rule rule = MarkRule(4);
  rule.matches.emplace_back(ir::SetMatch{.set_id = id});
  return rule;
}

TEST_F(IsolationTest, ClosesAChainWhileItsSetIsMissing) {
  Rules("cali-pi-a") = {SetRule("s:x")};
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_TRUE(IsClosed("cali-pi-a"));
  EXPECT_TRUE(absl::IsNotFound(table_.closed().at("cali-pi-a").reason));
  EXPECT_TRUE(table_.dirty()) << "it may be there next time";
  sets_ = {{"s:x", 1}};
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_FALSE(IsClosed("cali-pi-a"));
  EXPECT_THAT(table_.closed(), IsEmpty());
  EXPECT_FALSE(table_.dirty());
}

TEST_F(IsolationTest, ClosesWhatNamesAnUnusableSetUntilItIsUsable) {
  sets_ = {{"s:x", 1}, {"s:y", 2}};
  Rules("cali-pi-a") = {SetRule("s:x")};
  Rules("cali-pi-b") = {SetRule("s:y")};
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  table_.SetUnusableSets({{"s:x", "too many members"}});
  EXPECT_TRUE(table_.dirty());
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_TRUE(IsClosed("cali-pi-a"));
  EXPECT_FALSE(IsClosed("cali-pi-b"));
  EXPECT_THAT(std::string(table_.closed().at("cali-pi-a").reason.message()),
              HasSubstr("too many members"));
  table_.SetUnusableSets({{"s:x", "too many members"}, {"s:z", "nobody names it"}});
  EXPECT_FALSE(table_.dirty());
  table_.SetUnusableSets({});
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_FALSE(IsClosed("cali-pi-a"));
}

TEST_F(IsolationTest, DeletesUnreachableChainsWithTheNextCommitOnly) {
  state_.chains[Filter("cali-pi-spare")] = {{MarkRule(8)}};
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  const int opens = kernel_.opens();
  state_.chains.erase(Filter("cali-pi-spare"));
  Stage();
  EXPECT_FALSE(table_.dirty());
  EXPECT_TRUE(table_.has_left_overs());
  ASSERT_TRUE(table_.Apply().ok());
  EXPECT_EQ(kernel_.opens(), opens) << "neither locked nor read nor written";
  Rules("cali-pi-a") = {MarkRule(4)};
  Stage();
  const auto stats = table_.Apply();
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->commits, 1);
  EXPECT_EQ(stats->chains_deleted, 1U);
  EXPECT_FALSE(table_.has_left_overs());
}

TEST_F(IsolationTest, DeletesAtOnceWhatAPacketCouldReach) {
  Stage();
  ASSERT_TRUE(table_.Apply().ok());
  state_.chains.erase(Filter("cali-pi-e"));
  Rules("cali-FORWARD").pop_back();
  Stage();
  const auto stats = table_.Apply();
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->chains_deleted, 1U);
}

}  // namespace
}  // namespace felix::iptables
