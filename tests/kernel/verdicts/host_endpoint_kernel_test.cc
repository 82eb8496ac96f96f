// SPDX-License-Identifier: Apache-2.0
// Real packets to, from and through a host whose interfaces have host endpoints.
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "felix/clock.h"
#include "felix/dataplane.h"
#include "felix/host_kernel.h"
#include "tests/reference/oracle.h"
#include "tests/support/builders.h"
#include "tests/support/layouts.h"
#include "tests/support/network_namespace.h"
#include "tests/support/packet_tester.h"

namespace felix {
namespace {

using model::IpFamily;
using testing::Address;
using testing::Packet;
using testing::PacketTester;
using testing::Verdict;

enum class List : std::uint8_t { kNormal, kForward, kUntracked, kPreDnat };

constexpr std::uint16_t kPeerPort = 1024;

Packet Between(const model::IpAddress& source, const model::IpAddress& destination,
               model::Protocol protocol, std::uint16_t port) {
  Packet packet;
  packet.source = source;
  packet.destination = destination;
  packet.protocol = protocol;
  packet.source_port = kPeerPort;
  packet.destination_port = port;
  return packet;
}

// world (192.0.2.9, 2001:db8::9) --- eth0 [router] eth1 --- lan (198.51.100.9, 2001:db8:1::9)
class HostEndpointKernelTest : public ::testing::TestWithParam<compiler::ChainLayout> {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    tester_ = std::make_unique<PacketTester>(
        std::vector<testing::Neighbour>{{"eth1", {Lan(IpFamily::kV4), Lan(IpFamily::kV6)}}});
    Set(model::InterfaceId{"eth0"}, model::Interface{{PacketTester::RouterAddress(IpFamily::kV4),
                                                      PacketTester::RouterAddress(IpFamily::kV6)}});
    Set(model::InterfaceId{"eth1"}, model::Interface{});
  }

  static model::IpAddress World(IpFamily family) {
    return Address(family == IpFamily::kV4 ? "192.0.2.9" : "2001:db8::9");
  }
  static model::IpAddress Lan(IpFamily family) {
    return Address(family == IpFamily::kV4 ? "198.51.100.9" : "2001:db8:1::9");
  }
  static model::IpAddress Router(IpFamily family) { return PacketTester::RouterAddress(family); }

  static Packet WorldToHost(IpFamily family, model::Protocol protocol, std::uint16_t port) {
    Packet packet = Between(World(family), Router(family), protocol, port);
    packet.in_interface = "eth0";
    return packet;
  }
  static Packet HostToWorld(IpFamily family, model::Protocol protocol, std::uint16_t port) {
    Packet packet = Between(Router(family), World(family), protocol, port);
    packet.out_interface = "eth0";
    return packet;
  }
  static Packet WorldToLan(IpFamily family, model::Protocol protocol, std::uint16_t port) {
    Packet packet = Between(World(family), Lan(family), protocol, port);
    packet.in_interface = "eth0";
    packet.out_interface = "eth1";
    return packet;
  }
  static Packet LanToWorld(IpFamily family, model::Protocol protocol, std::uint16_t port) {
    Packet packet = Between(Lan(family), World(family), protocol, port);
    packet.in_interface = "eth1";
    packet.out_interface = "eth0";
    return packet;
  }
  static Packet AnswerTo(Packet packet) {
    std::swap(packet.source, packet.destination);
    std::swap(packet.source_port, packet.destination_port);
    std::swap(packet.in_interface, packet.out_interface);
    return packet;
  }

  void Set(model::Key key, model::Resource value) {
    const model::Update update{std::move(key), std::move(value)};
    graph_.OnUpdates({&update, 1});
  }
  void AddHostEndpoint(const std::string& name, const std::string& interface_name) {
    model::HostEndpoint endpoint;
    endpoint.interface_name = interface_name;
    endpoint.labels = {{"host", name}};
    Set(model::HostEndpointId{std::string(testing::kThisHost), name}, endpoint);
  }
  void AddPolicy(std::string_view name, List list, std::vector<model::PolicyRule> ingress,
                 std::vector<model::PolicyRule> egress, std::string_view selector = "has(host)") {
    model::Policy policy = testing::PolicyOf(selector, {});
    policy.ingress = std::move(ingress);
    policy.egress = std::move(egress);
    policy.do_not_track = list == List::kUntracked;
    policy.pre_dnat = list == List::kPreDnat;
    policy.apply_on_forward = list != List::kNormal;
    policy.egress_applies = list != List::kPreDnat;
    Set(testing::GlobalPolicy(name), policy);
  }
  static model::PolicyRule To(model::PolicyRule rule, model::Protocol protocol,
                              std::uint16_t port) {
    rule.protocol = protocol;
    rule.destination.ports.ranges = {{port, port}};
    return rule;
  }
  static model::PolicyRule From(model::PolicyRule rule, model::Protocol protocol,
                                std::uint16_t port) {
    rule.protocol = protocol;
    rule.source.ports.ranges = {{port, port}};
    return rule;
  }

