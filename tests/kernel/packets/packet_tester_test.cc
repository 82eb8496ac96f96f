// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet_tester.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <set>

#include "tests/support/builders.h"
#include "tests/support/packet_samples.h"
#include "tests/support/random_cluster.h"

namespace felix::testing {
namespace {

constexpr model::Protocol kGre{47};

const std::vector<Neighbour>& Containers() {
  static const std::vector<Neighbour> containers = {
      {"cali1", {Address("10.0.0.1"), Address("fd00::1")}},
      {"cali2", {Address("10.0.0.2"), Address("fd00::2")}},
      {"cali12", {Address("10.0.0.12"), Address("fd00::12")}}};
  return containers;
}

Packet Make(std::string_view in, std::string_view source, std::string_view out,
            std::string_view destination, model::Protocol protocol = model::kTcp,
            std::uint16_t port = 80) {
  Packet packet;
  packet.in_interface = in;
  packet.out_interface = out;
  packet.source = Address(source);
  packet.destination = Address(destination);
  packet.protocol = protocol;
  if (protocol.HasPorts()) {
    packet.source_port = 40000;
    packet.destination_port = port;
  }
  if (packet.IsIcmp()) packet.icmp_type = packet.family() == model::IpFamily::kV4 ? 8 : 128;
  return packet;
}

// One packet of each protocol on each way between containers, outside and router.
std::vector<Packet> EveryWay() {
  struct End {
    const char* interface_name;
    const char* v4;
    const char* v6;
  };
  const std::vector<End> ends = {{"cali1", "10.0.0.1", "fd00::1"},
                                 {"cali2", "10.0.0.2", "fd00::2"},
                                 {"cali12", "10.0.0.12", "fd00::12"},
                                 {"eth0", "203.0.113.7", "2001:db8::7"},
                                 {"", "10.255.0.1", "fd00:ff::1"}};
  std::vector<Packet> packets;
  for (const End& from : ends) {
    for (const End& to : ends) {
      if (&from == &to) continue;
      for (const auto protocol :
           {model::kTcp, model::kUdp, model::kSctp, model::kIcmp, model::kIcmpV6, kGre}) {
        if (protocol != model::kIcmpV6) {
          packets.push_back(Make(from.interface_name, from.v4, to.interface_name, to.v4, protocol));
        }
        if (protocol != model::kIcmp) {
          packets.push_back(Make(from.interface_name, from.v6, to.interface_name, to.v6, protocol));
        }
      }
    }
  }
  return packets;
}

void Shell(const PacketTester& tester, const std::string& command) {
  std::string output;
  ASSERT_EQ(tester.router().Shell(command, &output), 0) << command << ": " << output;
}

// Expects exactly those packets to arrive of which `arrives` says so.
template <typename Predicate>
void ExpectArrivals(PacketTester& tester, const std::vector<Packet>& packets, Predicate arrives) {
  const std::vector<bool> arrived = tester.Send(packets);
  ASSERT_EQ(arrived.size(), packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) {
    EXPECT_EQ(arrived[i], arrives(packets[i])) << packets[i];
  }
}

TEST(PacketTester, EverythingArrivesWhereThereAreNoRules) {
  FELIX_REQUIRE_ROOT();
  PacketTester tester(Containers());
  const std::vector<Packet> packets = EveryWay();
  ASSERT_EQ(packets.size(), 200U);
  ExpectArrivals(tester, packets, [](const Packet&) { return true; });
}

TEST(PacketTester, LosesExactlyWhatAForwardRuleDrops) {
  FELIX_REQUIRE_ROOT();
  PacketTester tester(Containers());
  Shell(tester, "iptables-legacy -w -A FORWARD -i cali1 -p tcp --dport 80 -j DROP");
  ExpectArrivals(tester, EveryWay(), [](const Packet& packet) {
    return !(packet.in_interface == "cali1" && packet.protocol == model::kTcp &&
             packet.family() == model::IpFamily::kV4 && !packet.out_interface.empty());
  });
}

TEST(PacketTester, LosesExactlyWhatTheRoutersOwnRulesDrop) {
  FELIX_REQUIRE_ROOT();
  PacketTester tester(Containers());
  Shell(tester, "ip6tables-legacy -w -A INPUT -i cali+ -j DROP");
  Shell(tester, "iptables-legacy -w -A OUTPUT -o cali2 -p udp -j DROP");
  ExpectArrivals(tester, EveryWay(), [](const Packet& packet) {
    const bool v4 = packet.family() == model::IpFamily::kV4;
    const bool to_router = packet.out_interface.empty();
    if (!v4 && to_router) return packet.in_interface == "eth0";
    return !(v4 && packet.in_interface.empty() && packet.out_interface == "cali2" &&
             packet.protocol == model::kUdp);
  });
}

TEST(PacketTester, TellsPortsAndIcmpTypesApart) {
  FELIX_REQUIRE_ROOT();
  PacketTester tester(Containers());
  Shell(tester, "iptables-legacy -w -A FORWARD -p udp -m multiport --dports 53,1000:1010 -j DROP");
  Shell(tester, "iptables-legacy -w -A FORWARD -p icmp -m icmp --icmp-type 13 -j DROP");
  Shell(tester, "ip6tables-legacy -w -A FORWARD -p sctp --sport 40000 -j DROP");
  std::vector<Packet> packets;
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{52, 53, 999, 1000, 1011}) {
    for (const auto protocol : {model::kUdp, model::kTcp, model::kSctp}) {
      packets.push_back(Make("cali1", "10.0.0.1", "cali2", "10.0.0.2", protocol, port));
      packets.push_back(Make("cali1", "fd00::1", "cali2", "fd00::2", protocol, port));
    }
  }
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{8, 13, 15}) {
    packets.push_back(Make("cali1", "10.0.0.1", "cali2", "10.0.0.2", model::kIcmp));
    packets.back().icmp_type = type;
  }
  ExpectArrivals(tester, packets, [](const Packet& packet) {
    if (packet.family() == model::IpFamily::kV6) return packet.protocol != model::kSctp;
    if (packet.protocol == model::kIcmp) return packet.icmp_type != 13;
    const auto port = packet.destination_port;
    return packet.protocol != model::kUdp || (port != 53 && port != 1000);
  });
}

