// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>

#include "gtest/gtest.h"

#include "compiler/ir/desired_state.h"
#include "compiler/ir/print.h"

namespace felix::ir {
namespace {

using model::Cidr;
using model::IpFamily;

Cidr Net(std::string_view text) {
  return Cidr::Parse(text).value_or(Cidr());
}

std::string PrintedMatch(Match match, IpFamily family = IpFamily::kV4) {
  return Print(When(std::move(match)).Then(Drop{}), family);
}

std::string PrintedAction(Action action) {
  return Print(Rule{.matches = {}, .action = std::move(action), .provenance = {}}, IpFamily::kV4);
}

TEST(Print, WritesInterfaces) {
  using Way = InterfaceMatch::Way;
  EXPECT_EQ(PrintedMatch(InterfaceMatch{Way::kIn, "cali1", false, false}), "-i cali1 -j DROP");
  EXPECT_EQ(PrintedMatch(InterfaceMatch{Way::kOut, "cali", true, true}), "! -o cali+ -j DROP");
}

TEST(Print, WritesAddressesAndProtocols) {
  EXPECT_EQ(PrintedMatch(AddressMatch{Side::kSource, Net("10.0.0.1"), false}),
            "-s 10.0.0.1/32 -j DROP");
  EXPECT_EQ(PrintedMatch(AddressMatch{Side::kDestination, Net("fd00::/8"), true}, IpFamily::kV6),
            "! -d fd00::/8 -j DROP");
  EXPECT_EQ(PrintedMatch(ProtocolMatch{model::kTcp, false}), "-p tcp -j DROP");
  EXPECT_EQ(PrintedMatch(ProtocolMatch{model::Protocol{47}, true}), "! -p 47 -j DROP");
}

TEST(Print, WritesPorts) {
  EXPECT_EQ(PrintedMatch(PortsMatch{Side::kDestination, {{80, 80}, {90, 99}}, false}),
            "-m multiport --dports 80,90:99 -j DROP");
  EXPECT_EQ(PrintedMatch(PortsMatch{Side::kSource, {{53, 53}}, true}),
            "-m multiport ! --sports 53 -j DROP");
}

TEST(Print, WritesSets) {
  EXPECT_EQ(PrintedMatch(SetMatch{"s:a", false, Side::kSource, false}),
            "-m set --match-set s:a src -j DROP");
  EXPECT_EQ(PrintedMatch(SetMatch{"n:a", true, Side::kDestination, true}),
            "-m set ! --match-set n:a dst,dst -j DROP");
}

TEST(Print, WritesIcmpByFamily) {
  const IcmpTypeMatch echo{model::IcmpMatch{.type = 8, .code = std::nullopt}, false};
  EXPECT_EQ(PrintedMatch(echo), "-m icmp --icmp-type 8 -j DROP");
  const IcmpTypeMatch unreachable{model::IcmpMatch{.type = 1, .code = 0}, true};
  EXPECT_EQ(PrintedMatch(unreachable, IpFamily::kV6), "-m icmp6 ! --icmpv6-type 1/0 -j DROP");
}

TEST(Print, WritesConnectionStatesAndMarks) {
  const std::uint8_t both = ConntrackMatch::kEstablished | ConntrackMatch::kRelated;
  EXPECT_EQ(PrintedMatch(ConntrackMatch{both, false}),
            "-m conntrack --ctstate RELATED,ESTABLISHED -j DROP");
  EXPECT_EQ(PrintedMatch(ConntrackMatch{ConntrackMatch::kInvalid | ConntrackMatch::kNew, true}),
            "-m conntrack ! --ctstate INVALID,NEW -j DROP");
  EXPECT_EQ(PrintedMatch(ConntrackMatch{ConntrackMatch::kDnat, true}),
            "-m conntrack ! --ctstate DNAT -j DROP");
  EXPECT_EQ(PrintedMatch(MarkMatch{0x10000, 0x30000, false}),
            "-m mark --mark 0x10000/0x30000 -j DROP");
  EXPECT_EQ(PrintedMatch(MarkMatch{0, 0x10000, true}), "-m mark ! --mark 0x0/0x10000 -j DROP");
}

TEST(Print, WritesLocalAddressesReversePathsAndLimits) {
  EXPECT_EQ(PrintedMatch(LocalAddressMatch{.side = Side::kSource, .of_out_interface = true}),
            "-m addrtype --src-type LOCAL --limit-iface-out -j DROP");
  EXPECT_EQ(PrintedMatch(LocalAddressMatch{.side = Side::kDestination, .negated = true}),
            "-m addrtype ! --dst-type LOCAL -j DROP");
  EXPECT_EQ(PrintedMatch(ReversePathMatch{.with_mark = true, .negated = true}),
            "-m rpfilter --validmark --invert -j DROP");
  EXPECT_EQ(PrintedMatch(LimitMatch{.rate = 3, .unit = LimitMatch::Unit::kHour, .burst = 7}),
            "-m limit --limit 3/hour --limit-burst 7 -j DROP");
}

TEST(Print, WritesTranslations) {
  const model::IpAddress v4 = *model::IpAddress::Parse("192.0.2.1");
  const model::IpAddress v6 = *model::IpAddress::Parse("fd00::1");
  const model::PortRange range{.first = 1024, .last = 2048};
  EXPECT_EQ(PrintedAction(NoTrack{}), "-j CT --notrack");
  EXPECT_EQ(PrintedAction(MapSet{.set_id = "s:a", .dimensions = 2}),
            "-j SET --map-set s:a src,src --map-mark");
  EXPECT_EQ(PrintedAction(Masquerade{}), "-j MASQUERADE");
  EXPECT_EQ(PrintedAction(Masquerade{.ports = range, .fully_random = true}),
            "-j MASQUERADE --to-ports 1024:2048 --random-fully");
  EXPECT_EQ(PrintedAction(SourceNat{.address = v4, .ports = range}),
            "-j SNAT --to-source 192.0.2.1:1024:2048");
  EXPECT_EQ(PrintedAction(DestinationNat{.address = v6, .ports = {}}),
            "-j DNAT --to-destination fd00::1");
  EXPECT_EQ(PrintedAction(DestinationNat{.address = v6, .ports = range}),
            "-j DNAT --to-destination [fd00::1]:1024:2048");
  EXPECT_EQ(PrintedAction(NetlinkLog{.group = 2, .prefix = "x", .size = 80}),
            "-j NFLOG --nflog-group 2 --nflog-prefix \"x\" --nflog-size 80");
}

TEST(Limit, IsReadWithAnyBeginningOfItsUnit) {
  EXPECT_EQ(LimitText(*ParseLimit("10/m")), "10/minute");
  EXPECT_EQ(LimitText(*ParseLimit("10000/second")), "10000/second");
  EXPECT_EQ(LimitText(*ParseLimit("600000/minute")), "600000/minute");
  for (const char* text : {"", "10", "10/", "/minute", "10/minutes", "0/day", "-1/day", "10001/s",
                           "600001/minute", "1 /day", "99999999999/day"}) {
    EXPECT_FALSE(ParseLimit(text).has_value()) << text;
  }
}

TEST(Print, WritesActions) {
  EXPECT_EQ(PrintedAction(Accept{}), "-j ACCEPT");
  EXPECT_EQ(PrintedAction(Drop{}), "-j DROP");
  EXPECT_EQ(PrintedAction(Reject{}), "-j REJECT");
  EXPECT_EQ(PrintedAction(Return{}), "-j RETURN");
  EXPECT_EQ(PrintedAction(Jump{"cali-x"}), "-j cali-x");
  EXPECT_EQ(PrintedAction(Goto{"cali-x"}), "-g cali-x");
  EXPECT_EQ(PrintedAction(SetMark{0x10000, 0x10000}), "-j MARK --set-mark 0x10000/0x10000");
  EXPECT_EQ(PrintedAction(Log{"say \"hi\": ", 5}),
            R"(-j LOG --log-prefix "say \"hi\": " --log-level 5)");
}

TEST(Print, WritesMatchesInTheirOrderAndProvenanceLast) {
  Rule rule = When(ProtocolMatch{model::kTcp, false}, SetMatch{"s:a", false, Side::kSource, false})
                  .Then(Accept{});
  rule.provenance = Provenance{.owner = "gnp/x", .direction = Direction::kIngress, .rule_index = 0};
  EXPECT_EQ(Print(rule, IpFamily::kV4),
            "-p tcp -m set --match-set s:a src -j ACCEPT  # gnp/x ingress[0]");
  rule.provenance.direction = Direction::kEgress;
  EXPECT_EQ(Print(rule, IpFamily::kV4),
            "-p tcp -m set --match-set s:a src -j ACCEPT  # gnp/x egress[0]");
  rule.provenance = Provenance{.owner = "gnp/x"};
  EXPECT_EQ(Print(rule, IpFamily::kV4), "-p tcp -m set --match-set s:a src -j ACCEPT  # gnp/x");
}

TEST(Print, WritesAStateByFamilySetsFirstThenTables) {
  DesiredState state;
  AddressSet& nets = state.sets[SetKey{IpFamily::kV4, "s:a"}];
  for (const char* text : {"10.0.0.10", "10.0.0.0/24", "10.0.0.9"}) {
    nets.members.insert(SetMember{.net = Net(text), .protocol = {}, .port = 0});
  }
  AddressSet& ports = state.sets[SetKey{IpFamily::kV6, "n:a"}];
  ports.kind = SetKind::kIpPort;
  ports.members.insert(SetMember{.net = Net("fd00::1"), .protocol = model::kUdp, .port = 53});
  state.chains[ChainKey{IpFamily::kV4, Table::kFilter, "cali-b"}];
  state.chains[ChainKey{IpFamily::kV4, Table::kFilter, "cali-a"}].rules = {
      When(SetMatch{"s:a", false, Side::kSource, false}).Then(Accept{}), When().Then(Drop{})};
  state.chains[ChainKey{IpFamily::kV4, Table::kRaw, "cali-r"}].rules = {When().Then(Return{})};
  state.hooks[HookKey{.position = HookPosition::kFirst}] = {
      When().Then(Jump{"cali-a"}).Because("hook")};
  state.hooks[HookKey{.position = HookPosition::kLast}] = {When().Then(Accept{})};
  EXPECT_EQ(Print(state), R"(# IPv4
create s:a net
add s:a 10.0.0.0/24
add s:a 10.0.0.9
add s:a 10.0.0.10
*raw
:cali-r
-A cali-r -j RETURN
*filter
:cali-a
:cali-b
-I FORWARD -j cali-a  # hook
-A FORWARD -j ACCEPT
-A cali-a -m set --match-set s:a src -j ACCEPT
-A cali-a -j DROP
# IPv6
create n:a ip,port
add n:a fd00::1,udp:53
)");
}

TEST(Print, WritesNothingForNothing) {
  EXPECT_EQ(Print(DesiredState()), "");
}

}  // namespace
}  // namespace felix::ir
