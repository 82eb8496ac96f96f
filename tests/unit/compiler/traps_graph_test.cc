// SPDX-License-Identifier: Apache-2.0
// Traps of the calculation: what is in force, in which order, for whom.
#include <algorithm>

#include "gmock/gmock.h"

#include "compiler/ir/print.h"
#include "tests/unit/compiler/traps.h"

namespace felix::compiler {
namespace {

using testing::Allow;
using testing::Deny;
using testing::Pass;

model::PolicyRule AllowFrom(std::string_view selector) {
  model::PolicyRule rule = Allow();
  rule.source.selector = testing::Select(selector);
  return rule;
}

TEST_F(Traps, T1_ProfileRulesArriveAfterBeforeOrNever) {
  Set(testing::EndpointId("web"), Web({"open"}));
  EXPECT_FALSE(Passes(Knock()));
  Set(model::ProfileId{"open"}, testing::ProfileOf({Allow()}));
  EXPECT_TRUE(Passes(Knock()));
  Remove(model::ProfileId{"open"});
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(Traps, T2_PoliciesOfARemovedTierStayInForceLastAndDeny) {
  Set(model::TierId{"gone"}, model::Tier{.order = 1, .default_action = {}});
  Set(model::TierId{"default"}, model::Tier{.order = 100, .default_action = {}});
  SetPolicy("deny", {Deny()}, "gone");
  SetPolicy("allow", {Allow()});
  EXPECT_FALSE(Passes(Knock()));
  Remove(model::TierId{"gone"});
  EXPECT_TRUE(Passes(Knock()));  // the other tier comes first now and accepts
  SetPolicy("allow", {Pass()});
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(Traps, T3_EqualOrdersSortByNameAndAMissingOneIsLast) {
  SetPolicy("a", {Deny()}, "default", 5);
  SetPolicy("b", {Allow()}, "default", 5);
  EXPECT_FALSE(Passes(Knock()));
  SetPolicy("a", {Deny()});
  EXPECT_TRUE(Passes(Knock()));
  SetPolicy("b", {Allow()});
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(Traps, T4_OrdersCompareAsNumbers) {
  SetPolicy("deny", {Deny()}, "default", 9.5);
  SetPolicy("allow", {Allow()}, "default", 10);
  EXPECT_FALSE(Passes(Knock()));
  SetPolicy("allow", {Allow()}, "default", -10);
  EXPECT_TRUE(Passes(Knock()));
}

TEST_F(Traps, T5_APolicyThatMovesToAnotherTierLeavesNothingBehind) {
  Set(model::TierId{"first"}, model::Tier{.order = 1, .default_action = {}});
  SetPolicy("none", {}, "first");
  SetPolicy("allow", {Allow()});
  EXPECT_FALSE(Passes(Knock()));  // the end of tier first
  SetPolicy("none", {});
  EXPECT_TRUE(Passes(Knock()));
}

TEST_F(Traps, T6_AChangeOfTypesLeavesTheOtherDirectionAtOnce) {
  Set(testing::EndpointId("web"), Web({"open"}));
  Set(model::ProfileId{"open"}, testing::ProfileOf({Allow()}));
  SetPolicy("none", {});
  EXPECT_FALSE(Passes(Knock()));
  model::Policy policy = testing::PolicyOf("all()", {});
  policy.ingress_applies = false;
  Set(testing::GlobalPolicy("none"), policy);
  EXPECT_TRUE(Passes(Knock()));
}

TEST_F(Traps, T7_APolicyThatBecomesUntrackedLeavesTheFilterTableAtOnce) {
  SetPolicy("p", {Allow()});
  EXPECT_TRUE(Passes(Knock()));
  model::Policy policy = testing::PolicyOf("all()", {Allow()});
  policy.do_not_track = true;
  Set(testing::GlobalPolicy("p"), policy);
  EXPECT_FALSE(Passes(Knock()));
  EXPECT_EQ(FindChain("cali-pi-gnp/p"), nullptr);
}

TEST_F(Traps, T8_ATierOfStagedPoliciesFallsThrough) {
  Set(testing::EndpointId("web"), Web({"open"}));
  Set(model::ProfileId{"open"}, testing::ProfileOf({Allow()}));
  Set(model::PolicyId{model::PolicyKind::kStagedGlobalNetworkPolicy, "", "staged"},
      testing::PolicyOf("all()", {Deny()}));
  EXPECT_TRUE(Passes(Knock()));
  SetPolicy("enforced", {});
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(Traps, T9_AnAddressOfTwoStaysUntilTheLastGoes) {
  SetPolicy("p", {AllowFrom("client == 'yes'")});
  for (const char* name : {"x", "y"}) {
    Set(testing::EndpointId(name, "elsewhere"),
        testing::Endpoint("cali9", {"192.0.2.1"}, {{"client", "yes"}}));
  }
  EXPECT_TRUE(Passes(Knock()));
  Remove(testing::EndpointId("x", "elsewhere"));
  EXPECT_TRUE(Passes(Knock()));
  Remove(testing::EndpointId("y", "elsewhere"));
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(Traps, T10_ANewAddressComesAndTheOldOneGoesInOneChange) {
  SetPolicy("p", {AllowFrom("client == 'yes'")});
  const auto client = [](std::string_view address) {
    return testing::Endpoint("cali9", {address}, {{"client", "yes"}});
  };
  Set(testing::EndpointId("x", "elsewhere"), client("192.0.2.1"));
  static_cast<void>(graph_.Flush());
  Set(testing::EndpointId("x", "elsewhere"), client("192.0.2.2"));
  const ir::DesiredDelta delta = graph_.Flush();
  ASSERT_EQ(delta.changed_sets.size(), 1U);
  EXPECT_EQ(delta.changed_sets.begin()->second.added.size(), 1U);
  EXPECT_EQ(delta.changed_sets.begin()->second.removed.size(), 1U);
  EXPECT_FALSE(Passes(Knock("192.0.2.1")));
  EXPECT_TRUE(Passes(Knock("192.0.2.2")));
}

TEST_F(Traps, T11_AHalfOfEverythingStaysWhenTheWholeGoes) {
  SetPolicy("p", {AllowFrom("net == 'yes'")});
  const auto nets = [](std::initializer_list<std::string_view> texts) {
    return model::NetworkSet{testing::Nets(texts), {{"net", "yes"}}, {}};
  };
  Set(model::NetworkSetId{"", "n"}, nets({"0.0.0.0/0", "128.0.0.0/1"}));
  EXPECT_TRUE(Passes(Knock("10.9.9.9")));
  Set(model::NetworkSetId{"", "n"}, nets({"128.0.0.0/1"}));
  EXPECT_FALSE(Passes(Knock("10.9.9.9")));
  EXPECT_TRUE(Passes(Knock("192.0.2.1")));
}

TEST_F(Traps, T12_ANameOfTwoPortsMeansBothAndEachByItsProtocol) {
  model::WorkloadEndpoint web = Web();
  web.ports = {{"http", model::kTcp, 80}, {"http", model::kTcp, 8080}, {"http", model::kUdp, 90}};
  Set(testing::EndpointId("web"), web);
  model::PolicyRule rule = Allow();
  rule.protocol = model::kTcp;
  rule.destination.ports.names = {"http"};
  SetPolicy("p", {rule});
  testing::Packet packet = Knock();
  EXPECT_TRUE(Passes(packet));
  packet.destination_port = 8080;
  EXPECT_TRUE(Passes(packet));
  packet.destination_port = 90;
  EXPECT_FALSE(Passes(packet));
}

TEST_F(Traps, T14_OwnLabelsWinThenTheFirstProfileAndRemovalExposesTheNext) {
  Set(model::ProfileId{"one"}, model::Profile{{{"role", "one"}}, {}, {}});
  Set(model::ProfileId{"two"}, model::Profile{{{"role", "two"}}, {}, {}});
  const auto client = [](model::LabelSet labels, std::vector<std::string> profiles) {
    return testing::Endpoint("cali9", {"192.0.2.1"}, std::move(labels), std::move(profiles));
  };
  SetPolicy("p", {AllowFrom("role == 'one'")});
  Set(testing::EndpointId("x", "elsewhere"), client({{"role", "own"}}, {"one", "two"}));
  EXPECT_FALSE(Passes(Knock()));
  Set(testing::EndpointId("x", "elsewhere"), client({}, {"one", "two"}));
  EXPECT_TRUE(Passes(Knock()));
  Set(testing::EndpointId("x", "elsewhere"), client({}, {"two", "one"}));
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(Traps, T15_LabelsGoWithTheirProfileThoughItIsStillListed) {
  Set(model::ProfileId{"one"}, model::Profile{{{"role", "one"}}, {}, {}});
  SetPolicy("p", {AllowFrom("role == 'one'")});
  Set(testing::EndpointId("x", "elsewhere"),
      testing::Endpoint("cali9", {"192.0.2.1"}, {}, {"one"}));
  EXPECT_TRUE(Passes(Knock()));
  Remove(model::ProfileId{"one"});
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(Traps, T16_NegatedSelectorAloneMatchesStrangers) {
  model::PolicyRule rule = Allow();
  rule.source.not_selector = testing::Select("client == 'bad'");
  SetPolicy("p", {rule});
  EXPECT_TRUE(Passes(Knock()));
  Set(testing::EndpointId("x", "elsewhere"),
      testing::Endpoint("cali9", {"192.0.2.1"}, {{"client", "bad"}}));
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(Traps, T17_ASetThatGoesAndComesBetweenFlushesHasNoStaleMembers) {
  Set(testing::EndpointId("x", "elsewhere"),
      testing::Endpoint("cali9", {"192.0.2.1"}, {{"client", "yes"}}));
  SetPolicy("p", {AllowFrom("client == 'yes'")});
  EXPECT_TRUE(Passes(Knock()));
  SetPolicy("p", {});
  Remove(testing::EndpointId("x", "elsewhere"));
  SetPolicy("p", {AllowFrom("client == 'yes'")});
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(Traps, T18_WhatComesAndGoesBetweenFlushesIsNotTold) {
  SetPolicy("p", {AllowFrom("client == 'yes'")});
  static_cast<void>(graph_.Flush());
  Set(testing::EndpointId("x", "elsewhere"),
      testing::Endpoint("cali9", {"192.0.2.1"}, {{"client", "yes"}}));
  Remove(testing::EndpointId("x", "elsewhere"));
  EXPECT_TRUE(graph_.Flush().empty());
}

TEST_F(Traps, T20_DeletingAndMakingAgainIsNoEvent) {
  SetPolicy("p", {AllowFrom("client == 'yes'")});
  static_cast<void>(graph_.Flush());
  const ir::DesiredState before = graph_.desired();
  const std::vector<model::Update> everything = graph_.store().Snapshot();
  for (const model::Update& update : everything) Remove(update.key);
  graph_.OnUpdates(everything);
  EXPECT_TRUE(graph_.Flush().empty());
  EXPECT_EQ(graph_.desired(), before);
}

TEST_F(Traps, T22_TheOrderInsideABatchDoesNotMatter) {
  SetPolicy("p", {AllowFrom("client == 'yes'")});
  Set(model::ProfileId{"one"}, model::Profile{{{"client", "yes"}}, {}, {}});
  Set(testing::EndpointId("web"), Web({"one"}));
  static_cast<void>(graph_.Flush());
  std::vector<model::Update> everything = graph_.store().Snapshot();
  std::reverse(everything.begin(), everything.end());
  Graph other(testing::OptionsOfThisHost());
  other.OnUpdates(everything);
  static_cast<void>(other.Flush());
  EXPECT_EQ(ir::Print(other.desired()), ir::Print(graph_.desired()));
}

}  // namespace
}  // namespace felix::compiler