TEST(PacketTester, ClaimsAnySource) {
  FELIX_REQUIRE_ROOT();
  PacketTester tester(Containers());
  Shell(tester, "iptables-legacy -w -A FORWARD -i cali1 ! -s 10.0.0.1 -j DROP");
  const std::vector<Packet> packets = {
      Make("cali1", "10.0.0.1", "cali2", "10.0.0.2"), Make("cali1", "10.0.0.2", "eth0", "1.1.1.1"),
      Make("cali1", "192.0.2.5", "cali2", "10.0.0.2"),
      Make("cali2", "192.0.2.5", "eth0", "1.1.1.1"), Make("cali1", "fd00::99", "cali2", "fd00::2")};
  EXPECT_EQ(tester.Send(packets), (std::vector<bool>{true, false, false, true, true}));
}

TEST(PacketTester, DoesNotTakeAnErrorForThePacketItQuotes) {
  FELIX_REQUIRE_ROOT();
  PacketTester tester(Containers());
  Shell(tester, "iptables-legacy -w -A FORWARD -j REJECT");
  Shell(tester, "ip6tables-legacy -w -A FORWARD -j REJECT");
  // Back to where they came from: an error comes out at the same place as the packet would.
  ExpectArrivals(tester,
                 {Make("eth0", "203.0.113.7", "eth0", "203.0.113.8", model::kUdp),
                  Make("eth0", "2001:db8::7", "eth0", "2001:db8::8", model::kUdp)},
                 [](const Packet&) { return false; });
}

