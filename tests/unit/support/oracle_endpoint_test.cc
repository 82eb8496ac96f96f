// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include "tests/unit/support/oracle_world.h"

namespace felix::testing {
namespace {

TEST(OracleEndpoint, LeavesPacketsBetweenForeignInterfacesAlone) {
  const OracleWorld world;
  EXPECT_EQ(world.Judge(Tcp("eth0", "1.2.3.4", "eth1", "10.0.0.2")), Verdict::kNotOurs);
  EXPECT_EQ(world.Judge(Tcp("eth0", "1.2.3.4", "", "10.0.0.254")), Verdict::kNotOurs);
  EXPECT_EQ(world.Judge(Tcp("", "10.0.0.254", "eth0", "1.2.3.4")), Verdict::kNotOurs);
}

TEST(OracleEndpoint, DoesNotPoliceTheHostTowardsItsWorkloads) {
  const OracleWorld world;
  EXPECT_EQ(world.Judge(Tcp("", "10.0.0.254", "cali1", "10.0.0.1")), Verdict::kNotOurs);
  EXPECT_EQ(world.Judge(Tcp("", "10.0.0.254", "cali99", "10.0.0.1")), Verdict::kNotOurs);
}

TEST(OracleEndpoint, AcceptsWhatProfilesAllowOnBothSides) {
  const OracleWorld world;
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WebToDbV6()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WebToWorld()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WorldToDb()), Verdict::kAccept);
}

TEST(OracleEndpoint, DropsUnknownWorkloadInterfaces) {
  const OracleWorld world;
  EXPECT_EQ(world.Judge(Tcp("cali9", "10.0.0.1", "eth0", "1.2.3.4")), Verdict::kDeny);
  EXPECT_EQ(world.Judge(Tcp("cali", "10.0.0.1", "eth0", "1.2.3.4")), Verdict::kDeny);
  EXPECT_EQ(world.Judge(Tcp("cali9", "10.0.0.1", "", "10.0.0.254")), Verdict::kDeny);
  EXPECT_EQ(world.Judge(Tcp("eth0", "1.2.3.4", "cali9", "10.0.0.2")), Verdict::kDeny);
  // An endpoint of another host does not make its interface known here.
  EXPECT_EQ(world.Judge(Tcp("cali3", "10.0.1.3", "eth0", "1.2.3.4")), Verdict::kDeny);
}

TEST(OracleEndpoint, KnowsAllConfiguredPrefixes) {
  OracleWorld world;
  world.resources.Add(EndpointId("tap"), Endpoint("tap1", {"10.0.0.5"}, {}, {"open"}));
  EXPECT_EQ(world.Judge(Tcp("tap1", "10.0.0.5", "eth0", "1.2.3.4")), Verdict::kNotOurs);
  world.options.interface_prefixes = {"cali", "tap"};
  EXPECT_EQ(world.Judge(Tcp("tap1", "10.0.0.5", "eth0", "1.2.3.4")), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Tcp("tap1", "10.0.0.6", "eth0", "1.2.3.4")), Verdict::kDeny);
}

TEST(OracleEndpoint, LetsTheSmallerIdHaveASharedInterface) {
  OracleWorld world;
  world.resources.Add(EndpointId("zeta"), Endpoint("cali1", {"10.0.0.9"}, {}, {"open"}));
  EXPECT_EQ(world.Judge(WebToWorld()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Tcp("cali1", "10.0.0.9", "eth0", "1.2.3.4")), Verdict::kDeny);
  world.resources.Add(EndpointId("alpha"), Endpoint("cali1", {"10.0.0.8"}, {}, {"open"}));
  EXPECT_EQ(world.Judge(WebToWorld()), Verdict::kDeny);
  EXPECT_EQ(world.Judge(Tcp("cali1", "10.0.0.8", "eth0", "1.2.3.4")), Verdict::kAccept);
}

TEST(OracleEndpoint, KeepsTheLoserOfASharedInterfaceInSets) {
  OracleWorld world;
  world.resources.Add(EndpointId("zeta"),
                      Endpoint("cali1", {"10.0.0.9"}, {{"role", "loser"}}, {"open"}));
  auto deny = Deny();
  deny.source.selector = Select("role == 'loser'");
  world.resources.Add(GlobalPolicy("p"), PolicyOf("role == 'db'", {deny, Allow()}));
  EXPECT_EQ(world.Judge(Tcp("eth0", "10.0.0.9", "cali2", "10.0.0.2")), Verdict::kDeny);
  EXPECT_EQ(world.Judge(WorldToDb()), Verdict::kAccept);
}