  void Apply() {
    tester_->router().Run([&] {
      const SystemClock clock;
      auto kernel = OpenHostKernel({});
      ASSERT_TRUE(kernel.ok()) << kernel.status();
      Dataplane dataplane(clock, **kernel, DataplaneOptions{});
      dataplane.Stage(graph_.Flush());
      const ApplyReport report = dataplane.Apply();
      for (const ApplyReport::Failure& failure : report.failures) {
        ADD_FAILURE() << failure.what << ": " << failure.status;
      }
    });
  }

  std::string Shell(const std::string& command) const {
    std::string output;
    EXPECT_EQ(tester_->router().Shell(command, &output), 0) << command << ": " << output;
    return output;
  }

  void Expect(bool arrives, const std::vector<Packet>& packets) {
    const std::vector<bool> arrived = tester_->Send(packets);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      EXPECT_EQ(arrived[i], arrives) << packets[i];
    }
  }

  // Sends them and compares with the oracle; returns how many arrived.
  int ExpectAsTheOracleSays(const std::vector<Packet>& packets) {
    const std::vector<bool> arrived = tester_->Send(packets);
    int count = 0;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const auto want = reference::Explain(graph_.store(), graph_.options(), packets[i]);
      EXPECT_EQ(arrived[i], want.verdict != Verdict::kDeny) << packets[i] << ": " << want.reason;
      count += arrived[i] ? 1 : 0;
    }
    return count;
  }

  static compiler::Options OptionsWithFailsafePorts() {
    compiler::Options options = testing::OptionsOfThisHost(GetParam());
    options.failsafe_inbound = {{model::kTcp, 22, std::nullopt}};
    options.failsafe_outbound = {{model::kUdp, 53, std::nullopt},
                                 {model::kTcp, 179, testing::Net("192.0.2.0/24")}};
    return options;
  }

  compiler::Graph graph_{OptionsWithFailsafePorts()};
  std::unique_ptr<PacketTester> tester_;
};

TEST_P(HostEndpointKernelTest, EveryPathIsAsTheOracleSays) {
  using testing::Allow;
  using testing::Deny;
  using testing::Pass;
  AddHostEndpoint("a", "eth0");
  AddHostEndpoint("w", "*");
  AddPolicy("untracked", List::kUntracked, {To(Allow(), model::kUdp, 80)},
            {To(Deny(), model::kTcp, 81)});
  AddPolicy("pre-dnat", List::kPreDnat, {To(Allow(), model::kTcp, 82), To(Deny(), model::kUdp, 82)},
            {});
  AddPolicy("forward", List::kForward, {To(Allow(), model::kTcp, 83), To(Pass(), model::kUdp, 83)},
            {To(Allow(), model::kTcp, 82), To(Allow(), model::kUdp, 80)});
  AddPolicy("normal", List::kNormal, {To(Allow(), model::kUdp, 84)}, {To(Allow(), model::kTcp, 84)},
            "host == 'a'");
  Apply();
  std::vector<Packet> packets;
  for (const IpFamily family : model::kIpFamilies) {
    for (const model::Protocol protocol : {model::kTcp, model::kUdp}) {
      for (const std::uint16_t port :
           std::initializer_list<std::uint16_t>{22, 53, 80, 81, 82, 83, 84, 179}) {
        packets.push_back(WorldToHost(family, protocol, port));
        packets.push_back(HostToWorld(family, protocol, port));
        packets.push_back(WorldToLan(family, protocol, port));
        packets.push_back(LanToWorld(family, protocol, port));
      }
    }
  }
  const int arrived = ExpectAsTheOracleSays(packets);
  EXPECT_GT(arrived, 20);
  EXPECT_LT(arrived, static_cast<int>(packets.size()) - 20);
}

TEST_P(HostEndpointKernelTest, UntrackedTrafficNeedsARuleEachWayAndLeavesNoFlow) {
  using testing::Allow;
  AddHostEndpoint("a", "eth0");
  AddPolicy("u", List::kUntracked, {To(Allow(), model::kUdp, 80), To(Allow(), model::kTcp, 80)},
            {From(Allow(), model::kUdp, 80)});
  Apply();
  for (const IpFamily family : model::kIpFamilies) {
    const Packet udp = WorldToHost(family, model::kUdp, 80);
    Expect(true, {udp});
    Expect(true, {AnswerTo(udp)});
    EXPECT_EQ(Shell("cat /proc/sys/net/netfilter/nf_conntrack_count"), "0\n");
    // The way back of TCP has no rule, and nobody remembers the way there.
    const Packet tcp = WorldToHost(family, model::kTcp, 80);
    Expect(true, {tcp});
    Expect(false, {AnswerTo(tcp)});
  }
}

