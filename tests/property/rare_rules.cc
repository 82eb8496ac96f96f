// SPDX-License-Identifier: Apache-2.0
#include <utility>
#include <vector>

#include "compiler/graph.h"
#include "tests/property/properties.h"
#include "tests/support/builders.h"
#include "tests/support/random.h"
#include "tests/support/random_cluster.h"

namespace felix::testing {
namespace {

using model::IpFamily;

// Enough for so many multiport matches that their product would be too long a list of rules.
constexpr int kManyPorts = 75;

// Every other port from somewhere on, so that no range says it in short.
std::vector<model::PortRange> ManyPorts(Random& random) {
  std::vector<model::PortRange> ranges;
  const int first = 1000 + random.Between(0, 60);
  for (int i = 0; i < kManyPorts; ++i) {
    const auto port = static_cast<std::uint16_t>(first + 2 * i);
    ranges.push_back({port, port});
  }
  return ranges;
}

model::PolicyRule RareRule(Random& random) {
  using Action = model::RuleAction;
  model::PolicyRule rule =
      Rule(random.PickOf({Action::kAllow, Action::kDeny, Action::kPass, Action::kLog}));
  switch (random.Below(9)) {
    case 0:
      rule.icmp = model::IcmpMatch{.type = random.PickOf<std::uint8_t>({0, 8, 128}), .code = {}};
      break;
    case 1:  // matches nothing, since no decoder lets it through
      rule.source.ports.ranges = ManyPorts(random);
      break;
    case 2:
      rule.source.nets = Nets({random.PickOf({"10.0.0.0/31", "fd00::/127", "10.0.0.0/8"})});
      break;
    case 3:
      rule.destination.not_nets = Nets({random.PickOf({"0.0.0.0/0", "::/0", "10.0.0.2/32"})});
      break;
    case 4:  // both endpoints have the port, and one of them is selected
      rule.protocol = model::kTcp;
      rule.destination.selector = Select(random.PickOf({"role == 'one'", "role == 'two'"}));
      rule.destination.ports.names = {"named"};
      break;
    default:
      rule.protocol = random.PickOf({model::kTcp, model::kUdp});
      rule.source.ports.ranges = ManyPorts(random);
      rule.destination.ports.ranges = ManyPorts(random);
      break;
  }
  return rule;
}

// Gives many ports one name, so that packets meet them often.
model::WorkloadEndpoint WithNamedPorts(model::WorkloadEndpoint endpoint, const char* role) {
  endpoint.labels = {{"role", role}};
  for (std::uint16_t port = 1000; port < 1200; port = static_cast<std::uint16_t>(port + 2)) {
    endpoint.ports.push_back({.name = "named", .protocol = model::kTcp, .port = port});
  }
  return endpoint;
}

Packet AnyPacket(Random& random) {
  const bool v4 = random.Chance(50);
  const auto port = [&] { return static_cast<std::uint16_t>(random.Between(1000, 1210)); };
  Packet packet;
  packet.source = Address(v4 ? "10.0.0.1" : "fd00::1");
  packet.destination = Address(v4 ? "10.0.0.2" : "fd00::2");
  packet.in_interface = "cali1";
  if (random.Chance(80)) packet.out_interface = "cali2";
  packet.protocol =
      random.PickOf({model::kTcp, model::kTcp, model::kUdp, v4 ? model::kIcmp : model::kIcmpV6});
  if (packet.IsIcmp()) {
    packet.icmp_type = random.PickOf<std::uint8_t>({0, 8, 128});
  } else {
    packet.source_port = port();
    packet.destination_port = port();
  }
  packet.mark = random.PickOf({0U, 0U, ~0U, static_cast<std::uint32_t>(random.Next())});
  return packet;
}

}  // namespace

std::optional<Violation> CheckRareRules(std::uint64_t seed, const OnStep& on_step,
                                        VerdictCounts& seen) {
  Random random(seed);
  compiler::Graph graph(RandomOptions(seed));
  graph.OnUpdates(std::vector<model::Update>{
      {EndpointId("one"), WithNamedPorts(Endpoint("cali1", {"10.0.0.1", "fd00::1"}), "one")},
      {EndpointId("two"), WithNamedPorts(Endpoint("cali2", {"10.0.0.2", "fd00::2"}), "two")},
  });
  for (int step = 0; step < 5; ++step) {
    on_step(step);
    std::vector<model::PolicyRule> rules;
    for (int i = random.Between(2, 6); i > 0; --i) rules.push_back(RareRule(random));
    graph.OnUpdates(std::vector<model::Update>{
        {GlobalPolicy("rare"), PolicyOf("all()", std::move(rules))},
    });
    static_cast<void>(graph.Flush());
    std::vector<Packet> packets;
    for (int i = 0; i < 60; ++i) packets.push_back(AnyPacket(random));
    auto violation = CheckPackets(graph, packets, step, seen);
    if (violation.has_value()) return violation;
  }
  return std::nullopt;
}

}  // namespace felix::testing
