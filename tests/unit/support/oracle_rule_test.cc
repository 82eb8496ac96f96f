// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/support/oracle_world.h"

namespace felix::testing {
namespace {

using model::PolicyRule;

// Whether an allow rule of an otherwise silent profile of `db` lets the packet in.
bool Matches(const PolicyRule& rule, const Packet& packet, OracleWorld world = {}) {
  world.resources.Add(model::ProfileId{"open"}, [&] {
    model::Profile profile = ProfileOf({Allow()});
    profile.ingress = {rule};
    return profile;
  }());
  return world.Judge(packet) == Verdict::kAccept;
}

Packet ToPort(std::uint16_t port, model::Protocol protocol = model::kTcp) {
  Packet packet = WebToDb();
  packet.destination_port = port;
  packet.protocol = protocol;
  return packet;
}

// The world with named ports on `db`, on `far`, and on a twin that shares db's address.
OracleWorld WorldWithPorts() {
  OracleWorld world;
  auto db = OracleWorld::Db();
  db.ports = {{"sql", model::kTcp, 5432}, {"sql", model::kUdp, 5433}, {"admin", model::kTcp, 9}};
  world.resources.Add(EndpointId("db"), db);
  auto twin = Endpoint("cali8", {"10.0.0.2"}, {{"role", "twin"}}, {"open"});
  twin.ports = {{"sql", model::kTcp, 6000}};
  world.resources.Add(EndpointId("twin", "host-b"), twin);
  return world;
}

TEST(OracleRule, AsksForTheFamily) {
  PolicyRule rule = Allow();
  rule.ip_version = model::IpFamily::kV6;
  EXPECT_FALSE(Matches(rule, WebToDb()));
  EXPECT_TRUE(Matches(rule, WebToDbV6()));
}

TEST(OracleRule, AsksForTheProtocol) {
  PolicyRule rule = Allow();
  rule.protocol = model::kUdp;
  EXPECT_FALSE(Matches(rule, ToPort(80)));
  EXPECT_TRUE(Matches(rule, ToPort(80, model::kUdp)));
  rule.protocol.reset();
  rule.not_protocol = model::kUdp;
  EXPECT_TRUE(Matches(rule, ToPort(80)));
  EXPECT_FALSE(Matches(rule, ToPort(80, model::kUdp)));
}

// Whoever says a protocol by name means one family and says so in ip_version; a bare number is just
// that number, in whatever family it turns up.
TEST(OracleRule, BareProtocolNumbersAreOfBothFamilies) {
  PolicyRule rule = Allow();
  rule.protocol = model::kIcmp;
  EXPECT_TRUE(Matches(rule, Icmp(WebToDb(), 8)));
  EXPECT_TRUE(Matches(rule, WithProtocol(WebToDbV6(), model::kIcmp)));
  EXPECT_FALSE(Matches(rule, Icmp(WebToDbV6(), 128)));
  rule.ip_version = model::IpFamily::kV4;
  EXPECT_TRUE(Matches(rule, Icmp(WebToDb(), 8)));
  EXPECT_FALSE(Matches(rule, WithProtocol(WebToDbV6(), model::kIcmp)));
}

TEST(OracleRule, IcmpTypesAreOfTheFamilysOwnIcmpOnly) {
  for (const bool negated : {false, true}) {
    PolicyRule rule = Allow();
    rule.protocol = model::kIcmp;
    (negated ? rule.not_icmp : rule.icmp) =
        model::IcmpMatch{negated ? std::uint8_t{3} : std::uint8_t{8}, {}};
    EXPECT_TRUE(Matches(rule, Icmp(WebToDb(), 8)));
    Packet other_family = Icmp(WebToDbV6(), 8);
    other_family.protocol = model::kIcmp;
    EXPECT_FALSE(Matches(rule, other_family));
  }
}

TEST(OracleRule, AsksForIcmpTypeAndCode) {
  PolicyRule rule = Allow();
  rule.protocol = model::kIcmp;
  rule.icmp = model::IcmpMatch{0, std::nullopt};
  EXPECT_TRUE(Matches(rule, Icmp(WebToDb(), 0, 7)));
  EXPECT_FALSE(Matches(rule, Icmp(WebToDb(), 1, 0)));
  rule.icmp = model::IcmpMatch{3, 0};
  EXPECT_TRUE(Matches(rule, Icmp(WebToDb(), 3, 0)));
  EXPECT_FALSE(Matches(rule, Icmp(WebToDb(), 3, 4)));
  rule.not_icmp = rule.icmp;
  rule.icmp.reset();
  EXPECT_FALSE(Matches(rule, Icmp(WebToDb(), 3, 0)));
  EXPECT_TRUE(Matches(rule, Icmp(WebToDb(), 3, 4)));
}

TEST(OracleRule, AsksForNetworks) {
  PolicyRule rule = Allow();
  rule.source.nets = Nets({"10.0.0.4/30", "10.0.0.0/31", "fd00::/126"});
  EXPECT_TRUE(Matches(rule, WebToDb()));
  EXPECT_TRUE(Matches(rule, WebToDbV6()));
  EXPECT_FALSE(Matches(rule, WorldToDb()));
  rule.source.nets.clear();
  rule.source.not_nets = Nets({"10.0.0.0/31"});
  EXPECT_FALSE(Matches(rule, WebToDb()));
  EXPECT_TRUE(Matches(rule, WorldToDb()));
}

TEST(OracleRule, DoesNotExistForAFamilyThatANetListLeavesOut) {
  const auto set = [](int list) {
    PolicyRule rule = Allow();
    auto& side = list < 2 ? rule.source : rule.destination;
    (list % 2 == 0 ? side.nets : side.not_nets) =
        list % 2 == 0 ? Nets({"0.0.0.0/0"}) : Nets({"192.0.2.0/24"});
    return rule;
  };
  for (int list = 0; list < 4; ++list) {
    EXPECT_TRUE(Matches(set(list), WebToDb())) << list;
    EXPECT_FALSE(Matches(set(list), WebToDbV6())) << list;
  }
}

TEST(OracleRule, NegatedEverythingMatchesNothing) {
  PolicyRule rule = Allow();
  rule.source.not_nets = Nets({"10.9.0.0/16", "0.0.0.0/0"});
  EXPECT_FALSE(Matches(rule, WebToDb()));
  rule.source.not_nets = Nets({"fd11::/64", "0.0.0.0/0"});
  EXPECT_TRUE(Matches(rule, WebToDbV6()));
}

TEST(OracleRule, SelectsEndpointsOfAllHostsAndNetworkSets) {
  OracleWorld world;
  world.resources.Add(model::NetworkSetId{"", "nets"},
                      model::NetworkSet{Nets({"203.0.113.0/24"}), {{"role", "nets"}}, {}});
  PolicyRule rule = Allow();
  rule.source.selector = Select("role == 'web'");
  EXPECT_TRUE(Matches(rule, WebToDb(), world));
  EXPECT_FALSE(Matches(rule, WorldToDb(), world));
  rule.source.selector = Select("role == 'far'");
  EXPECT_TRUE(Matches(rule, Tcp("eth0", "10.0.1.3", "cali2", "10.0.0.2"), world));
  EXPECT_FALSE(Matches(rule, WebToDb(), world));
  rule.source.selector = Select("role == 'nets'");
  EXPECT_TRUE(Matches(rule, WorldToDb(), world));
  EXPECT_FALSE(Matches(rule, Tcp("eth0", "203.0.114.0", "cali2", "10.0.0.2"), world));
}

TEST(OracleRule, NetworkSetsInheritLabels) {
  OracleWorld world;
  model::Profile profile = ProfileOf({});
  profile.labels_to_apply = {{"zone", "outer"}};
  world.resources.Add(model::ProfileId{"labels"}, profile);
  world.resources.Add(model::NetworkSetId{"n1", "nets"},
                      model::NetworkSet{Nets({"0.0.0.0/0"}), {}, {"labels"}});
  PolicyRule rule = Allow();
  rule.source.selector = Select("zone == 'outer'");
  EXPECT_TRUE(Matches(rule, WorldToDb(), world));
}

TEST(OracleRule, AllSelectsOnlyWhatTheClusterKnows) {
  PolicyRule rule = Allow();
  rule.source.selector = Select("all()");
  EXPECT_TRUE(Matches(rule, WebToDb()));
  EXPECT_FALSE(Matches(rule, WorldToDb()));
}

TEST(OracleRule, ANegatedSelectorHoldsForAddressesOfNobody) {
  PolicyRule rule = Allow();
  rule.source.not_selector = Select("role == 'web'");
  EXPECT_FALSE(Matches(rule, WebToDb()));
  EXPECT_TRUE(Matches(rule, WorldToDb()));
  EXPECT_TRUE(Matches(rule, Tcp("eth0", "10.0.1.3", "cali2", "10.0.0.2")));
}

TEST(OracleRule, AsksForPortRanges) {
  PolicyRule rule = Allow();
  rule.protocol = model::kTcp;
  rule.destination.ports.ranges = {{80, 80}, {443, 445}};
  EXPECT_FALSE(Matches(rule, ToPort(79)));
  EXPECT_TRUE(Matches(rule, ToPort(80)));
  EXPECT_FALSE(Matches(rule, ToPort(442)));
  EXPECT_TRUE(Matches(rule, ToPort(443)));
  EXPECT_TRUE(Matches(rule, ToPort(445)));
  EXPECT_FALSE(Matches(rule, ToPort(446)));
  EXPECT_FALSE(Matches(rule, ToPort(80, model::kUdp)));
  rule.destination.not_ports = std::exchange(rule.destination.ports, {});
  EXPECT_TRUE(Matches(rule, ToPort(446)));
  EXPECT_FALSE(Matches(rule, ToPort(445)));
  rule.source.ports.ranges = {{40001, 40001}};
  EXPECT_FALSE(Matches(rule, ToPort(446)));
}

TEST(OracleRule, NumericPortsWithoutAProtocolMatchNothing) {
  PolicyRule rule = Allow();
  rule.destination.ports.ranges = {{80, 80}};
  EXPECT_FALSE(Matches(rule, ToPort(80)));
  rule.destination.ports.names = {"sql"};
  EXPECT_FALSE(Matches(rule, ToPort(5432), WorldWithPorts()));
}

TEST(OracleRule, AsksForNamedPortsOfTheRightProtocol) {
  PolicyRule rule = Allow();
  rule.destination.ports.names = {"sql"};
  EXPECT_TRUE(Matches(rule, ToPort(5432), WorldWithPorts()));
  EXPECT_TRUE(Matches(rule, ToPort(5433, model::kUdp), WorldWithPorts()));
  EXPECT_FALSE(Matches(rule, ToPort(5433), WorldWithPorts()));
  EXPECT_FALSE(Matches(rule, ToPort(9), WorldWithPorts()));
  rule.protocol = model::kTcp;
  EXPECT_TRUE(Matches(rule, ToPort(5432), WorldWithPorts()));
  EXPECT_FALSE(Matches(rule, ToPort(5433, model::kUdp), WorldWithPorts()));
}

TEST(OracleRule, NamedPortsAreOfEndpointsThatTheSelectorSelects) {
  PolicyRule rule = Allow();
  rule.protocol = model::kTcp;
  rule.destination.ports.names = {"sql"};
  EXPECT_TRUE(Matches(rule, ToPort(6000), WorldWithPorts()));
  rule.destination.selector = Select("role == 'db'");
  EXPECT_FALSE(Matches(rule, ToPort(6000), WorldWithPorts()));
  EXPECT_TRUE(Matches(rule, ToPort(5432), WorldWithPorts()));
}

TEST(OracleRule, NumbersAndNamesAreAlternativesWithinTheSelector) {
  PolicyRule rule = Allow();
  rule.protocol = model::kTcp;
  rule.destination.ports.ranges = {{80, 80}};
  rule.destination.ports.names = {"sql"};
  rule.destination.selector = Select("role == 'db'");
  EXPECT_TRUE(Matches(rule, ToPort(80), WorldWithPorts()));
  EXPECT_TRUE(Matches(rule, ToPort(5432), WorldWithPorts()));
  EXPECT_FALSE(Matches(rule, ToPort(81), WorldWithPorts()));
  rule.destination.selector = Select("role == 'web'");
  EXPECT_FALSE(Matches(rule, ToPort(80), WorldWithPorts()));
  EXPECT_FALSE(Matches(rule, ToPort(5432), WorldWithPorts()));
}

TEST(OracleRule, NegatedNamesAreFilteredByTheSelectorToo) {
  PolicyRule rule = Allow();
  rule.protocol = model::kTcp;
  rule.destination.not_ports.names = {"sql"};
  rule.destination.not_ports.ranges = {{80, 80}};
  EXPECT_FALSE(Matches(rule, ToPort(5432), WorldWithPorts()));
  EXPECT_FALSE(Matches(rule, ToPort(6000), WorldWithPorts()));
  EXPECT_FALSE(Matches(rule, ToPort(80), WorldWithPorts()));
  EXPECT_TRUE(Matches(rule, ToPort(81), WorldWithPorts()));
  rule.destination.selector = Select("role == 'db'");
  EXPECT_FALSE(Matches(rule, ToPort(5432), WorldWithPorts()));
  EXPECT_TRUE(Matches(rule, ToPort(6000), WorldWithPorts()));
}

TEST(OracleRule, NegatedNamesHoldForPacketsWithoutPorts) {
  PolicyRule rule = Allow();
  rule.destination.not_ports.names = {"sql"};
  EXPECT_TRUE(Matches(rule, Icmp(WebToDb(), 8), WorldWithPorts()));
}

}  // namespace
}  // namespace felix::testing