TEST(OracleEndpoint, DropsEverythingOfAnEndpointThatIsDown) {
  OracleWorld world;
  auto web = OracleWorld::Web();
  web.admin_up = false;
  world.resources.Add(EndpointId("web"), web);
  for (const auto state : {ConntrackState::kNew, ConntrackState::kEstablished}) {
    EXPECT_EQ(world.Judge(WithState(WebToDb(), state)), Verdict::kDeny);
    EXPECT_EQ(world.Judge(WithState(WebToHost(), state)), Verdict::kDeny);
    EXPECT_EQ(world.Judge(WithState(Tcp("eth0", "1.2.3.4", "cali1", "10.0.0.1"), state)),
              Verdict::kDeny);
  }
  EXPECT_EQ(world.Judge(WorldToDb()), Verdict::kAccept);
}

TEST(OracleEndpoint, ChecksTheSourceBeforeAKnownFlow) {
  const OracleWorld world;
  for (const auto state : {ConntrackState::kNew, ConntrackState::kEstablished}) {
    EXPECT_EQ(world.Judge(WithState(Tcp("cali1", "10.0.0.2", "eth0", "1.2.3.4"), state)),
              Verdict::kDeny);
    EXPECT_EQ(world.Judge(WithState(Tcp("cali1", "fd00::2", "", "fd00::fe"), state)),
              Verdict::kDeny);
  }
}

TEST(OracleEndpoint, HonoursSpoofedPrefixesOnlyIfTheHostAllowsThem) {
  OracleWorld world;
  auto web = OracleWorld::Web();
  web.allow_spoofed_source_prefixes = Nets({"192.0.2.0/24"});
  world.resources.Add(EndpointId("web"), web);
  const Packet spoofed = Tcp("cali1", "192.0.2.255", "eth0", "1.2.3.4");
  EXPECT_EQ(world.Judge(spoofed), Verdict::kDeny);
  EXPECT_EQ(world.Judge(WebToWorld()), Verdict::kDeny) << "the endpoint counts as absent";
  world.options.workload_source_spoofing = true;
  EXPECT_EQ(world.Judge(spoofed), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WebToWorld()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Tcp("cali1", "192.0.3.0", "eth0", "1.2.3.4")), Verdict::kDeny);
}

TEST(OracleEndpoint, AcceptsKnownFlowsWithoutPolicy) {
  OracleWorld world;
  world.resources.Add(model::ProfileId{"open"}, ProfileOf({Deny()}));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  EXPECT_EQ(world.Judge(WithState(WebToDb(), ConntrackState::kEstablished)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WithState(WebToDb(), ConntrackState::kRelated)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WithState(WebToHost(), ConntrackState::kEstablished)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WithState(WebToDb(), ConntrackState::kUntracked)), Verdict::kDeny);
}

TEST(OracleEndpoint, DropsInvalidStateUnlessToldNotTo) {
  OracleWorld world;
  const Packet invalid = WithState(WebToDb(), ConntrackState::kInvalid);
  EXPECT_EQ(world.Judge(invalid), Verdict::kDeny);
  world.options.disable_conntrack_invalid_check = true;
  EXPECT_EQ(world.Judge(invalid), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WithState(WebToDb(), ConntrackState::kUntracked)), Verdict::kAccept);
}

TEST(OracleEndpoint, DeniesTunnelsFromWorkloadsOnly) {
  OracleWorld world;
  const auto vxlan = [](Packet packet) {
    packet.destination_port = 4789;
    return WithProtocol(packet, model::kUdp);
  };
  const model::Protocol ipip{4};
  EXPECT_EQ(world.Judge(vxlan(WebToDb())), Verdict::kDeny);
  EXPECT_EQ(world.Judge(vxlan(WorldToDb())), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WithProtocol(WebToDbV6(), ipip)), Verdict::kDeny);
  EXPECT_EQ(world.Judge(WithProtocol(WorldToDb(), ipip)), Verdict::kAccept);
  world.options.vxlan_port = 8472;
  EXPECT_EQ(world.Judge(vxlan(WebToDb())), Verdict::kAccept);
  world.options.vxlan_port = 4789;
  world.options.allow_vxlan_from_workloads = true;
  world.options.allow_ipip_from_workloads = true;
  EXPECT_EQ(world.Judge(vxlan(WebToDb())), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WithProtocol(WebToDb(), ipip)), Verdict::kAccept);
}

TEST(OracleEndpoint, AppliesTheEndpointToHostActionAfterEgressPolicy) {
  OracleWorld world;
  using Action = compiler::EndpointToHostAction;
  EXPECT_EQ(world.Judge(WebToHost()), Verdict::kDeny);
  world.options.endpoint_to_host_action = Action::kReturn;
  EXPECT_EQ(world.Judge(WebToHost()), Verdict::kContinue);
  world.options.endpoint_to_host_action = Action::kAccept;
  EXPECT_EQ(world.Judge(WebToHost()), Verdict::kAccept);
  world.resources.Add(model::ProfileId{"open"}, ProfileOf({}));
  EXPECT_EQ(world.Judge(WebToHost()), Verdict::kDeny);
}

