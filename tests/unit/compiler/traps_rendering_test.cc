// SPDX-License-Identifier: Apache-2.0
// Traps of the rendering: what the rules of the kernel cannot say in the words of the API.
#include "fmt/format.h"

#include "compiler/names.h"
#include "tests/unit/compiler/traps.h"

namespace felix::compiler {
namespace {

using model::IpFamily;
using testing::Allow;
using testing::Deny;
using testing::Pass;
using testing::Verdict;

// Five networks are more than are copied, so each list is a condition of its own.
std::vector<model::Cidr> FiveNets(int third) {
  std::vector<model::Cidr> nets;
  for (int i = 0; i < 5; ++i) nets.push_back(testing::Net(fmt::format("10.{}.{}.0/30", third, i)));
  return nets;
}

TEST_F(Traps, T23_OfThreeMatchBlocksEachMustHold) {
  model::PolicyRule rule = Allow();
  rule.protocol = model::kTcp;
  rule.source.nets = FiveNets(1);
  rule.destination.nets = FiveNets(0);
  for (std::uint16_t port = 2; port < 82; port = static_cast<std::uint16_t>(port + 2)) {
    rule.destination.ports.ranges.push_back({port, port});
  }
  SetPolicy("p", {rule});
  model::WorkloadEndpoint web = testing::Endpoint("cali1", {"10.0.0.1"});
  Set(testing::EndpointId("web"), web);
  EXPECT_TRUE(Passes(Knock("10.1.0.1")));
  EXPECT_FALSE(Passes(Knock("10.2.0.1")));  // the first block fails
  testing::Packet packet = Knock("10.1.0.1");
  packet.destination_port = 81;
  EXPECT_FALSE(Passes(packet));  // the last block fails
}

TEST_F(Traps, T24_ARuleThatLosesItsNetsInAFamilyIsGoneThere) {
  model::PolicyRule rule = Allow();
  rule.source.nets = testing::Nets({"192.0.2.0/24"});
  SetPolicy("p", {rule});
  EXPECT_EQ(RulesOf("p", IpFamily::kV4), 1U);
  EXPECT_EQ(RulesOf("p", IpFamily::kV6), 0U);
  EXPECT_FALSE(Passes(Knock("2001:db8::1")));
}

TEST_F(Traps, T25_ARuleThatExcludesEverythingIsLeftOut) {
  model::PolicyRule rule = Allow();
  rule.source.not_nets = testing::Nets({"0.0.0.0/0", "::/0"});
  SetPolicy("p", {rule});
  EXPECT_EQ(RulesOf("p"), 0U);
  EXPECT_EQ(RulesOf("p", IpFamily::kV6), 0U);
}

TEST_F(Traps, T26_ARangeOfPortsTakesTwoOfFifteenSlots) {
  model::PolicyRule rule = Allow();
  rule.protocol = model::kTcp;
  for (std::uint16_t i = 0; i < 8; ++i) {
    const auto first = static_cast<std::uint16_t>(100 + 10 * i);
    rule.destination.ports.ranges.push_back({first, static_cast<std::uint16_t>(first + 5)});
  }
  SetPolicy("p", {rule});
  EXPECT_EQ(RulesOf("p"), 2U);
  testing::Packet packet = Knock();
  packet.destination_port = 175;
  EXPECT_TRUE(Passes(packet));
  packet.destination_port = 176;
  EXPECT_FALSE(Passes(packet));

  std::swap(rule.destination.ports, rule.destination.not_ports);
  SetPolicy("p", {rule});
  EXPECT_EQ(RulesOf("p"), 1U);  // all negated parts must hold, so they are in one rule
  EXPECT_TRUE(Passes(packet));
  packet.destination_port = 175;
  EXPECT_FALSE(Passes(packet));
}

TEST_F(Traps, T27_PortsWithoutProtocolAreNeverSent) {
  model::PolicyRule rule = Allow();
  rule.destination.ports.ranges = {{80, 80}};
  SetPolicy("p", {rule});
  EXPECT_EQ(RulesOf("p"), 0U);
  rule.destination = {};
  rule.destination.not_ports.ranges = {{81, 81}};
  SetPolicy("p", {rule});
  EXPECT_EQ(RulesOf("p"), 0U);
}

TEST_F(Traps, T28_AnIcmpTypeWithoutProtocolMeansTheIcmpOfTheFamily) {
  model::PolicyRule rule = Allow();
  rule.icmp = model::IcmpMatch{.type = 8, .code = {}};
  SetPolicy("p", {rule});
  EXPECT_FALSE(Passes(Knock()));
  for (const char* source : {"192.0.2.1", "2001:db8::1"}) {
    testing::Packet packet = Knock(source);
    packet.protocol = packet.family() == IpFamily::kV4 ? model::kIcmp : model::kIcmpV6;
    packet.icmp_type = 8;
    EXPECT_TRUE(Passes(packet)) << source;
    packet.icmp_type = 0;
    EXPECT_FALSE(Passes(packet)) << source;
  }
}

TEST_F(Traps, T29_AnIcmpTypeOfTheOtherFamilyIsLeftOut) {
  model::PolicyRule rule = Allow();
  rule.protocol = model::kIcmp;
  rule.icmp = model::IcmpMatch{.type = 8, .code = {}};
  SetPolicy("p", {rule});
  EXPECT_EQ(RulesOf("p", IpFamily::kV4), 1U);
  EXPECT_EQ(RulesOf("p", IpFamily::kV6), 0U);
}

TEST_F(Traps, T30_TypeZeroAndCodeZeroAreAsked) {
  model::PolicyRule rule = Allow();
  rule.protocol = model::kIcmp;
  rule.icmp = model::IcmpMatch{.type = 0, .code = 0};
  SetPolicy("p", {rule});
  testing::Packet packet = Knock();
  packet.protocol = model::kIcmp;
  EXPECT_TRUE(Passes(packet));
  packet.icmp_code = 1;
  EXPECT_FALSE(Passes(packet));
}

TEST_F(Traps, T34_AnEmptyPolicyHasAChainWithoutEffect) {
  SetPolicy("empty", {}, "default", 1);
  SetPolicy("p", {Allow()}, "default", 2);
  EXPECT_EQ(RulesOf("empty"), 0U);
  EXPECT_TRUE(Passes(Knock()));
}

TEST_F(Traps, T35_AProfileAcceptsAfterPassedTiersAndItsPassIsNoAccept) {
  Set(testing::EndpointId("web"), Web({"one"}));
  SetPolicy("p", {Pass()});
  Set(model::ProfileId{"one"}, testing::ProfileOf({Allow()}));
  EXPECT_TRUE(Passes(Knock()));
  Set(model::ProfileId{"one"}, testing::ProfileOf({Pass()}));
  EXPECT_FALSE(Passes(Knock()));
}

TEST_F(Traps, T36_AnAcceptIsFinalAndAPassEndsWithItsTier) {
  Set(model::TierId{"first"}, model::Tier{.order = 1, .default_action = {}});
  Set(model::TierId{"second"}, model::Tier{.order = 2, .default_action = {}});
  SetPolicy("one", {Allow()}, "first");
  SetPolicy("two", {Deny()}, "second");
  EXPECT_TRUE(Passes(Knock()));
  SetPolicy("one", {Pass()}, "first");
  SetPolicy("two", {}, "second");
  EXPECT_FALSE(Passes(Knock()));  // the mark of the first tier must not pass the second
}

TEST_F(Traps, T38_WithAllowActionReturnEstablishedPacketsGoOn) {
  Options options = testing::OptionsOfThisHost();
  options.filter_allow_action = AllowAction::kReturn;
  graph_.SetOptions(options);
  testing::Packet packet = Knock();
  EXPECT_EQ(Send(packet), Verdict::kDeny);
  packet.conntrack = testing::ConntrackState::kEstablished;
  EXPECT_EQ(Send(packet), Verdict::kContinue);
}

TEST_F(Traps, T39_ForeignMarksMeanNothingHere) {
  testing::Packet packet = Knock();
  packet.mark = 0xffffffff;
  EXPECT_FALSE(Passes(packet));
  SetPolicy("p", {Allow()});
  EXPECT_TRUE(Passes(packet));
}

// The only text of others that we hand to the kernel: no rule of ours has a comment from outside.
TEST_F(Traps, T43_ALineEndInTextDoesNotReachTheKernel) {
  Options options = testing::OptionsOfThisHost();
  options.log_prefix = "a\nb\"c\\";
  graph_.SetOptions(options);
  SetPolicy("p", {testing::Rule(model::RuleAction::kLog)});
  ASSERT_EQ(RulesOf("p"), 1U);
  const auto* log = std::get_if<ir::Log>(&FindChain("cali-pi-gnp/p")->rules[0].action);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->prefix, "a_b\"c\\: ");
}

TEST_F(Traps, T44_ALogPrefixIsCutToWhatTheKernelHolds) {
  Options options = testing::OptionsOfThisHost();
  options.log_prefix = std::string(60, 'x');
  graph_.SetOptions(options);
  SetPolicy("p", {testing::Rule(model::RuleAction::kLog)});
  ASSERT_EQ(RulesOf("p"), 1U);
  const auto* log = std::get_if<ir::Log>(&FindChain("cali-pi-gnp/p")->rules[0].action);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->prefix.size(), 29U);
}

