// SPDX-License-Identifier: Apache-2.0
// Traps of host endpoints: wildcards, translation, untracked packets and failsafe ports.
#include <algorithm>

#include "gmock/gmock.h"

#include "tests/unit/compiler/traps_host.h"

namespace felix::compiler {
namespace {

using testing::Allow;
using testing::Deny;
using ::testing::IsEmpty;
using testing::Packet;
using testing::Pass;
using testing::Verdict;

model::PolicyRule ToPort(model::PolicyRule rule, std::uint16_t port) {
  rule.protocol = model::kTcp;
  rule.destination.ports.ranges = {{port, port}};
  return rule;
}

TEST_F(HostTraps, T49_AnInterfaceOfItsOwnHasNothingOfTheWildcard) {
  Set(model::ProfileId{"open"}, testing::ProfileOf({Allow()}));
  Claim("a", "eth0", {"open"});
  model::HostEndpoint rest;
  rest.interface_name = "*";
  rest.labels = {{"rest", "yes"}};
  Set(HostId("w"), rest);
  model::Policy before = ListPolicy(List::kPreDnat, {Deny()});
  before.selector = testing::Select("has(rest)");
  Set(testing::GlobalPolicy("d"), before);
  EXPECT_EQ(Send(Between("eth0", "")), Verdict::kAccept);
  EXPECT_EQ(Send(Between("eth1", "")), Verdict::kDeny);
  EXPECT_EQ(Send(Between("eth7", "")), Verdict::kDeny);  // of which nobody has told us
  model::Policy untracked = ListPolicy(List::kUntracked, {Allow()});
  untracked.selector = testing::Select("has(rest)");
  Set(testing::GlobalPolicy("d"), untracked);
  EXPECT_EQ(Send(Between("eth1", "")), Verdict::kDeny);
  EXPECT_THAT(ChainsOf(ir::Table::kRaw), IsEmpty());
}

TEST_F(HostTraps, T50_TheWildcardPolicesWorkloadsOnlyWhereTheyAreForwarded) {
  Remove(HostId("a"));
  Claim("w", "*");
  Packet to_web = Between("", "cali1");
  to_web.destination = testing::Address("10.0.0.1");
  EXPECT_EQ(Send(to_web), Verdict::kContinue);
  EXPECT_EQ(Send(Redirected(to_web, "eth0")), Verdict::kContinue);
  EXPECT_EQ(Send(Redirected(Between("", "eth0"), "cali1")), Verdict::kDeny);

  Set(testing::EndpointId("web"), Web({"open"}));
  Set(model::ProfileId{"open"}, testing::ProfileOf({Allow()}));
  EXPECT_TRUE(Passes(Knock()));
  SetList("f", List::kForward, {Deny()});
  EXPECT_FALSE(Passes(Knock()));
  SetList("f", List::kPreDnat, {Deny()});
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(HostTraps, T51_WhatTheHostSendsIsAskedOnceWhereItReallyLeaves) {
  Claim("b", "eth1");
  model::Policy policy = testing::PolicyOf("role == 'edge'", {ToPort(Allow(), 8080)});
  Set(testing::GlobalPolicy("p"), policy);
  EXPECT_EQ(Send(Between("", "eth0")), Verdict::kDeny);
  // Port 80 was denied if it were asked before the translation as well.
  EXPECT_EQ(Send(Redirected(Between("", "eth0"), "eth1")), Verdict::kContinue);
  EXPECT_EQ(Send(Redirected(Between("", "eth0"), "eth7")), Verdict::kContinue);
  EXPECT_EQ(Send(Redirected(Between("", "eth7"), "eth0")), Verdict::kContinue);
  policy.egress = {ToPort(Allow(), 80)};
  Set(testing::GlobalPolicy("p"), policy);
  EXPECT_EQ(Send(Between("", "eth0")), Verdict::kAccept);
  EXPECT_EQ(Send(Redirected(Between("", "eth0"), "eth7")), Verdict::kDeny);
  EXPECT_EQ(Send(Redirected(Between("", "eth7"), "eth0")), Verdict::kContinue);
  // Forwarded, so not the host's own.
  EXPECT_EQ(Send(Redirected(Between("eth1", "eth0"), "")), Verdict::kAccept);
}

TEST_F(HostTraps, T52_AnAcceptedUntrackedPacketIsAcceptedInEveryTable) {
  model::Policy policy = ListPolicy(List::kUntracked, {ToPort(Allow(), 80)});
  policy.egress_applies = false;
  Set(testing::GlobalPolicy("u"), policy);
  EXPECT_EQ(Send(ToHost()), Verdict::kAccept);
  const auto rules_of = [&](ir::Table table, const char* chain) {
    return graph_.desired()
        .chains.at({.family = model::IpFamily::kV4, .table = table, .name = chain})
        .rules;
  };
  const auto is_notrack = [](const ir::Rule& rule) {
    return std::holds_alternative<ir::NoTrack>(rule.action);
  };
  const auto raw = rules_of(ir::Table::kRaw, "cali-PREROUTING");
  EXPECT_EQ(std::count_if(raw.begin(), raw.end(), is_notrack), 1);
  EXPECT_EQ(raw.back().action, ir::Action(ir::Accept{}));
  EXPECT_EQ(rules_of(ir::Table::kMangle, "cali-PREROUTING").front().action,
            ir::Action(ir::Accept{}));

  Packet answer = Between("", "eth0");
  answer.conntrack = testing::ConntrackState::kUntracked;
  std::swap(answer.source_port, answer.destination_port);
  EXPECT_EQ(Send(answer), Verdict::kDeny);
  policy.egress_applies = true;
  policy.egress = {Allow()};
  Set(testing::GlobalPolicy("u"), policy);
  EXPECT_EQ(Send(answer), Verdict::kAccept);
}

TEST_F(HostTraps, T53_NoPolicyTurnsTrackingOffForFailsafePorts) {
  Options options = testing::OptionsOfThisHost();
  options.failsafe_inbound = {{model::kTcp, 22, testing::Net("203.0.113.0/24")}};
  options.failsafe_outbound = {{model::kTcp, 53, {}}};
  Use(options);
  SetList("u", List::kUntracked, {Deny()});
  Packet login = ToHost();
  login.destination_port = 22;
  EXPECT_EQ(Send(login), Verdict::kAccept);
  login.source = testing::Address("198.51.100.7");
  EXPECT_EQ(Send(login), Verdict::kDeny);

  Packet session = Known(Between("", "eth0"));
  session.source_port = 22;
  EXPECT_EQ(Send(session), Verdict::kAccept);
  Packet answer = Known(ToHost());
  answer.source_port = 53;
  EXPECT_EQ(Send(answer), Verdict::kAccept);
  answer.source_port = 54;
  EXPECT_EQ(Send(answer), Verdict::kDeny);
}

TEST_F(HostTraps, FailsafePortsAreOfTheFamilyOfTheirNet) {
  Options options = testing::OptionsOfThisHost();
  options.failsafe_inbound = {{model::kTcp, 22, testing::Net("fd00::/8")}};
  Use(options);
  static_cast<void>(graph_.Flush());
  EXPECT_EQ(FindChain("cali-failsafe-in"), nullptr);
  ASSERT_NE(FindChain("cali-failsafe-in", model::IpFamily::kV6), nullptr);
  EXPECT_EQ(FindChain("cali-failsafe-in", model::IpFamily::kV6)->rules.size(), 1U);
}

TEST_F(HostTraps, FailsafePortsOfOnePeerShareRules) {
  Options options = testing::OptionsOfThisHost();
  for (std::uint16_t port = 1; port <= 16; ++port) {
    options.failsafe_inbound.push_back({model::kTcp, port, {}});
    options.failsafe_inbound.push_back({model::kUdp, port, testing::Net("203.0.113.0/24")});
  }
  Use(options);
  Packet packet = ToHost();
  for (const model::Protocol protocol : {model::kTcp, model::kUdp}) {
    packet.protocol = protocol;
    for (std::uint16_t port = 0; port <= 17; ++port) {
      packet.destination_port = port;
      EXPECT_EQ(Passes(packet), port >= 1 && port <= 16) << packet;
    }
  }
  EXPECT_EQ(FindChain("cali-failsafe-in")->rules.size(), 4U);
  EXPECT_EQ(FindChain("cali-failsafe-in", model::IpFamily::kV6)->rules.size(), 2U);
}

TEST_F(HostTraps, T82_AnotherTextOfASelectorThatMatchesTheSameChangesNothing) {
  Claim("w", "*");
  SetList("n", List::kForward, {Pass()});
  const std::string before = State();
  model::Policy same = ListPolicy(List::kForward, {Pass()});
  same.selector = testing::Select("role == 'edge' && !has(nothing)");
  Set(testing::GlobalPolicy("n"), same);
  EXPECT_TRUE(graph_.Flush().empty());
  EXPECT_EQ(ir::Print(graph_.desired()), before);
  EXPECT_EQ(Send(Between("eth1", "")), Verdict::kDeny);
}

TEST_F(HostTraps, T83_AWildcardThatGoesReleasesAllItHeld) {
  const std::string before = State();
  Claim("w", "*", {"missing"});
  SetList("n", List::kForward, {Pass()});
  EXPECT_EQ(Send(Between("eth1", "")), Verdict::kDeny);
  Remove(HostId("w"));
  EXPECT_EQ(Send(Between("eth1", "")), Verdict::kContinue);
  Remove(testing::GlobalPolicy("n"));
  EXPECT_EQ(State(), before);
}

TEST_F(HostTraps, T85_AnEndpointThatLosesItsInterfaceIsReportedAndItsRulesGo) {
  model::HostEndpoint by_address;
  by_address.expected_addresses = {testing::Address("198.51.100.1")};
  Set(HostId("b"), by_address);
  EXPECT_EQ(Send(Between("eth1", "")), Verdict::kDeny);
  EXPECT_THAT(graph_.unused(), IsEmpty());
  Set(model::InterfaceId{"eth1"}, model::Interface{{testing::Address("198.51.100.2")}});
  EXPECT_EQ(Send(Between("eth1", "")), Verdict::kContinue);
  ASSERT_EQ(graph_.unused().size(), 1U);
  EXPECT_EQ(graph_.unused()[0].object, "host endpoint host-a/b");
  Claim("w2", "*");
  Claim("w1", "*");
  static_cast<void>(graph_.Flush());
  ASSERT_EQ(graph_.unused().size(), 2U);
  EXPECT_EQ(graph_.unused()[1].reason, "host endpoint host-a/w1 has all interfaces");
}

TEST_F(HostTraps, TheSmallestIdHasTheInterfaceByNameOrByAddress) {
  Set(model::ProfileId{"open"}, testing::ProfileOf({Allow()}));
  model::HostEndpoint by_address;
  by_address.expected_addresses = {testing::Address("192.0.2.100")};
  by_address.profiles = {"open"};
  Set(HostId("b"), by_address);
  EXPECT_EQ(Send(ToHost()), Verdict::kDeny);
  Set(HostId("0"), by_address);
  EXPECT_EQ(Send(ToHost()), Verdict::kAccept);
  by_address.interface_name = "eth1";  // another name excludes, whatever the addresses
  Set(HostId("0"), by_address);
  EXPECT_EQ(Send(ToHost()), Verdict::kDeny);
}

TEST_F(HostTraps, InterfacesOfWorkloadsAreNeverHostInterfaces) {
  Set(model::InterfaceId{"cali1"}, model::Interface{{testing::Address("192.0.2.7")}});
  Claim("c", "cali1");
  Set(testing::EndpointId("web"), Web({"open"}));
  Set(model::ProfileId{"open"}, testing::ProfileOf({Allow()}));
  SetList("f", List::kForward, {Deny()});
  Packet from_eth1 = Knock();
  from_eth1.in_interface = "eth1";
  EXPECT_TRUE(Passes(from_eth1));
  ASSERT_EQ(graph_.unused().size(), 1U);
}

TEST_F(HostTraps, LabelsOfProfilesReachHostEndpointsAlsoAfterARebuild) {
  Claim("a", "eth0", {"labels"});
  model::Policy policy = testing::PolicyOf("zone == 'inner'", {Allow()});
  Set(testing::GlobalPolicy("p"), policy);
  EXPECT_EQ(Send(ToHost()), Verdict::kDeny);
  Set(model::ProfileId{"labels"}, model::Profile{{{"zone", "inner"}}, {}, {}});
  EXPECT_EQ(Send(ToHost()), Verdict::kAccept);
  Options options = testing::OptionsOfThisHost();
  options.filter_deny_action = DenyAction::kReject;
  Use(options);
  EXPECT_EQ(Send(ToHost()), Verdict::kAccept);
  Set(model::ProfileId{"labels"}, model::Profile{});
  EXPECT_EQ(Send(ToHost()), Verdict::kDeny);
}

}  // namespace
}  // namespace felix::compiler