TEST(PacketTester, FlowsAreInTheStateTheyClaim) {
  FELIX_REQUIRE_ROOT();
  PacketTester tester(Containers());
  std::vector<Packet> known;
  for (Packet packet : EveryWay()) {
    packet.conntrack = ConntrackState::kEstablished;
    if (tester.CanSend(packet)) known.push_back(packet);
  }
  EXPECT_GT(known.size(), 80U);
  tester.Establish(known);
  std::vector<Packet> packets = known;
  for (Packet packet : EveryWay()) {
    if (packet.protocol.HasPorts()) packet.source_port = 50000;
    packets.push_back(packet);
    packet.conntrack = ConntrackState::kInvalid;
    if (packet.IsIcmp()) packet.icmp_type = packet.family() == model::IpFamily::kV4 ? 0 : 129;
    if (tester.CanSend(packet)) packets.push_back(packet);
  }
  packets = OnePerFlow(packets);
  EXPECT_GT(packets.size(), 2 * known.size());
  for (const char* command : {"iptables-legacy", "ip6tables-legacy"}) {
    for (const char* chain : {"INPUT", "FORWARD", "OUTPUT"}) {
      Shell(tester, std::string(command) + " -w -A " + chain +
                        " -m conntrack ! --ctstate ESTABLISHED -j DROP");
    }
  }
  const auto is = [](ConntrackState state) {
    return [state](const Packet& packet) { return packet.conntrack == state; };
  };
  ExpectArrivals(tester, packets, is(ConntrackState::kEstablished));
  for (const char* command : {"iptables-legacy", "ip6tables-legacy"}) {
    for (const char* chain : {"INPUT", "FORWARD", "OUTPUT"}) {
      Shell(tester, std::string(command) + " -w -F " + chain + "; " + command + " -w -A " + chain +
                        " -m conntrack ! --ctstate INVALID -j DROP");
    }
  }
  ExpectArrivals(tester, packets, is(ConntrackState::kInvalid));
}

TEST(PacketTester, ChoosesOnePacketOfEachFlow) {
  const Packet tcp = Make("cali1", "10.0.0.1", "cali2", "10.0.0.2");
  Packet answer = Make("cali2", "10.0.0.2", "cali1", "10.0.0.1", model::kTcp, 40000);
  answer.source_port = 80;
  Packet other = tcp;
  other.source_port = 1;
  const Packet gre = Make("cali1", "10.0.0.1", "cali2", "10.0.0.2", kGre);
  const Packet gre_answer = Make("cali2", "10.0.0.2", "cali1", "10.0.0.1", kGre);
  const Packet echo = Make("cali1", "10.0.0.1", "cali2", "10.0.0.2", model::kIcmp);
  EXPECT_EQ(OnePerFlow({tcp, answer, other, gre, gre_answer, echo, echo}),
            (std::vector<Packet>{tcp, other, gre, echo, echo}));
}

TEST(PacketTester, NeighbourDiscoveryIsUntrackedAndReachesTheRouter) {
  FELIX_REQUIRE_ROOT();
  PacketTester tester(Containers());
  tester.Establish({});
  std::vector<Packet> packets;
  for (const char* source : {"fe80::5", "::", "fd00::1"}) {
    for (const std::uint8_t type : std::initializer_list<std::uint8_t>{133, 134, 135, 136}) {
      packets.push_back(Make("cali1", source, "", "ff02::1", model::kIcmpV6));
      packets.back().icmp_type = type;
      packets.back().conntrack = ConntrackState::kUntracked;
    }
  }
  ExpectArrivals(tester, packets, [](const Packet&) { return true; });
  Shell(tester, "ip6tables-legacy -w -A INPUT -m conntrack --ctstate UNTRACKED -j DROP");
  ExpectArrivals(tester, packets, [](const Packet&) { return false; });
}

