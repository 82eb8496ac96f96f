// SPDX-License-Identifier: Apache-2.0
// What the oracle says of host endpoints, path by path.
#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/support/oracle_world.h"

namespace felix::testing {
namespace {

enum class List { kNormal, kForward, kUntracked, kPreDnat };

model::PolicyRule ToPort(model::PolicyRule rule, std::uint16_t port) {
  rule.protocol = model::kTcp;
  rule.destination.ports.ranges = {{port, port}};
  return rule;
}

// `eth0` (192.0.2.1) and `eth1` (198.51.100.1) are interfaces of this host; eth0 has the host
// endpoint "a" with role=edge.
struct HostWorld : OracleWorld {
  HostWorld() {
    resources.Add(model::InterfaceId{"eth0"}, Interface({"192.0.2.1", "fd00:9::1"}));
    resources.Add(model::InterfaceId{"eth1"}, Interface({"198.51.100.1"}));
    Claim("a", "eth0", {}, {{"role", "edge"}});
  }
  static model::Interface Interface(std::initializer_list<std::string_view> addresses) {
    model::Interface interface;
    for (const std::string_view text : addresses) interface.addresses.push_back(Address(text));
    return interface;
  }
  HostWorld& Claim(std::string name, std::string interface_name,
                   std::initializer_list<std::string_view> addresses = {},
                   model::LabelSet labels = {}, std::vector<std::string> profiles = {}) {
    model::HostEndpoint endpoint;
    endpoint.interface_name = std::move(interface_name);
    for (const auto text : addresses) endpoint.expected_addresses.push_back(Address(text));
    endpoint.labels = std::move(labels);
    endpoint.profiles = std::move(profiles);
    resources.Add(model::HostEndpointId{std::string(kThisHost), std::move(name)}, endpoint);
    return *this;
  }
  HostWorld& Add(std::string_view name, List list, std::vector<model::PolicyRule> rules,
                 std::string_view selector = "role == 'edge'") {
    model::Policy policy = PolicyOf(selector, std::move(rules));
    policy.do_not_track = list == List::kUntracked;
    policy.pre_dnat = list == List::kPreDnat;
    policy.apply_on_forward = list != List::kNormal;
    resources.Add(GlobalPolicy(name), policy);
    return *this;
  }
};

Packet WorldToHost(std::uint16_t port = 80) {
  return Tcp("eth0", "203.0.113.1", "", "192.0.2.1", port);
}
Packet HostToWorld(std::uint16_t port = 80) {
  return Tcp("", "192.0.2.1", "eth0", "203.0.113.1", port);
}
Packet Through(std::uint16_t port = 80) {
  return Tcp("eth0", "203.0.113.1", "eth1", "198.51.100.9", port);
}
Packet Redirected(Packet packet, std::string_view address, std::uint16_t port) {
  packet.redirection = Redirection{Address(address), port};
  return packet;
}

TEST(OracleHost, HasNoSayWhereNoHostEndpointIs) {
  const OracleWorld world;
  for (const Packet& packet : {WorldToHost(), HostToWorld(), Through()}) {
    EXPECT_EQ(world.Judge(packet), Verdict::kNotOurs) << packet;
  }
}

TEST(OracleHost, DeniesWhatNoPolicyOrProfileAllows) {
  EXPECT_EQ(HostWorld().Judge(WorldToHost()), Verdict::kDeny);
  EXPECT_EQ(HostWorld().Judge(HostToWorld()), Verdict::kDeny);
  EXPECT_EQ(HostWorld().Claim("a", "eth0", {}, {}, {"open"}).Judge(WorldToHost()),
            Verdict::kAccept);
  HostWorld world;
  world.Add("p", List::kNormal, {ToPort(Allow(), 80)});
  EXPECT_EQ(world.Judge(WorldToHost(80)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WorldToHost(81)), Verdict::kDeny);
  EXPECT_EQ(world.Judge(HostToWorld(80)), Verdict::kAccept);
}

TEST(OracleHost, KnowsAnInterfaceByNameOrByAddress) {
  HostWorld world;
  world.Claim("b", "", {"198.51.100.1"});
  const Packet to_eth1 = Tcp("eth1", "203.0.113.1", "", "198.51.100.1");
  EXPECT_EQ(world.Judge(to_eth1), Verdict::kDeny);
  world.Claim("b", "eth7", {"198.51.100.1"});  // another name excludes, whatever the addresses
  EXPECT_EQ(world.Judge(to_eth1), Verdict::kNotOurs);
  world.Claim("b", "", {"198.51.100.2"});
  EXPECT_EQ(world.Judge(to_eth1), Verdict::kNotOurs);
}

TEST(OracleHost, LetsTheSmallerNameHaveAnInterface) {
  HostWorld world;
  world.Claim("0", "", {"192.0.2.1"}, {}, {"open"});
  EXPECT_EQ(world.Judge(WorldToHost()), Verdict::kAccept);
}

TEST(OracleHost, GivesNoInterfaceOfAWorkloadOrOfNobodyToAHostEndpoint) {
  HostWorld world;
  world.Claim("b", "cali1").Claim("c", "eth2");
  world.resources.Add(model::InterfaceId{"cali1"}, HostWorld::Interface({"192.0.2.7"}));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Tcp("eth2", "203.0.113.1", "", "192.0.2.7")), Verdict::kNotOurs);
}

