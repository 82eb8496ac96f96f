// SPDX-License-Identifier: Apache-2.0
// Traps of host endpoints: which list of which interface polices what, in which table.
#include "tests/unit/compiler/traps_host.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"

#include "compiler/ir/print.h"

namespace felix::compiler {
namespace {

using testing::Allow;
using testing::Deny;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using testing::Packet;
using testing::Pass;
using testing::Verdict;

TEST_F(HostTraps, HostsWithoutHostEndpointsHaveNoRulesOfTheirs) {
  Remove(HostId("a"));
  const std::string without = State();
  for (const auto& [key, chain] : graph_.desired().chains) {
    EXPECT_EQ(key.table, ir::Table::kFilter) << key.name;
  }
  EXPECT_EQ(graph_.desired().hooks.size(), 4U);  // INPUT and FORWARD
  Claim("a", "eth0");
  SetList("u", List::kUntracked, {Allow()});
  EXPECT_NE(State(), without);
  Remove(testing::GlobalPolicy("u"));
  Remove(HostId("a"));
  EXPECT_EQ(State(), without);
  model::HostEndpoint of_another;
  of_another.interface_name = "eth0";
  Set(model::HostEndpointId{"host-b", "a"}, of_another);
  EXPECT_EQ(State(), without);
}

TEST_F(HostTraps, TheRawTableAndPreroutingAreLeftAloneUnlessAPolicyNeedsThem) {
  EXPECT_THAT(ChainsOf(ir::Table::kRaw), IsEmpty());
  EXPECT_THAT(ChainsOf(ir::Table::kMangle),
              ::testing::Not(::testing::Contains(std::string("cali-PREROUTING"))));
  SetList("d", List::kPreDnat, {Allow()});
  EXPECT_THAT(ChainsOf(ir::Table::kRaw), IsEmpty());
  EXPECT_THAT(ChainsOf(ir::Table::kMangle),
              IsSupersetOf({"cali-PREROUTING", "cali-fh-eth0", "cali-from-host-endpoint"}));
}

TEST_F(HostTraps, RulesOfAnEndpointNameItAsTheirOwner) {
  static_cast<void>(graph_.Flush());
  const testing::Trace trace = testing::Interpret(graph_.desired(), Known(ToHost()));
  EXPECT_EQ(trace.verdict, Verdict::kAccept);
  EXPECT_EQ(trace.decided_by.owner, "host endpoint host-a/a");
}

TEST_F(HostTraps, T2_ARemovedTierDeniesForwardedTrafficButNeverBeforeTracking) {
  Set(model::TierId{"gone"},
      model::Tier{.order = 1, .default_action = model::TierDefaultAction::kPass});
  SetList("f", List::kForward, {}, "gone");
  SetList("u", List::kUntracked, {}, "gone");
  EXPECT_TRUE(Passes(Between("eth0", "eth1")));
  Remove(model::TierId{"gone"});
  EXPECT_FALSE(Passes(Between("eth0", "eth1")));
  Remove(testing::GlobalPolicy("f"));
  EXPECT_TRUE(Passes(Between("eth0", "eth1")));
}

TEST_F(HostTraps, T7_APolicyThatChangesItsListMovesBetweenTablesAtOnce) {
  SetList("p", List::kNormal, {Allow()});
  EXPECT_TRUE(Passes(ToHost()));
  EXPECT_THAT(ChainsOf(ir::Table::kRaw), IsEmpty());
  SetList("p", List::kUntracked, {Allow()});
  EXPECT_TRUE(Passes(ToHost()));
  EXPECT_THAT(ChainsOf(ir::Table::kRaw), IsSupersetOf({"cali-pi-gnp/p", "cali-po-gnp/p"}));
  EXPECT_EQ(FindChain("cali-pi-gnp/p"), nullptr);
  SetList("p", List::kPreDnat, {Allow()});
  EXPECT_TRUE(Passes(ToHost()));
  EXPECT_FALSE(Passes(Between("", "eth0")));  // it has no egress any more
  EXPECT_THAT(ChainsOf(ir::Table::kRaw), IsEmpty());
  EXPECT_THAT(ChainsOf(ir::Table::kMangle), ::testing::Contains(std::string("cali-pi-gnp/p")));
}

TEST_F(HostTraps, T13_ANamedPortCountsWithTheExpectedAddressesOnly) {
  model::PolicyRule rule = Allow();
  rule.protocol = model::kTcp;
  rule.source.selector = testing::Select("has(peer)");
  rule.source.ports.names = {"api"};
  SetPolicy("p", {rule});
  model::HostEndpoint peer;
  peer.interface_name = "eth0";
  peer.labels = {{"peer", "yes"}};
  peer.ports = {{"api", model::kTcp, 1024}};
  Set(model::HostEndpointId{"host-b", "a"}, peer);
  EXPECT_FALSE(Passes(Knock("192.0.2.1")));
  peer.expected_addresses = {testing::Address("192.0.2.1")};
  Set(model::HostEndpointId{"host-b", "a"}, peer);
  EXPECT_TRUE(Passes(Knock("192.0.2.1")));
  Remove(model::HostEndpointId{"host-b", "a"});
  EXPECT_FALSE(Passes(Knock("192.0.2.1")));
}

TEST_F(HostTraps, T19_AnEndpointThatGoesWithItsPoliciesLeavesNothing) {
  Graph fresh(testing::OptionsOfThisHost());
  const model::Update web{testing::EndpointId("web"), Web()};
  fresh.OnUpdates({&web, 1});
  static_cast<void>(fresh.Flush());
  SetList("u", List::kUntracked, {Allow()});
  SetList("n", List::kForward, {Deny()});
  static_cast<void>(graph_.Flush());
  SetList("u", List::kPreDnat, {Allow()});
  Remove(HostId("a"));
  Remove(testing::GlobalPolicy("n"));
  Remove(testing::GlobalPolicy("u"));
  EXPECT_EQ(State(), ir::Print(fresh.desired()));
}

TEST_F(HostTraps, T32_RefusingIsForTheFilterTableOnly) {
  Options options = testing::OptionsOfThisHost();
  options.filter_deny_action = DenyAction::kReject;
  Use(options);
  SetList("u", List::kUntracked, {Deny()});
  SetList("d", List::kPreDnat, {Deny()});
  SetList("n", List::kForward, {Deny()});
  static_cast<void>(graph_.Flush());
  int refusals = 0;
  for (const auto& [key, chain] : graph_.desired().chains) {
    for (const ir::Rule& rule : chain.rules) {
      if (!std::holds_alternative<ir::Reject>(rule.action)) continue;
      ++refusals;
      EXPECT_EQ(key.table, ir::Table::kFilter) << key.name;
    }
  }
  EXPECT_GT(refusals, 0);
  EXPECT_EQ(Send(ToHost()), Verdict::kDeny);
}

TEST_F(HostTraps, T33_ALimitStaysTheLastMatchInEveryTable) {
  Options options = testing::OptionsOfThisHost();
  options.log_limit = ir::LimitMatch{};
  Use(options);
  model::PolicyRule log = testing::Rule(model::RuleAction::kLog);
  log.protocol = model::kTcp;
  log.source.nets = testing::Nets({"203.0.113.0/24"});
  log.destination.ports.ranges = {{80, 80}};
  SetList("u", List::kUntracked, {log});
  SetList("n", List::kNormal, {log});
  static_cast<void>(graph_.Flush());
  std::vector<ir::Table> tables;
  for (const auto& [key, chain] : graph_.desired().chains) {
    for (const ir::Rule& rule : chain.rules) {
      if (!std::holds_alternative<ir::Log>(rule.action)) continue;
      if (key.name.starts_with("cali-pi")) tables.push_back(key.table);
      ASSERT_FALSE(rule.matches.empty());
      EXPECT_TRUE(std::holds_alternative<ir::LimitMatch>(rule.matches.back()));
    }
  }
  EXPECT_THAT(tables, ElementsAre(ir::Table::kRaw, ir::Table::kFilter));
}

TEST_F(HostTraps, T37_ForwardPoliciesOfTheOtherDirectionLeaveThisOneOpen) {
  model::Policy policy = ListPolicy(List::kForward, {Deny()});
  policy.ingress_applies = false;
  Set(testing::GlobalPolicy("f"), policy);
  EXPECT_EQ(Send(Between("eth0", "eth1")), Verdict::kAccept);
  EXPECT_EQ(Send(Between("eth1", "eth0")), Verdict::kDeny);
}

TEST_F(HostTraps, T38_AnEstablishedFlowKeepsItsMarkWhenAllowingIsReturning) {
  Options options = testing::OptionsOfThisHost();
  options.filter_allow_action = AllowAction::kReturn;
  options.mangle_allow_action = AllowAction::kReturn;
  Use(options);
  SetList("f", List::kForward, {Allow()});
  SetList("d", List::kPreDnat, {Deny()});
  // Translated and forwarded: behind POSTROUTING it must not be taken for the host's own.
  EXPECT_EQ(Send(Redirected(Between("eth1", "eth0"), "")), Verdict::kContinue);
  EXPECT_EQ(Send(Redirected(Known(Between("eth0", "eth1")), "")), Verdict::kContinue);
  EXPECT_EQ(Send(Known(ToHost())), Verdict::kContinue);
}

TEST_F(HostTraps, T39_MarksOfOthersMeanNothing) {
  SetList("u", List::kUntracked, {Pass()});
  for (const std::uint32_t mark : {0x10000U, 0x40000U, 0xffffffffU}) {
    for (Packet packet :
         {ToHost(), Between("", "eth0"), Redirected(Between("", "eth0"), "cali1")}) {
      packet.mark = mark;
      EXPECT_EQ(Send(packet), Verdict::kDeny) << packet;
      SetList("d", List::kPreDnat, {Pass()});
      Remove(testing::GlobalPolicy("u"));
      EXPECT_EQ(Send(packet), Verdict::kDeny) << packet;
      Remove(testing::GlobalPolicy("d"));
      EXPECT_EQ(Send(packet), Verdict::kDeny) << packet;
      SetList("u", List::kUntracked, {Pass()});
    }
  }
}

}  // namespace
}  // namespace felix::compiler