TEST(PacketTester, ARedirectIsInvalidAndReachesTheRouter) {
  FELIX_REQUIRE_ROOT();
  PacketTester tester(Containers());
  tester.Establish({});
  Packet redirect = Make("cali1", "fe80::5", "", "ff02::1", model::kIcmpV6);
  redirect.icmp_type = 137;
  redirect.conntrack = ConntrackState::kUntracked;
  EXPECT_FALSE(tester.CanSend(redirect));
  redirect.conntrack = ConntrackState::kInvalid;
  ExpectArrivals(tester, {redirect}, [](const Packet&) { return true; });
  Shell(tester, "ip6tables-legacy -w -A INPUT -m conntrack --ctstate INVALID -j DROP");
  ExpectArrivals(tester, {redirect}, [](const Packet&) { return false; });
}

TEST(PacketTester, FitsPacketsOfARandomCluster) {
  FELIX_REQUIRE_ROOT();
  RandomCluster cluster(11);
  for (int step = 0; step < 10; ++step) cluster.Mutate();
  std::vector<Neighbour> containers;
  std::set<model::IpAddress> routed;
  std::set<std::string> interfaces;
  for (const auto& [id, endpoint] : cluster.store().endpoints()) {
    if (id.host != kThisHost || !interfaces.insert(endpoint.interface_name).second) continue;
    containers.push_back({endpoint.interface_name, {}});
    for (const auto& address : endpoint.addresses) {
      if (routed.insert(address).second) containers.back().addresses.push_back(address);
    }
  }
  ASSERT_GE(containers.size(), 2U);
  PacketTester tester(containers);
  std::vector<Packet> packets;
  for (const Packet& packet : SamplePackets(cluster.store(), OptionsOfThisHost(), 1, 1000)) {
    const Packet fitted = tester.Fitted(packet);
    if (tester.CanSend(fitted)) packets.push_back(fitted);
  }
  EXPECT_GT(packets.size(), 250U);
  ExpectArrivals(tester, packets, [](const Packet&) { return true; });
}

TEST(PacketTester, RefusesWhatItCannotMake) {
  FELIX_REQUIRE_ROOT();
  const PacketTester tester(Containers());
  Packet good = Make("cali1", "10.0.0.1", "cali2", "10.0.0.2");
  EXPECT_TRUE(tester.CanSend(good));
  EXPECT_FALSE(tester.CanSend(Make("cali9", "10.0.0.1", "cali2", "10.0.0.2")));
  EXPECT_FALSE(tester.CanSend(Make("cali1", "10.0.0.1", "cali2", "10.0.0.12")));
  EXPECT_FALSE(tester.CanSend(Make("cali1", "10.0.0.1", "eth0", "10.0.0.2")));
  EXPECT_FALSE(tester.CanSend(Make("cali1", "0.0.0.0", "cali2", "10.0.0.2")));
  EXPECT_FALSE(tester.CanSend(Make("cali1", "fe80::1", "cali2", "fd00::2")));
  EXPECT_FALSE(tester.CanSend(Make("cali1", "10.0.0.1", "", "10.0.0.2")));
  good.conntrack = ConntrackState::kRelated;
  EXPECT_FALSE(tester.CanSend(good));
  good.conntrack = ConntrackState::kUntracked;
  EXPECT_FALSE(tester.CanSend(good));
}

TEST(PacketTester, JudgesHundredsOfPacketsPerSecond) {
  FELIX_REQUIRE_ROOT();
  PacketTester tester(Containers());
  Shell(tester, "iptables-legacy -w -A FORWARD -p tcp --dport 1000:1499 -j DROP");
  std::vector<Packet> packets;
  for (std::uint16_t port = 1000; port < 2000; ++port) {
    packets.push_back(Make("cali1", "10.0.0.1", "cali2", "10.0.0.2", model::kTcp, port));
  }
  const auto start = std::chrono::steady_clock::now();
  ExpectArrivals(tester, packets,
                 [](const Packet& packet) { return packet.destination_port >= 1500; });
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
}

}  // namespace
}  // namespace felix::testing
