// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/graph.h"
#include "tests/property/properties.h"
#include "tests/reference/reference_compiler.h"
#include "tests/support/builders.h"
#include "tests/support/random.h"
#include "tests/support/random_cluster.h"

namespace felix::testing {
namespace {

using Updates = std::vector<model::Update>;

constexpr int kFirstPort = 80;
constexpr int kLastPort = 84;

std::uint16_t AnyPort(Random& random) {
  return static_cast<std::uint16_t>(random.Between(kFirstPort - 1, kLastPort + 1));
}

// So few ports that policies of all kinds, failsafe ports and packets meet in them.
compiler::Options OptionsFor(std::uint64_t seed, Random& random) {
  compiler::Options options = RandomOptions(seed);
  for (auto* list : {&options.failsafe_inbound, &options.failsafe_outbound}) {
    list->clear();
    for (int i = random.Between(0, 2); i > 0; --i) {
      list->push_back({random.PickOf({model::kTcp, model::kUdp}), AnyPort(random), std::nullopt});
      if (random.Chance(30)) list->back().net = Net(random.PickOf({"10.1.0.0/31", "fd00:1::/127"}));
    }
  }
  return options;
}

model::PolicyRule AnyRule(Random& random) {
  using Action = model::RuleAction;
  model::PolicyRule rule = Rule(
      random.PickOf({Action::kAllow, Action::kAllow, Action::kDeny, Action::kPass, Action::kLog}));
  if (random.Chance(25)) return rule;
  rule.protocol = random.PickOf({model::kTcp, model::kUdp});
  const std::uint16_t port = AnyPort(random);
  auto& side = random.Chance(70) ? rule.destination : rule.source;
  side.ports.ranges = {{port, static_cast<std::uint16_t>(port + random.Between(0, 2))}};
  if (random.Chance(20)) rule.source.selector = Select("has(host)");
  return rule;
}

model::Policy AnyPolicy(Random& random) {
  std::vector<model::PolicyRule> rules;
  for (int i = random.Between(1, 3); i > 0; --i) rules.push_back(AnyRule(random));
  model::Policy policy = PolicyOf(
      random.PickOf({"has(host)", "host == 'a'", "host == 'w'", "has(container)", "all()"}),
      std::move(rules), random.PickOf({"default", "first", "nobody's"}));
  if (random.Chance(30)) policy.egress = {AnyRule(random)};
  policy.ingress_applies = random.Chance(80);
  policy.egress_applies = random.Chance(80);
  const std::size_t kind = random.Below(10);
  policy.do_not_track = kind < 3;
  policy.pre_dnat = kind >= 3 && kind < 5;
  policy.apply_on_forward = kind < 7;
  return policy;
}

model::HostEndpoint AnyHostEndpoint(Random& random, const char* name, const char* interface_name) {
  model::HostEndpoint endpoint;
  endpoint.interface_name = interface_name;
  endpoint.labels = {{"host", name}};
  endpoint.expected_addresses = {Address("10.1.0.250")};
  if (random.Chance(30)) endpoint.profiles.emplace_back("open");
  return endpoint;
}

Updates AnyChanges(Random& random, bool first) {
  const auto host_endpoint = [](const char* name) {
    return model::HostEndpointId{std::string(kThisHost), name};
  };
  Updates updates;
  const auto change = [&](model::Key key, model::Resource value, int presence) {
    if (!first && random.Chance(60)) return;
    updates.push_back({std::move(key), std::nullopt});
    if (random.Chance(presence)) updates.back().value = std::move(value);
  };
  for (const char* name : {"p1", "p2", "p3", "p4", "p5"}) {
    change(GlobalPolicy(name), AnyPolicy(random), 80);
  }
  change(host_endpoint("a"), AnyHostEndpoint(random, "a", "eth0"), 80);
  change(host_endpoint("b"), AnyHostEndpoint(random, "b", random.PickOf({"eth1", "eth10", ""})),
         60);
  change(host_endpoint("w"), AnyHostEndpoint(random, "w", "*"), 50);
  change(model::InterfaceId{"eth0"}, model::Interface{{Address("10.1.0.200")}}, 90);
  change(model::InterfaceId{"eth1"}, model::Interface{{Address("10.1.0.250")}}, 90);
  change(model::InterfaceId{"eth10"}, model::Interface{}, 90);
  change(model::TierId{"first"},
         model::Tier{
             0, random.PickOf({model::TierDefaultAction::kPass, model::TierDefaultAction::kDeny})},
         80);
  return updates;
}

std::string AnyInterface(Random& random) {
  return random.PickOf({"eth0", "eth0", "eth1", "eth10", "eth2", "cali1", "cali2"});
}

Packet AnyPacket(Random& random) {
  const bool v4 = random.Chance(60);
  const auto address = [&](const std::string& interface_name) {
    if (interface_name == "cali1") return Address(v4 ? "10.0.0.1" : "fd00::1");
    if (interface_name == "cali2") return Address(v4 ? "10.0.0.2" : "fd00::2");
    return Address(v4 ? random.PickOf({"10.1.0.1", "10.1.0.2", "10.1.0.250"})
                      : random.PickOf({"fd00:1::1", "fd00:1::2"}));
  };
  Packet packet;
  const std::size_t way = random.Below(4);
  if (way != 0) packet.in_interface = AnyInterface(random);
  if (way != 1) packet.out_interface = AnyInterface(random);
  packet.source = address(packet.in_interface);
  packet.destination = address(packet.out_interface);
  packet.protocol = random.PickOf({model::kTcp, model::kTcp, model::kUdp, model::kSctp});
  packet.source_port = AnyPort(random);
  packet.destination_port = AnyPort(random);
  packet.conntrack =
      random.PickOf({ConntrackState::kNew, ConntrackState::kNew, ConntrackState::kNew,
                     ConntrackState::kNew, ConntrackState::kEstablished, ConntrackState::kRelated,
                     ConntrackState::kInvalid, ConntrackState::kUntracked});
  packet.mark = random.PickOf({0U, 0U, ~0U, static_cast<std::uint32_t>(random.Next())});
  if (random.Chance(25)) {
    packet.redirection = Redirection{address(packet.out_interface), AnyPort(random)};
    if (packet.in_interface.empty() && random.Chance(70)) {
      packet.first_out_interface = AnyInterface(random);
    }
  }
  return packet;
}

}  // namespace

std::optional<Violation> CheckHostPaths(std::uint64_t seed, const OnStep& on_step,
                                        VerdictCounts& seen) {
  Random random(seed);
  const compiler::Options options = OptionsFor(seed, random);
  compiler::Graph graph(options);
  graph.OnUpdates(Updates{
      {EndpointId("one"),
       Endpoint("cali1", {"10.0.0.1", "fd00::1"}, {{"container", "one"}}, {"open"})},
      {EndpointId("two"),
       Endpoint("cali2", {"10.0.0.2", "fd00::2"}, {{"container", "two"}}, {"open"})},
      {model::ProfileId{"open"}, ProfileOf({Allow()})},
  });
  ir::DesiredState emitted;
  for (int step = 0; step < 5; ++step) {
    on_step(step);
    graph.OnUpdates(AnyChanges(random, step == 0));
    FlushFully(graph, emitted);
    const ir::DesiredState want = ReferenceOf(graph);
    if (emitted != want) return Violation{step, FirstDifference(emitted, want)};
    std::vector<Packet> packets;
    for (int i = 0; i < 80; ++i) packets.push_back(AnyPacket(random));
    auto violation = CheckPackets(graph, packets, step, seen);
    if (violation.has_value()) return violation;
  }
  return std::nullopt;
}

}  // namespace felix::testing
