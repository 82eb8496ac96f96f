// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet_samples.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "tests/support/builders.h"
#include "tests/support/random.h"

namespace felix::testing {
namespace {

using model::IpAddress;
using model::IpFamily;

IpAddress FromBytes(const std::vector<std::uint8_t>& bytes) {
  if (bytes.size() == 4) {
    std::uint32_t value = 0;
    for (const std::uint8_t byte : bytes) value = value << 8 | byte;
    return IpAddress::V4(value);
  }
  std::array<std::uint8_t, 16> value{};
  std::copy(bytes.begin(), bytes.end(), value.begin());
  return IpAddress::V6(value);
}

// The address `step` (+1 or -1) further on; wraps around at the ends.
IpAddress Neighbour(const IpAddress& address, int step) {
  std::vector<std::uint8_t> bytes(address.bytes().begin(), address.bytes().end());
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    *byte = static_cast<std::uint8_t>(*byte + step);
    if (*byte != (step > 0 ? 0x00 : 0xff)) break;
  }
  return FromBytes(bytes);
}

IpAddress LastOf(const model::Cidr& net) {
  std::vector<std::uint8_t> bytes(net.address().bytes().begin(), net.address().bytes().end());
  for (std::size_t bit = static_cast<std::size_t>(net.prefix_length()); bit < bytes.size() * 8;
       ++bit) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | (0x80U >> (bit % 8)));
  }
  return FromBytes(bytes);
}

struct LocalEndpoint {
  std::string interface_name;
  std::vector<IpAddress> addresses;
};

// What a packet can be made of.
struct Ingredients {
  std::vector<LocalEndpoint> local;
  std::vector<IpAddress> v4 = {Address("203.0.113.9"), Address("0.0.0.0")};
  std::vector<IpAddress> v6 = {Address("2001:db8::9"), Address("fe80::1"), Address("::")};
  std::vector<std::uint16_t> ports = {1024, 33000};
  std::vector<model::FailsafePort> failsafe;
  std::vector<model::PolicyRule> rules;

  const std::vector<IpAddress>& Addresses(IpFamily family) const {
    return family == IpFamily::kV4 ? v4 : v6;
  }
  void Add(const IpAddress& address) {
    (address.family() == IpFamily::kV4 ? v4 : v6).push_back(address);
  }
  void AddEdges(const std::vector<model::Cidr>& nets) {
    for (const model::Cidr& net : nets) {
      Add(net.address());
      Add(LastOf(net));
      Add(Neighbour(net.address(), -1));
      Add(Neighbour(LastOf(net), 1));
    }
  }
  void AddRules(const std::vector<model::PolicyRule>& list) {
    for (const model::PolicyRule& rule : list) {
      rules.push_back(rule);
      for (const model::EntityMatch* side : {&rule.source, &rule.destination}) {
        AddEdges(side->nets);
        AddEdges(side->not_nets);
      }
    }
  }
};

Ingredients Collect(const model::Store& store, const compiler::Options& options) {
  Ingredients all;
  for (const auto& [id, endpoint] : store.endpoints()) {
    if (id.host == options.hostname) {
      all.local.push_back({endpoint.interface_name, endpoint.addresses});
    }
    for (const IpAddress& address : endpoint.addresses) all.Add(address);
    all.AddEdges(endpoint.allow_spoofed_source_prefixes);
    for (const model::NamedPort& named : endpoint.ports) all.ports.push_back(named.port);
  }
  for (const auto& [id, endpoint] : store.host_endpoints()) {
    for (const IpAddress& address : endpoint.expected_addresses) all.Add(address);
    for (const model::NamedPort& named : endpoint.ports) all.ports.push_back(named.port);
  }
  for (const auto* list : {&options.failsafe_inbound, &options.failsafe_outbound}) {
    for (const model::FailsafePort& failsafe : *list) {
      all.failsafe.push_back(failsafe);
      if (failsafe.net.has_value()) all.AddEdges({*failsafe.net});
    }
  }
  for (const auto& [id, network_set] : store.network_sets()) all.AddEdges(network_set.nets);
  for (const auto& [id, policy] : store.policies()) {
    all.AddRules(policy.ingress);
    all.AddRules(policy.egress);
  }
  for (const auto& [id, profile] : store.profiles()) {
    all.AddRules(profile.ingress);
    all.AddRules(profile.egress);
  }
  all.ports.push_back(options.vxlan_port);
  return all;
}