TEST_F(Traps, T45_AnInterfaceNamedLikeThePrefixOfOthersKeepsItsOwnChain) {
  SetPolicy("p", {Allow()});
  model::Policy closed = testing::PolicyOf("closed == 'yes'", {Deny()});
  closed.order = -1;
  Set(testing::GlobalPolicy("closed"), closed);
  for (int i = 0; i < 30; ++i) {
    Set(testing::EndpointId(fmt::format("x{}", i)),
        testing::Endpoint(fmt::format("cali1{}", i), {fmt::format("10.0.1.{}", i)},
                          {{"closed", "yes"}}));
  }
  EXPECT_TRUE(Passes(Knock()));
  testing::Packet packet = Knock();
  packet.out_interface = "cali12";
  EXPECT_FALSE(Passes(packet));
}

TEST_F(Traps, T46_OfTwoEndpointsOfOneInterfaceTheSmallerIdWins) {
  SetPolicy("p", {Allow()});
  model::WorkloadEndpoint down = Web();
  down.admin_up = false;
  Set(testing::EndpointId("zzz"), down);
  EXPECT_TRUE(Passes(Knock()));
  Set(testing::EndpointId("aaa"), down);
  EXPECT_FALSE(Passes(Knock()));
  EXPECT_EQ(graph_.unused().size(), 2U);
}