TEST(OracleHost, TakesTheWildcardOnlyForInterfacesWithoutTheirOwn) {
  HostWorld world;
  world.Claim("0", "*", {}, {}, {"open"});
  EXPECT_EQ(world.Judge(WorldToHost()), Verdict::kDeny);
  EXPECT_EQ(world.Judge(Tcp("eth1", "203.0.113.1", "", "198.51.100.1")), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Tcp("eth9", "203.0.113.1", "", "198.51.100.1")), Verdict::kAccept);
}

TEST(OracleHost, KeepsFailsafePortsOpenForTheHostAlone) {
  HostWorld world;
  world.options.failsafe_inbound = {{model::kTcp, 22, Net("203.0.113.0/24")}};
  world.options.failsafe_outbound = {{model::kTcp, 53, std::nullopt}};
  world.Add("p", List::kForward, {Deny()});
  EXPECT_EQ(world.Judge(WorldToHost(22)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(HostToWorld(53)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(HostToWorld(22)), Verdict::kDeny);
  EXPECT_EQ(world.Judge(Tcp("eth0", "203.0.114.1", "", "192.0.2.1", 22)), Verdict::kDeny);
  EXPECT_EQ(world.Judge(WithProtocol(WorldToHost(22), model::kUdp)), Verdict::kDeny);
  EXPECT_EQ(world.Judge(Through(22)), Verdict::kDeny);
  EXPECT_EQ(world.Judge(WithState(WorldToHost(22), ConntrackState::kInvalid)), Verdict::kDeny);
  world.options.filter_allow_action = compiler::AllowAction::kReturn;
  EXPECT_EQ(world.Judge(WorldToHost(22)), Verdict::kAccept);
}

TEST(OracleHost, AcceptsKnownFlowsBeforeAllButUntrackedPolicy) {
  HostWorld world;
  world.Add("p", List::kPreDnat, {Deny()});
  EXPECT_EQ(world.Judge(WithState(WorldToHost(), ConntrackState::kEstablished)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WithState(Through(), ConntrackState::kRelated)), Verdict::kAccept);
  world.Add("q", List::kUntracked, {Deny()});
  EXPECT_EQ(world.Judge(WithState(WorldToHost(), ConntrackState::kEstablished)), Verdict::kDeny);
}

TEST(OracleHost, AcceptsUntrackedTrafficForGood) {
  HostWorld world;
  world.Add("u", List::kUntracked, {ToPort(Allow(), 80)}).Add("p", List::kPreDnat, {Deny()});
  EXPECT_EQ(world.Judge(WorldToHost(80)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Through(80)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(HostToWorld(80)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WorldToHost(81)), Verdict::kDeny);
  world.Claim("a", "*", {}, {{"role", "edge"}});  // which has no untracked policy
  EXPECT_EQ(world.Judge(WorldToHost(80)), Verdict::kDeny);
}

TEST(OracleHost, NeitherRedirectsNorExcusesUntrackedTrafficToWorkloads) {
  HostWorld world;
  world.Add("u", List::kUntracked, {ToPort(Allow(), 80)});
  EXPECT_EQ(world.Judge(WorldToDb()), Verdict::kAccept);
  world.Add("w", List::kNormal, {Deny()}, "role == 'db'");
  EXPECT_EQ(world.Judge(WorldToDb()), Verdict::kDeny);
  const Packet redirected = Redirected(WorldToHost(80), "192.0.2.1", 81);
  EXPECT_EQ(world.Judge(redirected), Verdict::kAccept);
}

TEST(OracleHost, KeepsFailsafePortsAndTheirAnswersFromUntrackedPolicy) {
  HostWorld world;
  world.options.failsafe_inbound = {{model::kTcp, 22, std::nullopt}};
  world.options.failsafe_outbound = {{model::kTcp, 53, std::nullopt}};
  world.Add("u", List::kUntracked, {Deny()});
  Packet answer = WorldToHost(40000);
  answer.source_port = 53;
  answer.conntrack = ConntrackState::kEstablished;
  EXPECT_EQ(world.Judge(answer), Verdict::kAccept);
  answer.source_port = 22;
  EXPECT_EQ(world.Judge(answer), Verdict::kDeny);
  Packet answer_out = WithState(HostToWorld(40000), ConntrackState::kEstablished);
  answer_out.source_port = 22;
  EXPECT_EQ(world.Judge(answer_out), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WorldToHost(22)), Verdict::kAccept);
}

TEST(OracleHost, AsksPreDnatPolicyAboutTheFirstDestination) {
  HostWorld world;
  world.Add("p", List::kPreDnat, {ToPort(Deny(), 80), ToPort(Allow(), 81)});
  EXPECT_EQ(world.Judge(Redirected(Through(80), "198.51.100.9", 8080)), Verdict::kDeny);
  EXPECT_EQ(world.Judge(Redirected(WorldToHost(81), "192.0.2.1", 80)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Redirected(WorldToHost(82), "192.0.2.1", 81)), Verdict::kDeny);
}

TEST(OracleHost, AppliesPreDnatPolicyOfTheWildcardToWorkloadsToo) {
  HostWorld world;
  world.Claim("w", "*", {}, {{"kind", "all"}}).Add("p", List::kPreDnat, {Deny()}, "has(kind)");
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  EXPECT_EQ(world.Judge(WebToHost()), Verdict::kDeny);
  world.Add("p", List::kPreDnat, {Allow()}, "has(kind)");
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  world.Add("w", List::kNormal, {Deny()}, "role == 'web'");
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  EXPECT_EQ(world.Judge(WebToHost()), Verdict::kDeny);
}

TEST(OracleHost, ForwardsWhatNoForwardPolicyIsAbout) {
  HostWorld world;
  EXPECT_EQ(world.Judge(Through()), Verdict::kAccept);
  world.Add("p", List::kNormal, {Deny()});
  EXPECT_EQ(world.Judge(Through()), Verdict::kAccept);
  world.Add("p", List::kForward, {ToPort(Allow(), 80)});
  EXPECT_EQ(world.Judge(Through(80)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Through(81)), Verdict::kDeny);
}

TEST(OracleHost, AllowsTheDirectionWithoutForwardPolicy) {
  HostWorld world;
  model::Policy egress_only = PolicyOf("role == 'edge'", {Deny()});
  egress_only.apply_on_forward = true;
  egress_only.ingress_applies = false;
  world.resources.Add(GlobalPolicy("p"), egress_only);
  EXPECT_EQ(world.Judge(Through()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Tcp("eth1", "198.51.100.9", "eth0", "203.0.113.1")), Verdict::kDeny);
}

TEST(OracleHost, ForwardsWhatThePoliciesPassOn) {
  HostWorld world;
  world.Add("p", List::kForward, {Pass()});
  EXPECT_EQ(world.Judge(Through()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WorldToHost()), Verdict::kDeny);
}

TEST(OracleHost, NeedsBothTheForwardPolicyAndTheWorkloads) {
  HostWorld world;
  world.Add("p", List::kForward, {ToPort(Allow(), 80)});
  EXPECT_EQ(world.Judge(WorldToDb()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(WebToWorld()), Verdict::kAccept);
  world.Add("p", List::kForward, {ToPort(Allow(), 81)});
  EXPECT_EQ(world.Judge(WorldToDb()), Verdict::kDeny);
  EXPECT_EQ(world.Judge(WebToWorld()), Verdict::kDeny);
  world.Add("p", List::kForward, {Allow()}).Add("w", List::kNormal, {Deny()}, "role == 'db'");
  EXPECT_EQ(world.Judge(WorldToDb()), Verdict::kDeny);
}

TEST(OracleHost, JudgesARedirectedPacketOfTheHostWhereItLeaves) {
  HostWorld world;
  world.Claim("b", "eth1", {}, {}, {"open"});
  Packet packet = Redirected(HostToWorld(), "198.51.100.9", 80);
  packet.first_out_interface = "eth0";
  packet.out_interface = "eth1";
  EXPECT_EQ(world.Judge(packet), Verdict::kContinue);
  std::swap(packet.first_out_interface, packet.out_interface);
  EXPECT_EQ(world.Judge(packet), Verdict::kDeny);
  packet.conntrack = ConntrackState::kUntracked;  // so nobody redirects it
  EXPECT_EQ(world.Judge(packet), Verdict::kAccept);
}

TEST(OracleHost, LeavesTheHostsTrafficToItsWorkloadsAlone) {
  HostWorld world;
  world.Claim("w", "*");
  EXPECT_EQ(world.Judge(Tcp("", "192.0.2.1", "cali2", "10.0.0.2")), Verdict::kNotOurs);
  Packet packet = Redirected(HostToWorld(), "10.0.0.2", 80);
  packet.first_out_interface = "eth0";
  packet.out_interface = "cali2";
  EXPECT_EQ(world.Judge(packet), Verdict::kNotOurs);
}

TEST(OracleHost, CountsExpectedAddressesOfAnyHostAmongTheSelected) {
  HostWorld world;
  model::HostEndpoint remote;
  remote.expected_addresses = {Address("203.0.113.1")};
  remote.labels = {{"role", "peer"}};
  remote.ports = {{"web", model::kTcp, 80}};
  world.resources.Add(model::HostEndpointId{"host-b", "x"}, remote);
  model::PolicyRule from_peer = Allow();
  from_peer.source.selector = Select("role == 'peer'");
  model::PolicyRule to_port = Allow();
  to_port.destination.ports.names = {"web"};
  world.Add("p", List::kNormal, {from_peer, to_port});
  EXPECT_EQ(world.Judge(WorldToHost()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Tcp("eth0", "203.0.113.2", "", "192.0.2.1")), Verdict::kDeny);
  EXPECT_EQ(world.Judge(HostToWorld(80)), Verdict::kAccept);
  EXPECT_EQ(world.Judge(HostToWorld(81)), Verdict::kDeny);
}

}  // namespace
}  // namespace felix::testing