class Sampler {
 public:
  Sampler(const Ingredients& all, std::uint64_t seed) : all_(all), random_(seed) {}

  Packet Next() {
    Packet packet;
    const IpFamily family = random_.Chance(60) ? IpFamily::kV4 : IpFamily::kV6;
    const std::size_t way = random_.Below(20);
    const bool comes_in = way > 2;
    const bool goes_out = way <= 2 || way > 8;
    const LocalEndpoint* from = comes_in ? ChooseEnd(packet.in_interface) : nullptr;
    const LocalEndpoint* to = goes_out ? ChooseEnd(packet.out_interface) : nullptr;
    packet.source = ChooseAddress(family, from);
    packet.destination = ChooseAddress(family, to);
    if (random_.Chance(65) && !all_.rules.empty()) {
      FollowRule(random_.Pick(all_.rules), packet);
    } else {
      ChooseProtocol(packet);
    }
    if (!all_.failsafe.empty() && random_.Chance(15)) FollowFailsafe(packet);
    if (!packet.protocol.HasPorts()) packet.source_port = packet.destination_port = 0;
    if (family == IpFamily::kV6 && comes_in && !goes_out && random_.Chance(15)) {
      BecomeDiscovery(packet);
    }
    packet.conntrack = random_.PickOf(
        {ConntrackState::kNew, ConntrackState::kNew, ConntrackState::kNew, ConntrackState::kNew,
         ConntrackState::kNew, ConntrackState::kNew, ConntrackState::kUntracked,
         ConntrackState::kEstablished, ConntrackState::kRelated, ConntrackState::kInvalid});
    if (random_.Chance(10)) packet.mark = static_cast<std::uint32_t>(random_.Next());
    if (random_.Chance(12)) BecomeRedirected(packet);
    return packet;
  }

 private:
  // Names the interface at one end of the way and returns whose it is, if an endpoint's.
  const LocalEndpoint* ChooseEnd(std::string& interface_name) {
    if (!all_.local.empty() && random_.Chance(60)) {
      const LocalEndpoint& endpoint = random_.Pick(all_.local);
      interface_name = endpoint.interface_name;
      return &endpoint;
    }
    interface_name =
        random_.PickOf<const char*>({"eth0", "eth0", "eth0", "eth0", "eth0", "eth0", "eth1", "eth1",
                                     "eth10", "lo", "cali", "cali9", "cali99", "cali1x", "tap9"});
    return nullptr;
  }

  IpAddress ChooseAddress(IpFamily family, const LocalEndpoint* owner) {
    std::vector<IpAddress> own;
    if (owner != nullptr) {
      for (const IpAddress& address : owner->addresses) {
        if (address.family() == family) own.push_back(address);
      }
    }
    if (!own.empty() && random_.Chance(85)) return random_.Pick(own);
    return random_.Pick(all_.Addresses(family));
  }

  std::uint16_t ChoosePort(const model::EntityMatch& side) {
    const model::PortMatch& ports =
        side.ports.ranges.empty() || random_.Chance(20) ? side.not_ports : side.ports;
    if (ports.ranges.empty() || random_.Chance(20)) return random_.Pick(all_.ports);
    const model::PortRange range = random_.Pick(ports.ranges);
    const int offset = random_.Between(-1, 1);
    return static_cast<std::uint16_t>((random_.Chance(50) ? range.first : range.last) + offset);
  }

  IpAddress ChooseWithin(const std::vector<model::Cidr>& nets, const IpAddress& otherwise) {
    if (nets.empty()) return otherwise;
    const model::Cidr net = random_.Pick(nets);
    if (net.family() != otherwise.family()) return otherwise;
    return random_.Chance(50) ? net.address() : LastOf(net);
  }