TEST(OracleEndpoint, LeavesForwardedPacketsToOthersIfAllowMeansReturn) {
  OracleWorld world;
  world.options.filter_allow_action = compiler::AllowAction::kReturn;
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kContinue);
  EXPECT_EQ(world.Judge(WithState(WebToDb(), ConntrackState::kEstablished)), Verdict::kContinue);
  EXPECT_EQ(world.Judge(WithState(WebToDb(), ConntrackState::kInvalid)), Verdict::kDeny);
}

TEST(OracleEndpoint, LeavesPacketsToTheHostToOthersIfAllowMeansReturn) {
  OracleWorld world;
  world.options.filter_allow_action = compiler::AllowAction::kReturn;
  EXPECT_EQ(world.Judge(WithState(WebToHost(), ConntrackState::kEstablished)), Verdict::kContinue);
  EXPECT_EQ(world.Judge(Icmp(Tcp("cali1", "fe80::1", "", "ff02::1"), 135)), Verdict::kContinue);
  EXPECT_EQ(world.Judge(Icmp(Tcp("cali1", "fd00::1", "", "ff02::1"), 135)), Verdict::kContinue);
  EXPECT_EQ(world.Judge(WebToHost()), Verdict::kDeny);
  world.options.endpoint_to_host_action = compiler::EndpointToHostAction::kAccept;
  EXPECT_EQ(world.Judge(WebToHost()), Verdict::kAccept);
}

TEST(OracleEndpoint, DropsNeighbourDiscoveryOfInvalidState) {
  OracleWorld world;
  for (const char* source : {"fe80::1", "fd00::1"}) {
    const Packet packet =
        WithState(Icmp(Tcp("cali1", source, "", "ff02::1"), 135), ConntrackState::kInvalid);
    world.options.disable_conntrack_invalid_check = false;
    EXPECT_EQ(world.Judge(packet), Verdict::kDeny);
    world.options.disable_conntrack_invalid_check = true;
    EXPECT_EQ(world.Judge(packet), Verdict::kAccept);
  }
}

TEST(OracleEndpoint, TakesNoNeighbourDiscoveryFromUnknownOrDownInterfaces) {
  OracleWorld world;
  auto web = OracleWorld::Web();
  web.admin_up = false;
  world.resources.Add(EndpointId("web"), web);
  EXPECT_EQ(world.Judge(Icmp(Tcp("cali1", "fe80::1", "", "ff02::1"), 135)), Verdict::kDeny);
  EXPECT_EQ(world.Judge(Icmp(Tcp("cali9", "fe80::1", "", "ff02::1"), 135)), Verdict::kDeny);
}

TEST(OracleEndpoint, LetsNeighbourDiscoveryReachTheHost) {
  OracleWorld world;
  world.resources.Add(model::ProfileId{"open"}, ProfileOf({Deny()}));
  for (const std::uint8_t type : std::array<std::uint8_t, 6>{130, 131, 132, 133, 135, 136}) {
    for (const char* source : {"fe80::1", "::", "fd00::1"}) {
      EXPECT_EQ(world.Judge(Icmp(Tcp("cali1", source, "", "ff02::1"), type)), Verdict::kAccept)
          << int{type} << " from " << source;
    }
    EXPECT_EQ(world.Judge(Icmp(Tcp("cali1", "fd00::2", "", "ff02::1"), type)), Verdict::kDeny);
    EXPECT_EQ(world.Judge(Icmp(WebToDbV6(), type)), Verdict::kDeny) << "forwarded: policed";
    EXPECT_EQ(world.Judge(Icmp(WebToHost(), type)), Verdict::kDeny) << "IPv4: policed";
  }
  EXPECT_EQ(world.Judge(Icmp(Tcp("cali1", "fe80::1", "", "ff02::1"), 128)), Verdict::kDeny);
}

TEST(OracleEndpoint, NeverTakesRouterAdvertisementsFromWorkloads) {
  OracleWorld world;
  world.options.endpoint_to_host_action = compiler::EndpointToHostAction::kAccept;
  for (const char* source : {"fe80::1", "fd00::1"}) {
    const Packet packet = Icmp(Tcp("cali1", source, "", "ff02::1"), 134);
    EXPECT_EQ(world.Judge(packet), Verdict::kDeny);
    EXPECT_EQ(world.Judge(WithState(packet, ConntrackState::kEstablished)), Verdict::kDeny);
  }
}

TEST(OracleEndpoint, IgnoresIpv6WhereItIsOff) {
  OracleWorld world;
  world.options.ipv6_support = false;
  EXPECT_EQ(world.Judge(WebToDbV6()), Verdict::kNotOurs);
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
}

}  // namespace
}  // namespace felix::testing