TEST_P(HostEndpointKernelTest, FailsafePortsStayOpenToTheHostAndTheirAnswersTracked) {
  AddHostEndpoint("a", "eth0");
  AddPolicy("shut", List::kUntracked, {testing::Deny()}, {testing::Deny()});
  Apply();
  const IpFamily v4 = IpFamily::kV4;
  const IpFamily v6 = IpFamily::kV6;
  Expect(true, {WorldToHost(v4, model::kTcp, 22), WorldToHost(v6, model::kTcp, 22),
                HostToWorld(v4, model::kUdp, 53), HostToWorld(v6, model::kUdp, 53),
                HostToWorld(v4, model::kTcp, 179)});
  // Answers of UDP only, since those of TCP would have to fit the host's own sequence numbers.
  Expect(true,
         {AnswerTo(HostToWorld(v4, model::kUdp, 53)), AnswerTo(HostToWorld(v6, model::kUdp, 53))});
  Expect(false, {WorldToHost(v4, model::kTcp, 23), WorldToHost(v6, model::kUdp, 22),
                 HostToWorld(v4, model::kUdp, 54), HostToWorld(v6, model::kTcp, 179)});
}

TEST_P(HostEndpointKernelTest, PreDnatPolicySeesWhatSomebodyElseTranslates) {
  using testing::Allow;
  using testing::Deny;
  AddHostEndpoint("a", "eth0");
  AddHostEndpoint("b", "eth1");
  AddPolicy("p", List::kPreDnat, {To(Deny(), model::kTcp, 81)}, {}, "host == 'a'");
  AddPolicy("q", List::kForward, {To(Allow(), model::kTcp, 8080)}, {Allow()});
  for (const char* port : {"80", "81"}) {
    Shell(
        fmt::format("iptables-legacy -w -t nat -A PREROUTING -d {} -p tcp --dport {} -j DNAT "
                    "--to-destination {}:8080",
                    Router(IpFamily::kV4).ToString(), port, Lan(IpFamily::kV4).ToString()));
  }
  const auto redirected = [&](std::uint16_t port, std::uint16_t from) {
    Packet packet = WorldToHost(IpFamily::kV4, model::kTcp, port);
    packet.source_port = from;
    packet.out_interface = "eth1";
    packet.redirection = testing::Redirection{Lan(IpFamily::kV4), 8080};
    return packet;
  };
  Expect(true, {redirected(80, 2000), redirected(81, 2001)});
  Apply();
  Expect(true, {redirected(80, 2002)});
  Expect(false, {redirected(81, 2003)});
  ExpectAsTheOracleSays({redirected(80, 2004), redirected(81, 2005)});
}

TEST_P(HostEndpointKernelTest, WhatTheHostSendsIsPolicedWhereATranslationTakesIt) {
  using testing::Allow;
  AddHostEndpoint("a", "eth0");
  AddHostEndpoint("b", "eth1");
  AddPolicy("only-b", List::kNormal, {}, {To(Allow(), model::kUdp, 8080)}, "host == 'b'");
  const auto dnat = [&](const Packet& packet) {
    Shell(
        fmt::format("iptables-legacy -w -t nat -A OUTPUT -d {} -p udp --dport {} -j DNAT "
                    "--to-destination {}:{}",
                    packet.destination.ToString(), packet.destination_port,
                    packet.redirection->address.ToString(), packet.redirection->port));
  };
  const auto redirected = [&](const model::IpAddress& first, const model::IpAddress& then,
                              std::uint16_t port, std::uint16_t to_port) {
    Packet packet = Between(Router(IpFamily::kV4), first, model::kUdp, port);
    packet.first_out_interface = first == World(IpFamily::kV4) ? "eth0" : "eth1";
    packet.out_interface = then == World(IpFamily::kV4) ? "eth0" : "eth1";
    packet.redirection = testing::Redirection{then, to_port};
    return packet;
  };
  const model::IpAddress world = World(IpFamily::kV4);
  const model::IpAddress lan = Lan(IpFamily::kV4);
  const Packet to_open_port = redirected(world, lan, 80, 8080);
  const Packet to_shut_port = redirected(world, lan, 81, 8081);
  const Packet to_shut_side = redirected(lan, world, 8080, 8080);
  for (const Packet& packet : {to_open_port, to_shut_port, to_shut_side}) dnat(packet);
  Apply();
  Expect(true, {to_open_port});
  Expect(false, {to_shut_port, to_shut_side});
}

INSTANTIATE_TEST_SUITE_P(Layouts, HostEndpointKernelTest, testing::BothLayouts(),
                         testing::LayoutName);

}  // namespace
}  // namespace felix