  // Makes the packet one that the rule may be about, or that it just misses.
  void FollowRule(const model::PolicyRule& rule, Packet& packet) {
    ChooseProtocol(packet);
    if (rule.protocol) packet.protocol = *rule.protocol;
    if (rule.not_protocol && random_.Chance(20)) packet.protocol = *rule.not_protocol;
    packet.source_port = ChoosePort(rule.source);
    packet.destination_port = ChoosePort(rule.destination);
    if (random_.Chance(30)) packet.source = ChooseWithin(rule.source.nets, packet.source);
    if (random_.Chance(30)) {
      packet.destination = ChooseWithin(rule.destination.nets, packet.destination);
    }
    const auto& icmp = random_.Chance(30) ? rule.not_icmp : rule.icmp;
    if (!icmp) return;
    packet.icmp_type = icmp->type;
    if (icmp->code && random_.Chance(70)) packet.icmp_code = *icmp->code;
    if (random_.Chance(15)) ++packet.icmp_type;
  }

  void ChooseProtocol(Packet& packet) {
    const model::Protocol icmp = packet.family() == IpFamily::kV4 ? model::kIcmp : model::kIcmpV6;
    packet.protocol = random_.PickOf<model::Protocol>({model::kTcp,
                                                       model::kTcp,
                                                       model::kTcp,
                                                       model::kUdp,
                                                       model::kUdp,
                                                       model::kSctp,
                                                       icmp,
                                                       icmp,
                                                       model::kIcmp,
                                                       model::kIcmpV6,
                                                       model::kUdpLite,
                                                       {4},
                                                       {47}});
    packet.source_port = random_.Pick(all_.ports);
    packet.destination_port = random_.Pick(all_.ports);
    packet.icmp_type = random_.PickOf<std::uint8_t>({0, 3, 8, 128, 129, 134, 135, 136});
    packet.icmp_code = random_.PickOf<std::uint8_t>({0, 0, 1, 4});
  }

  // Makes the packet one to or from a port that is to stay open, or that just misses it.
  void FollowFailsafe(Packet& packet) {
    const model::FailsafePort& failsafe = random_.Pick(all_.failsafe);
    packet.protocol = failsafe.protocol;
    const auto port = static_cast<std::uint16_t>(failsafe.port + (random_.Chance(20) ? 1 : 0));
    (random_.Chance(50) ? packet.source_port : packet.destination_port) = port;
    if (!failsafe.net.has_value() || random_.Chance(30)) return;
    IpAddress& peer = random_.Chance(50) ? packet.source : packet.destination;
    peer = ChooseWithin({*failsafe.net}, peer);
  }

  void BecomeRedirected(Packet& packet) {
    packet.redirection =
        Redirection{random_.Pick(all_.Addresses(packet.family())), random_.Pick(all_.ports)};
    if (packet.in_interface.empty() && random_.Chance(70)) ChooseEnd(packet.first_out_interface);
  }

  void BecomeDiscovery(Packet& packet) {
    packet.protocol = model::kIcmpV6;
    packet.source_port = packet.destination_port = 0;
    packet.icmp_type = static_cast<std::uint8_t>(random_.Between(129, 137));
    packet.icmp_code = 0;
    const auto source = random_.Below(4);
    if (source == 0) packet.source = Address("::");
    if (source == 1) packet.source = Address("fe80::ca11");
  }

  const Ingredients& all_;
  Random random_;
};

}  // namespace

std::vector<Packet> SamplePackets(const model::Store& store, const compiler::Options& options,
                                  std::uint64_t seed, std::size_t n) {
  const Ingredients all = Collect(store, options);
  Sampler sampler(all, seed);
  std::vector<Packet> packets;
  packets.reserve(n);
  while (packets.size() < n) packets.push_back(sampler.Next());
  return packets;
}

}  // namespace felix::testing
