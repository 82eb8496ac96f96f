// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "iptables/libiptc_table.h"
#include "iptables/table.h"
#include "tests/kernel/iptables/legacy_tools.h"
#include "tests/support/network_namespace.h"
#include "tests/unit/iptables/encoded_rules.h"

namespace felix::iptables {
namespace {

using model::IpFamily;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::JumpRule;
using ::testing::Key;
using testing::MarkRule;
using testing::SavedRules;

// A table whose chain cali-pi-bad hangs below FORWARD, between two good ones.
class IsolationKernelTest : public ::testing::TestWithParam<IpFamily> {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    testing::EnterFreshNetworkNamespace();
  }

  void Build(ir::Table which, std::vector<ir::Rule> bad) {
    kernel_ = std::make_unique<LibiptcTable>(GetParam(), which);
    // No set has this number.
    const auto no_such_set = [](const ir::SetKey&) -> absl::StatusOr<std::uint16_t> {
      return 4321;
    };
    table_ = std::make_unique<Table>(GetParam(), which, *kernel_, no_such_set);
    const auto chain = [&](const std::string& name) -> ir::Chain& {
      return state_.chains[{.family = GetParam(), .table = which, .name = name}];
    };
    chain("cali-pi-a").rules = {MarkRule(1)};
    chain("cali-pi-bad").rules = std::move(bad);
    chain("cali-pi-c").rules = {MarkRule(3)};
    chain("cali-FORWARD").rules = {JumpRule("cali-pi-a"), JumpRule("cali-pi-bad"),
                                   JumpRule("cali-pi-c")};
    state_.hooks[{.family = GetParam(), .table = which, .base = ir::BaseChain::kForward}] = {
        JumpRule("cali-FORWARD")};
    table_->Stage(ir::Diff({}, state_));
  }

  void ExpectOnlyTheBadChainClosed(const std::string& table, const std::string& reason) {
    const auto stats = table_->Apply();
    ASSERT_TRUE(stats.ok()) << stats.status();
    ASSERT_THAT(table_->closed(), ElementsAre(Key("cali-pi-bad")));
    EXPECT_THAT(std::string(table_->closed().at("cali-pi-bad").reason.message()),
                HasSubstr(reason));
    EXPECT_THAT(SavedRules(GetParam(), table, "cali-pi-bad"), ElementsAre("-j DROP"));
    EXPECT_THAT(SavedRules(GetParam(), table, "cali-pi-a"),
                ElementsAre("-m mark --mark 0x1 -j ACCEPT"));
    EXPECT_THAT(SavedRules(GetParam(), table, "cali-pi-c"),
                ElementsAre("-m mark --mark 0x3 -j ACCEPT"));
  }

  std::unique_ptr<LibiptcTable> kernel_;
  std::unique_ptr<Table> table_;
  ir::DesiredState state_;
};

INSTANTIATE_TEST_SUITE_P(Families, IsolationKernelTest,
                         ::testing::Values(IpFamily::kV4, IpFamily::kV6),
                         [](const auto& param_info) {
                           return param_info.param == IpFamily::kV4 ? "Ipv4" : "Ipv6";
                         });

TEST_P(IsolationKernelTest, ClosesAChainWithASetThatTheKernelDoesNotHave) {
  Build(ir::Table::kFilter, {ir::When(ir::SetMatch{.set_id = "s:gone"}).Then(ir::Accept{})});
  ExpectOnlyTheBadChainClosed("filter", "No such file or directory");
}

TEST_P(IsolationKernelTest, ClosesAChainThatTheKernelFindsInvalidWhereItHangs) {
  Build(ir::Table::kMangle, {ir::When(ir::ReversePathMatch{}).Then(ir::Accept{})});
  ExpectOnlyTheBadChainClosed("mangle", "Invalid argument");
}

TEST_P(IsolationKernelTest, ClosesAChainThatLoops) {
  Build(ir::Table::kFilter, {JumpRule("cali-FORWARD")});
  ExpectOnlyTheBadChainClosed("filter", "loop");
}

TEST_P(IsolationKernelTest, OpensTheChainAgainWhenItIsMended) {
  Build(ir::Table::kFilter, {JumpRule("cali-FORWARD")});
  ExpectOnlyTheBadChainClosed("filter", "loop");
  ir::DesiredState mended = state_;
  mended.chains[{.family = GetParam(), .table = ir::Table::kFilter, .name = "cali-pi-bad"}] = {
      {MarkRule(2)}};
  table_->Stage(ir::Diff(state_, mended));
  ASSERT_TRUE(table_->Apply().ok());
  EXPECT_THAT(table_->closed(), IsEmpty());
  EXPECT_THAT(SavedRules(GetParam(), "filter", "cali-pi-bad"),
              ElementsAre("-m mark --mark 0x2 -j ACCEPT"));
}

}  // namespace
}  // namespace felix::iptables