TEST_F(Traps, T47_LongNamesAreHashedAndStayApart) {
  const std::string base(40, 'n');
  const std::string one = ProfileChainName(base + "1", Direction::kIngress);
  EXPECT_LE(one.size(), kMaxChainName);
  EXPECT_NE(one, ProfileChainName(base + "2", Direction::kIngress));
  const std::string full = "_" + std::string(kMaxChainName - 10, 'x');
  EXPECT_NE(ProfileChainName(full, Direction::kIngress), "cali-pri-" + full);
}

TEST_F(Traps, T48_OneNameInTwoKindsIsTwoChains) {
  Set(testing::GlobalPolicy("p"), testing::PolicyOf("all()", {Pass()}));
  Set(model::PolicyId{model::PolicyKind::kNetworkPolicy, "shop", "p"},
      testing::PolicyOf("all()", {Allow()}));
  static_cast<void>(graph_.Flush());
  EXPECT_NE(FindChain("cali-pi-gnp/p"), nullptr);
  EXPECT_NE(FindChain("cali-pi-np/shop/p"), nullptr);
}

TEST_F(Traps, T54_NeighbourDiscoveryIsExemptAndOtherIcmpIsNot) {
  testing::Packet packet = Knock("2001:db8::1");
  packet.source = testing::Address("fe80::1234");
  packet.destination = testing::Address("fe80::1");
  packet.in_interface = "cali1";
  packet.out_interface = "";
  packet.protocol = model::kIcmpV6;
  for (const std::uint8_t type :
       std::initializer_list<std::uint8_t>{130, 131, 132, 133, 135, 136}) {
    packet.icmp_type = type;
    EXPECT_TRUE(Passes(packet)) << static_cast<int>(type);
  }
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{128, 134, 137}) {
    packet.icmp_type = type;
    EXPECT_FALSE(Passes(packet)) << static_cast<int>(type);
  }
}

TEST_F(Traps, T55_ReturnToTheHostGoesOnBehindTheHook) {
  SetPolicy("p", {Allow()});
  testing::Packet packet = Knock();
  packet.source = testing::Address("10.0.0.1");
  packet.destination = testing::Address("10.255.0.1");
  packet.in_interface = "cali1";
  packet.out_interface = "";
  EXPECT_EQ(Send(packet), Verdict::kDeny);
  Options options = testing::OptionsOfThisHost();
  options.endpoint_to_host_action = EndpointToHostAction::kReturn;
  graph_.SetOptions(options);
  EXPECT_EQ(Send(packet), Verdict::kContinue);
}

TEST_F(Traps, T56_BetweenTwoPrefixesBothPoliciesApply) {
  Options options = testing::OptionsOfThisHost();
  options.interface_prefixes = {"cali", "tap"};
  graph_.SetOptions(options);
  Set(testing::EndpointId("vm"), testing::Endpoint("tap1", {"10.0.0.2"}, {{"app", "vm"}}));
  testing::Packet packet = Knock("10.0.0.2");
  packet.in_interface = "tap1";
  Set(testing::GlobalPolicy("web"), testing::PolicyOf("app == 'web'", {Allow()}));
  EXPECT_FALSE(Passes(packet));
  Set(testing::GlobalPolicy("vm"), testing::PolicyOf("app == 'vm'", {Allow()}));
  EXPECT_TRUE(Passes(packet));
  Remove(testing::GlobalPolicy("web"));
  EXPECT_FALSE(Passes(packet));
}

}  // namespace
}  // namespace felix::compiler
