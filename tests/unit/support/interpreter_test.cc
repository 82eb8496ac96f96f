// SPDX-License-Identifier: Apache-2.0
#include "tests/support/interpreter.h"

#include <gtest/gtest.h>

#include "tests/support/builders.h"

namespace felix::testing {
namespace {

using ir::BaseChain;
using ir::HookPosition;
using ir::Table;
using ir::When;
using model::IpFamily;

constexpr std::uint32_t kBit = 0x10000;

// Rules of the IPv4 filter table's FORWARD chain, and the packet that meets them.
struct Rules {
  ir::DesiredState state;
  Packet packet;

  Rules() {
    packet.source = Address("10.0.0.1");
    packet.destination = Address("10.0.0.2");
    packet.source_port = 40000;
    packet.destination_port = 80;
    packet.in_interface = "cali1";
    packet.out_interface = "cali12";
  }
  Rules& Hook(std::vector<ir::Rule> rules, HookPosition position = HookPosition::kFirst) {
    state.hooks[{IpFamily::kV4, Table::kFilter, BaseChain::kForward, position}] = std::move(rules);
    return *this;
  }
  std::vector<ir::Rule>& HookOf(Table table, BaseChain base) {
    return state.hooks[{IpFamily::kV4, table, base, HookPosition::kFirst}];
  }
  Rules& Chain(std::string name, std::vector<ir::Rule> rules, Table table = Table::kFilter) {
    state.chains[{IpFamily::kV4, table, std::move(name)}].rules = std::move(rules);
    return *this;
  }
  [[nodiscard]] Verdict Run() const { return testing::Run(state, packet); }
  [[nodiscard]] bool Holds(const ir::Match& match) const {
    return RuleMatches(state, When(match).Then(ir::Accept{}), packet);
  }
};

ir::Rule Do(ir::Action action) {
  return When().Then(std::move(action));
}

TEST(Interpreter, ContinuesWhereNobodyDecides) {
  EXPECT_EQ(Rules().Run(), Verdict::kContinue);
  EXPECT_EQ(Rules().Hook({Do(ir::Return{}), Do(ir::Drop{})}).Run(), Verdict::kContinue);
  EXPECT_EQ(Rules().Hook({Do(ir::Log{"x"})}).Run(), Verdict::kContinue);
}

TEST(Interpreter, TellsWhoDecidedAndHowManyRulesItTook) {
  Rules rules;
  rules.Hook({Do(ir::Jump{"a"})});
  rules.Chain("a", {Do(ir::Log{"x"}), Do(ir::Accept{}).Because("policy gnp/x")});
  const Trace trace = Interpret(rules.state, rules.packet);
  EXPECT_EQ(trace.verdict, Verdict::kAccept);
  EXPECT_EQ(trace.rules_visited, 3);
  EXPECT_EQ(trace.decided_by.owner, "policy gnp/x");
}

TEST(Interpreter, CountsARefusalAsADeny) {
  EXPECT_EQ(Rules().Hook({Do(ir::Reject{})}).Run(), Verdict::kDeny);
  EXPECT_EQ(Rules().Hook({Do(ir::Drop{})}).Run(), Verdict::kDeny);
}

TEST(Interpreter, RunsLastRulesBehindFirstOnes) {
  Rules rules;
  rules.Hook({Do(ir::Drop{})}, HookPosition::kLast);
  EXPECT_EQ(rules.Run(), Verdict::kDeny);
  rules.Hook({Do(ir::Accept{})}, HookPosition::kFirst);
  EXPECT_EQ(rules.Run(), Verdict::kAccept);
}

TEST(Interpreter, ComesBackBehindAJump) {
  Rules rules;
  rules.Hook({Do(ir::Jump{"a"}), Do(ir::Accept{})});
  rules.Chain("a", {Do(ir::Jump{"b"}), Do(ir::Return{}), Do(ir::Drop{})});
  rules.Chain("b", {});
  EXPECT_EQ(rules.Run(), Verdict::kAccept);
  rules.Chain("b", {Do(ir::Drop{})});
  EXPECT_EQ(rules.Run(), Verdict::kDeny);
}

TEST(Interpreter, AGotoComesBackToWhereItsChainWouldHave) {
  Rules rules;
  rules.Hook({Do(ir::Jump{"a"}), Do(ir::Accept{})});
  rules.Chain("a", {Do(ir::Goto{"b"}), Do(ir::Drop{})});
  rules.Chain("b", {Do(ir::Return{})});
  EXPECT_EQ(rules.Run(), Verdict::kAccept);
  rules.Chain("b", {});
  EXPECT_EQ(rules.Run(), Verdict::kAccept);
}

TEST(Interpreter, AGotoOfABaseChainSkipsTheRestOfIt) {
  Rules rules;
  rules.Hook({Do(ir::Goto{"a"}), Do(ir::Drop{})});
  rules.Hook({Do(ir::Drop{})}, HookPosition::kLast);
  rules.Chain("a", {});
  EXPECT_EQ(rules.Run(), Verdict::kContinue);
}

TEST(Interpreter, KeepsMarksAndForgetsThemOutsideOfTheMask) {
  Rules rules;
  rules.packet.mark = 1;
  rules.Hook({Do(ir::SetMark{kBit, kBit}), When(ir::MarkMatch{1, 1}).Then(ir::Jump{"a"}),
              When(ir::MarkMatch{kBit, kBit}).Then(ir::Drop{}),
              When(ir::MarkMatch{0, kBit}).Then(ir::Accept{})});
  rules.Chain("a", {Do(ir::SetMark{0, kBit})});
  EXPECT_EQ(rules.Run(), Verdict::kAccept);
  rules.packet.mark = 0;
  EXPECT_EQ(rules.Run(), Verdict::kDeny);
}

TEST(Interpreter, CarriesMarksFromTableToTable) {
  Rules rules;
  rules.state.hooks[{IpFamily::kV4, Table::kRaw, BaseChain::kPrerouting, HookPosition::kFirst}] = {
      Do(ir::SetMark{kBit, kBit}), Do(ir::Accept{})};
  rules.Hook({When(ir::MarkMatch{kBit, kBit}).Then(ir::Drop{})});
  EXPECT_EQ(rules.Run(), Verdict::kDeny);
}

TEST(Interpreter, DropsInTablesBesideFilter) {
  Rules rules;
  rules.Hook({Do(ir::Accept{})});
  rules.state
      .hooks[{IpFamily::kV4, Table::kMangle, BaseChain::kPostrouting, HookPosition::kFirst}] = {
      When(ir::InterfaceMatch{ir::InterfaceMatch::Way::kIn, "cali1"}).Then(ir::Drop{})};
  EXPECT_EQ(rules.Run(), Verdict::kAccept) << "POSTROUTING knows no way in";
  rules.state.hooks[{IpFamily::kV4, Table::kRaw, BaseChain::kPrerouting, HookPosition::kFirst}] = {
      When(ir::InterfaceMatch{ir::InterfaceMatch::Way::kIn, "cali1"}).Then(ir::Drop{})};
  EXPECT_EQ(rules.Run(), Verdict::kDeny);
}

TEST(Interpreter, ChoosesTheBaseChainByTheInterfaces) {
  Rules rules;
  for (const BaseChain base : {BaseChain::kInput, BaseChain::kForward, BaseChain::kOutput}) {
    rules.state.hooks[{IpFamily::kV4, Table::kFilter, base, HookPosition::kFirst}] = {
        Do(ir::Accept{}).Because(std::string(ir::BaseChainName(base)))};
  }
  const auto met = [&] { return Interpret(rules.state, rules.packet).decided_by.owner; };
  EXPECT_EQ(met(), "FORWARD");
  rules.packet.out_interface.clear();
  EXPECT_EQ(met(), "INPUT");
  rules.packet.out_interface = std::exchange(rules.packet.in_interface, "");
  rules.packet.out_interface = "eth0";
  EXPECT_EQ(met(), "OUTPUT");
}

TEST(Interpreter, KeepsTheFamiliesApart) {
  Rules rules;
  rules.Hook({Do(ir::Drop{})});
  rules.packet.source = Address("fd00::1");
  rules.packet.destination = Address("fd00::2");
  EXPECT_EQ(rules.Run(), Verdict::kContinue);
}

TEST(InterpreterMatch, Interfaces) {
  using Way = ir::InterfaceMatch::Way;
  Rules rules;
  EXPECT_TRUE(rules.Holds(ir::InterfaceMatch{Way::kIn, "cali1"}));
  EXPECT_FALSE(rules.Holds(ir::InterfaceMatch{Way::kOut, "cali1"}));
  EXPECT_TRUE(rules.Holds(ir::InterfaceMatch{Way::kOut, "cali1", true}));
  EXPECT_FALSE(rules.Holds(ir::InterfaceMatch{Way::kOut, "cali1", true, true}));
  EXPECT_FALSE(rules.Holds(ir::InterfaceMatch{Way::kOut, "tap", true}));
  rules.packet.out_interface.clear();
  EXPECT_FALSE(rules.Holds(ir::InterfaceMatch{Way::kOut, "cali", true}));
  EXPECT_TRUE(rules.Holds(ir::InterfaceMatch{Way::kOut, "cali", true, true}));
}

TEST(InterpreterMatch, AddressesAndProtocols) {
  const Rules rules;
  EXPECT_TRUE(rules.Holds(ir::AddressMatch{ir::Side::kSource, Net("10.0.0.0/31")}));
  EXPECT_FALSE(rules.Holds(ir::AddressMatch{ir::Side::kDestination, Net("10.0.0.0/31")}));
  EXPECT_TRUE(rules.Holds(ir::AddressMatch{ir::Side::kDestination, Net("10.0.0.0/31"), true}));
  EXPECT_TRUE(rules.Holds(ir::ProtocolMatch{model::kTcp}));
  EXPECT_FALSE(rules.Holds(ir::ProtocolMatch{model::kTcp, true}));
}

TEST(InterpreterMatch, PortsAndIcmp) {
  Rules rules;
  const auto matches = [&](const ir::Match& match) {
    const auto protocol = ir::ProtocolMatch{rules.packet.protocol};
    return RuleMatches(rules.state, When(protocol, match).Then(ir::Accept{}), rules.packet);
  };
  EXPECT_TRUE(matches(ir::PortsMatch{ir::Side::kDestination, {{22, 22}, {80, 90}}}));
  EXPECT_FALSE(matches(ir::PortsMatch{ir::Side::kDestination, {{22, 22}, {80, 90}}, true}));
  EXPECT_FALSE(matches(ir::PortsMatch{ir::Side::kSource, {{80, 90}}}));
  rules.packet.protocol = model::kIcmp;
  rules.packet.icmp_type = 3;
  rules.packet.icmp_code = 1;
  EXPECT_TRUE(matches(ir::IcmpTypeMatch{{3, std::nullopt}}));
  EXPECT_TRUE(matches(ir::IcmpTypeMatch{{3, 1}}));
  EXPECT_FALSE(matches(ir::IcmpTypeMatch{{3, 0}}));
  EXPECT_TRUE(matches(ir::IcmpTypeMatch{{3, 0}, true}));
}

TEST(InterpreterMatch, ConntrackStates) {
  Rules rules;
  using ir::ConntrackMatch;
  const ConntrackMatch known{ConntrackMatch::kEstablished | ConntrackMatch::kRelated};
  const ConntrackMatch unknown{ConntrackMatch::kNew | ConntrackMatch::kInvalid, true};
  for (const auto state : {ConntrackState::kEstablished, ConntrackState::kRelated}) {
    rules.packet.conntrack = state;
    EXPECT_TRUE(rules.Holds(known) && rules.Holds(unknown));
  }
  for (const auto state : {ConntrackState::kNew, ConntrackState::kInvalid}) {
    rules.packet.conntrack = state;
    EXPECT_FALSE(rules.Holds(known) || rules.Holds(unknown));
  }
  rules.packet.conntrack = ConntrackState::kUntracked;
  EXPECT_FALSE(rules.Holds(known));
  EXPECT_TRUE(rules.Holds(unknown));
}

TEST(InterpreterMatch, Sets) {
  Rules rules;
  ir::AddressSet nets;
  nets.members = {{Net("10.0.0.0/31"), {}, 0}, {Net("192.0.2.0/24"), {}, 0}};
  ir::AddressSet ports{ir::SetKind::kIpPort, {{Net("10.0.0.2/32"), model::kTcp, 80}}};
  rules.state.sets[{IpFamily::kV4, "s:nets"}] = nets;
  rules.state.sets[{IpFamily::kV4, "n:ports"}] = ports;
  EXPECT_TRUE(rules.Holds(ir::SetMatch{"s:nets", false, ir::Side::kSource}));
  EXPECT_FALSE(rules.Holds(ir::SetMatch{"s:nets", false, ir::Side::kDestination}));
  EXPECT_TRUE(rules.Holds(ir::SetMatch{"s:nets", false, ir::Side::kDestination, true}));
  EXPECT_TRUE(rules.Holds(ir::SetMatch{"n:ports", true, ir::Side::kDestination}));
  EXPECT_FALSE(rules.Holds(ir::SetMatch{"n:ports", true, ir::Side::kSource}));
  rules.packet.protocol = model::kUdp;
  EXPECT_FALSE(rules.Holds(ir::SetMatch{"n:ports", true, ir::Side::kDestination}));
  rules.packet.protocol = model::kIcmp;
  EXPECT_TRUE(rules.Holds(ir::SetMatch{"n:ports", true, ir::Side::kDestination, true}));
}

TEST(InterpreterMatch, AddressesOfTheHostReversePathsAndLimits) {
  Rules rules;
  const ir::LocalAddressMatch source{.side = ir::Side::kSource};
  ir::LocalAddressMatch leaving = source;
  leaving.of_out_interface = true;
  EXPECT_FALSE(rules.Holds(source));
  rules.packet.host_addresses = {{rules.packet.source, "eth7"}};
  EXPECT_TRUE(rules.Holds(source));
  EXPECT_FALSE(rules.Holds(ir::LocalAddressMatch{.side = ir::Side::kDestination}));
  EXPECT_FALSE(rules.Holds(leaving));
  rules.packet.out_interface = "eth7";
  EXPECT_TRUE(rules.Holds(leaving));
  EXPECT_TRUE(rules.Holds(ir::ReversePathMatch{}));
  rules.packet.fails_reverse_path = true;
  EXPECT_TRUE(rules.Holds(ir::ReversePathMatch{.negated = true}));
  EXPECT_TRUE(rules.Holds(ir::LimitMatch{}));
}

// A packet through the host whose destination is translated before it is filtered.
TEST(InterpreterNat, TranslatesNewPacketsBeforeTheyAreFiltered) {
  using ir::BaseChain;
  using ir::Table;
  Packet packet;
  packet.source = *model::IpAddress::Parse("10.0.0.1");
  packet.destination = *model::IpAddress::Parse("192.0.2.1");
  packet.in_interface = "a";
  packet.out_interface = "b";
  const model::IpAddress inner = *model::IpAddress::Parse("10.0.0.9");
  ir::DesiredState state;
  state.hooks[{.table = Table::kNat, .base = BaseChain::kPrerouting}] = {
      When().Then(ir::DestinationNat{.address = inner, .ports = {}}), When().Then(ir::Drop{})};
  state.hooks[{.table = Table::kFilter, .base = BaseChain::kForward}] = {
      When(ir::AddressMatch{.side = ir::Side::kDestination, .net = model::Cidr::Host(inner)})
          .Then(ir::Accept{}),
      When().Then(ir::Drop{})};
  state.hooks[{.table = Table::kNat, .base = BaseChain::kPostrouting}] = {
      When().Then(ir::Masquerade{})};
  const Trace trace = Interpret(state, packet);
  EXPECT_EQ(trace.verdict, Verdict::kAccept);
  EXPECT_EQ(trace.translations,
            (std::vector<ir::Action>{ir::DestinationNat{.address = inner, .ports = {}},
                                     ir::Masquerade{}}));
  packet.conntrack = ConntrackState::kEstablished;
  EXPECT_EQ(Interpret(state, packet).verdict, Verdict::kDeny);
  EXPECT_TRUE(Interpret(state, packet).translations.empty());
}

ir::Rule DropTranslated(bool negated = false) {
  return When(ir::ConntrackMatch{ir::ConntrackMatch::kDnat, negated}).Then(ir::Drop{});
}

TEST(InterpreterNat, RedirectsForOthersBehindOurRules) {
  Rules rules;
  rules.packet.redirection = Redirection{Address("10.0.0.9"), 8080};
  const ir::Rule drop_first =
      When(ir::AddressMatch{ir::Side::kDestination, Net("10.0.0.2/32")}).Then(ir::Drop{});
  rules.Hook({drop_first});
  EXPECT_EQ(rules.Run(), Verdict::kContinue);
  rules.Hook({DropTranslated()});
  EXPECT_EQ(rules.Run(), Verdict::kDeny);
  rules.packet.conntrack = ConntrackState::kEstablished;
  EXPECT_EQ(rules.Run(), Verdict::kDeny);
  rules.packet.conntrack = ConntrackState::kInvalid;
  EXPECT_EQ(rules.Run(), Verdict::kContinue);
  rules.packet.conntrack = ConntrackState::kNew;
  rules.Hook({});
  rules.HookOf(Table::kMangle, BaseChain::kPrerouting) = {DropTranslated()};
  EXPECT_EQ(rules.Run(), Verdict::kContinue);
  rules.HookOf(Table::kNat,
               BaseChain::kPrerouting) = {Do(ir::DestinationNat{Address("10.0.0.2"), {}, false})};
  rules.Hook({drop_first});
  EXPECT_EQ(rules.Run(), Verdict::kDeny) << "ours came first";
}

TEST(InterpreterNat, KnowsTheNewWayOfTheHostsPacketOnlyBehindOutput) {
  Rules rules;
  rules.packet.in_interface.clear();
  rules.packet.redirection = Redirection{Address("10.0.0.9"), 8080};
  rules.packet.first_out_interface = "eth0";
  rules.packet.out_interface = "eth1";
  const auto leaves_by = [](const char* name) {
    return When(ir::InterfaceMatch{ir::InterfaceMatch::Way::kOut, name}).Then(ir::Drop{});
  };
  rules.HookOf(Table::kFilter, BaseChain::kOutput) = {leaves_by("eth1")};
  rules.HookOf(Table::kMangle, BaseChain::kPostrouting) = {leaves_by("eth0")};
  EXPECT_EQ(rules.Run(), Verdict::kContinue);
  rules.HookOf(Table::kFilter, BaseChain::kOutput) = {leaves_by("eth0")};
  EXPECT_EQ(rules.Run(), Verdict::kDeny);
  rules.HookOf(Table::kFilter, BaseChain::kOutput).clear();
  rules.HookOf(Table::kMangle, BaseChain::kPostrouting) = {leaves_by("eth1")};
  EXPECT_EQ(rules.Run(), Verdict::kDeny);
  rules.packet.conntrack = ConntrackState::kUntracked;
  EXPECT_EQ(rules.Run(), Verdict::kContinue) << "nobody translates it";
}

TEST(Interpreter, GoesOnBehindNoTrackAndTranslatesNothing) {
  Rules rules;
  rules.HookOf(Table::kRaw, BaseChain::kPrerouting) = {Do(ir::NoTrack{})};
  rules.packet.redirection = Redirection{Address("10.0.0.9"), 8080};
  rules.Hook({When(ir::ConntrackMatch{ir::ConntrackMatch::kNew | ir::ConntrackMatch::kDnat |
                                      ir::ConntrackMatch::kInvalid})
                  .Then(ir::Drop{})});
  EXPECT_EQ(rules.Run(), Verdict::kContinue);
  rules.HookOf(Table::kRaw, BaseChain::kPrerouting).push_back(Do(ir::Drop{}));
  EXPECT_EQ(rules.Run(), Verdict::kDeny);
}

TEST(InterpreterDeathTest, EndsWhereAKernelWouldRefuse) {
  EXPECT_DEATH(static_cast<void>(Rules().Hook({Do(ir::Jump{"gone"})}).Run()), "no chain gone");
  EXPECT_DEATH(static_cast<void>(Rules().Holds(ir::SetMatch{"s:gone"})), "no set s:gone");
  EXPECT_DEATH(static_cast<void>(Rules().Holds(ir::PortsMatch{ir::Side::kDestination, {{1, 2}}})),
               "ports without a protocol");
  EXPECT_DEATH(static_cast<void>(Rules().Holds(ir::IcmpTypeMatch{{3, std::nullopt}})),
               "without its protocol");
  std::vector<model::PortRange> many(8, {1, 2});
  EXPECT_DEATH(static_cast<void>(RuleMatches(
                   {},
                   When(ir::ProtocolMatch{model::kTcp}, ir::PortsMatch{ir::Side::kSource, many})
                       .Then(ir::Accept{}),
                   Rules().packet)),
               "too many");
}

}  // namespace
}  // namespace felix::testing
