// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_resources.h"

#include <algorithm>
#include <array>
#include <optional>

#include "fmt/format.h"

#include "tests/support/builders.h"

namespace felix::testing {
namespace {

constexpr std::array<const char*, 4> kLabelNames = {"a", "b", "app", "projectcalico.org/zone"};
constexpr std::array<const char*, 4> kLabelValues = {"x", "y", "xy", ""};
constexpr std::array<const char*, 3> kPortNames = {"http", "dns", "web-1"};
constexpr std::array<std::uint16_t, 9> kPortNumbers = {1, 53, 80, 81, 443, 444, 4789, 8080, 65535};
constexpr std::array<const char*, 18> kNets = {
    "0.0.0.0/0", "10.0.0.0/8",  "10.0.0.0/29", "10.0.0.4/30", "10.0.0.0/32",    "10.0.0.1/32",
    "0.0.0.0/1", "128.0.0.0/1", "10.0.0.2/31", "fd00::/64",   "fd00::4/126",    "fd00::1/128",
    "::/0",      "::/1",        "8000::/1",    "fe80::/10",   "192.168.0.0/16", "fd00::2/127"};
constexpr std::array<const char*, 12> kInterfaces = {
    "cali1", "cali2",  "cali12", "cali123", "cali3", "tap1",
    "cali4", "cali-a", "tap12",  "cali.b",  "cali5", "cali0123456789a"};
constexpr std::array<const char*, 8> kHostInterfaces = {"eth0",  "eth0", "eth0", "eth1",
                                                        "eth10", "lo",   "tap9", "cali9"};

}  // namespace

model::IpAddress RandomResources::Address() {
  const int host = random_.Between(1, breadth_ * 2);
  if (random_.Chance(60)) return testing::Address(fmt::format("10.0.0.{}", host));
  return testing::Address(fmt::format("fd00::{:x}", host));
}

model::Cidr RandomResources::Net() {
  if (random_.Chance(25)) return model::Cidr::Host(Address());
  return testing::Net(random_.Pick(kNets));
}

std::vector<model::Cidr> RandomResources::Nets(int most) {
  std::vector<model::Cidr> nets;
  const int count = random_.Between(1, most);
  for (int i = 0; i < count; ++i) nets.push_back(Net());
  return nets;
}

model::LabelSet RandomResources::Labels(int chance) {
  model::LabelSet labels;
  for (const char* name : kLabelNames) {
    if (random_.Chance(chance)) labels.Set(name, random_.Pick(kLabelValues));
  }
  return labels;
}

std::string RandomResources::TierName() {
  return random_.PickOf<const char*>({"default", "default", "security", "platform", "zone"});
}

std::string RandomResources::ProfileName() {
  return fmt::format("profile-{}", random_.Between(1, 4));
}

std::vector<std::string> RandomResources::Profiles() {
  std::vector<std::string> profiles;
  const int count = random_.Between(0, 3);
  for (int i = 0; i < count; ++i) {
    std::string name = ProfileName();
    if (std::count(profiles.begin(), profiles.end(), name) == 0) profiles.push_back(name);
  }
  return profiles;
}

std::string RandomResources::SelectorText(int depth) {
  const char* name = random_.Pick(kLabelNames);
  const char* value = random_.Pick(kLabelValues);
  if (depth > 0 && random_.Chance(35)) {
    const std::string left = SelectorText(depth - 1);
    switch (random_.Below(3)) {
      case 0:
        return fmt::format("({} && {})", left, SelectorText(depth - 1));
      case 1:
        return fmt::format("({} || {})", left, SelectorText(depth - 1));
      default:
        return fmt::format("!({})", left);
    }
  }
  switch (random_.Below(12)) {
    case 0:
      return "all()";
    case 1:
    case 2:
      return fmt::format("has({})", name);
    case 3:
      return fmt::format("!has({})", name);
    case 4:
      return fmt::format("{} != '{}'", name, value);
    case 5:
      return fmt::format("{} in {{'{}', '{}'}}", name, value, random_.Pick(kLabelValues));
    case 6:
      return fmt::format("{} not in {{'{}', 'x'}}", name, value);
    case 7:
      return fmt::format("{} contains 'x'", name);
    case 8:
      return fmt::format("{} starts with '{}'", name, value);
    case 9:
      return fmt::format("{} ends with 'y'", name);
    default:
      return fmt::format("{} == '{}'", name, value);
  }
}

model::Selector RandomResources::Selector() {
  return Select(SelectorText(2));
}

std::optional<double> RandomResources::Order() {
  if (random_.Chance(20)) return std::nullopt;
  return random_.PickOf<double>({-1.5, 0, 1, 1, 10, 10, 10.5, 1e6});
}

model::WorkloadEndpoint RandomResources::Endpoint(bool local) {
  model::WorkloadEndpoint endpoint;
  endpoint.admin_up = !random_.Chance(10);
  // Alone on its host, an endpoint of another host may have the interface of one of ours.
  const auto names = std::min(static_cast<std::size_t>(breadth_), kInterfaces.size());
  endpoint.interface_name = kInterfaces.at(random_.Below(names));
  if (local && random_.Chance(4)) endpoint.interface_name = "veth7";
  const int addresses = random_.Between(random_.Chance(5) ? 0 : 1, 3);
  for (int i = 0; i < addresses; ++i) endpoint.addresses.push_back(Address());
  std::sort(endpoint.addresses.begin(), endpoint.addresses.end());
  endpoint.addresses.erase(std::unique(endpoint.addresses.begin(), endpoint.addresses.end()),
                           endpoint.addresses.end());
  endpoint.labels = Labels(50);
  endpoint.profiles = Profiles();
  endpoint.ports = NamedPorts();
  if (local && random_.Chance(6)) endpoint.allow_spoofed_source_prefixes = Nets(2);
  // Few floating IPs, outside of every other range, so that they meet each other and nothing else.
  for (const model::IpAddress& address : endpoint.addresses) {
    if (!random_.Chance(15)) continue;
    const bool v4 = address.family() == model::IpFamily::kV4;
    const int number = random_.Between(8, 11);
    endpoint.nat_mappings.push_back({.internal = address,
                                     .external = *model::IpAddress::Parse(fmt::format(
                                         "{}{}", v4 ? "203.0.113." : "2001:db8:f::", number))});
  }
  return endpoint;
}

std::vector<model::NamedPort> RandomResources::NamedPorts() {
  std::vector<model::NamedPort> named;
  const int ports = random_.Chance(50) ? random_.Between(1, 3) : 0;
  for (int i = 0; i < ports; ++i) {
    named.push_back({random_.Pick(kPortNames),
                     random_.PickOf({model::kTcp, model::kTcp, model::kUdp, model::kSctp}),
                     random_.Pick(kPortNumbers)});
  }
  return named;
}

// Few, so that host endpoints and interfaces meet in them; some are a workload's as well.
std::vector<model::IpAddress> RandomResources::HostAddresses(int most) {
  std::vector<model::IpAddress> addresses;
  for (int i = random_.Between(0, most); i > 0; --i) {
    addresses.push_back(random_.Chance(10)
                            ? Address()
                            : testing::Address(random_.PickOf<const char*>(
                                  {"192.0.2.1", "192.0.2.2", "192.0.2.3", "fd00:9::1"})));
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

std::string RandomResources::HostInterfaceName() {
  return random_.Pick(kHostInterfaces);
}

model::HostEndpoint RandomResources::HostEndpoint() {
  model::HostEndpoint endpoint;
  const std::size_t kind = random_.Below(10);
  if (kind < 3) endpoint.interface_name = "*";
  if (kind >= 3 && kind < 7) endpoint.interface_name = HostInterfaceName();
  endpoint.expected_addresses = HostAddresses(2);
  endpoint.labels = Labels(50);
  endpoint.profiles = Profiles();
  endpoint.ports = NamedPorts();
  return endpoint;
}

model::Interface RandomResources::Interface() {
  return {HostAddresses(3)};
}

model::IpPool RandomResources::IpPool() {
  model::IpPool pool;
  pool.cidr = *model::Cidr::Parse(random_.PickOf<const char*>(
      {"10.0.0.0/8", "10.65.0.0/16", "10.0.0.0/30", "0.0.0.0/0", "fd00::/64", "fd00::/16"}));
  pool.nat_outgoing = random_.Chance(50);
  pool.load_balancer_only = random_.Chance(20);
  return pool;
}

model::Node RandomResources::Node() {
  model::Node node;
  if (random_.Chance(80)) node.addresses.push_back(Address());
  return node;
}

model::NetworkSet RandomResources::NetworkSet() {
  model::NetworkSet network_set;
  if (!random_.Chance(10)) network_set.nets = Nets(4);
  network_set.labels = Labels(60);
  if (random_.Chance(40)) network_set.profiles = Profiles();
  return network_set;
}

model::PortMatch RandomResources::Ports(bool numbers) {
  model::PortMatch ports;
  if (numbers && random_.Chance(75)) {
    // Every now and then more than one match of a kernel rule can hold.
    const int count = random_.Chance(12) ? random_.Between(14, 33) : random_.Between(1, 3);
    for (int i = 0; i < count; ++i) {
      const std::uint16_t first =
          count > 3 ? static_cast<std::uint16_t>(1000 + 10 * i) : random_.Pick(kPortNumbers);
      const int width = random_.Chance(40) ? random_.Between(1, 5) : 0;
      ports.ranges.push_back(
          {first, static_cast<std::uint16_t>(std::min<int>(first + width, 65535))});
    }
  }
  if (!numbers || random_.Chance(35)) {
    const int count = random_.Between(1, 2);
    for (int i = 0; i < count; ++i) ports.names.emplace_back(random_.Pick(kPortNames));
  }
  return ports;
}

model::EntityMatch RandomResources::Entity(const model::PolicyRule& rule) {
  model::EntityMatch entity;
  if (random_.Chance(20)) entity.nets = Nets(3);
  if (random_.Chance(12)) entity.not_nets = Nets(2);
  if (random_.Chance(30)) {
    entity.selector = Selector();
  } else if (random_.Chance(15)) {
    entity.not_selector = Selector();
  }
  const bool numbers = rule.protocol.has_value() && rule.protocol->HasPorts();
  if (!numbers && rule.protocol.has_value()) return entity;
  if (random_.Chance(numbers ? 35 : 10)) entity.ports = Ports(numbers);
  if (random_.Chance(numbers ? 15 : 6)) entity.not_ports = Ports(numbers);
  return entity;
}

model::PolicyRule RandomResources::Rule() {
  using model::Protocol;
  model::PolicyRule rule;
  rule.action =
      random_.PickOf({model::RuleAction::kAllow, model::RuleAction::kAllow,
                      model::RuleAction::kAllow, model::RuleAction::kDeny, model::RuleAction::kDeny,
                      model::RuleAction::kPass, model::RuleAction::kLog});
  if (random_.Chance(10)) rule.ip_version = random_.Pick(model::kIpFamilies);
  if (random_.Chance(50)) {
    rule.protocol = random_.PickOf<Protocol>({model::kTcp,
                                              model::kTcp,
                                              model::kTcp,
                                              model::kUdp,
                                              model::kUdp,
                                              model::kSctp,
                                              model::kIcmp,
                                              model::kIcmpV6,
                                              model::kUdpLite,
                                              {4},
                                              {47}});
  }
  if (random_.Chance(10)) {
    rule.not_protocol =
        random_.PickOf<Protocol>({model::kTcp, model::kUdp, model::kIcmp, model::kIcmpV6, {47}});
  }
  if (rule.protocol == model::kIcmp || rule.protocol == model::kIcmpV6) {
    const auto icmp = [this] {
      model::IcmpMatch match;
      match.type = random_.PickOf<std::uint8_t>({0, 3, 8, 128, 129, 135, 254});
      if (random_.Chance(40)) match.code = random_.PickOf<std::uint8_t>({0, 1, 255});
      return match;
    };
    if (random_.Chance(60)) rule.icmp = icmp();
    if (random_.Chance(25)) rule.not_icmp = icmp();
  }
  if (random_.Chance(65)) rule.source = Entity(rule);
  if (random_.Chance(65)) rule.destination = Entity(rule);
  return rule;
}

std::vector<model::PolicyRule> RandomResources::Rules() {
  std::vector<model::PolicyRule> rules;
  const int count = random_.Between(0, 4);
  for (int i = 0; i < count; ++i) rules.push_back(Rule());
  return rules;
}

model::Policy RandomResources::Policy(bool namespaced) {
  model::Policy policy;
  policy.tier = TierName();
  policy.order = Order();
  policy.selector = Selector();
  const auto direction = random_.Below(6);
  policy.ingress_applies = direction != 0;
  policy.egress_applies = direction != 1;
  policy.ingress = Rules();
  policy.egress = Rules();
  policy.assume_needed_on_every_node = random_.Chance(5);
  if (namespaced) return policy;
  policy.do_not_track = random_.Chance(8);
  policy.pre_dnat = !policy.do_not_track && random_.Chance(8);
  policy.apply_on_forward = policy.do_not_track || policy.pre_dnat || random_.Chance(30);
  return policy;
}

model::BrokenPolicy RandomResources::BrokenPolicy() {
  model::BrokenPolicy broken;
  broken.tier = TierName();
  broken.order = Order();
  if (random_.Chance(75)) broken.selector = Selector();
  broken.ingress_applies = random_.Chance(80);
  broken.egress_applies = random_.Chance(80);
  return broken;
}

model::Tier RandomResources::Tier() {
  return {Order(),
          random_.Chance(40) ? model::TierDefaultAction::kPass : model::TierDefaultAction::kDeny};
}

model::Profile RandomResources::Profile() {
  model::Profile profile;
  profile.labels_to_apply = Labels(40);
  profile.ingress = Rules();
  profile.egress = Rules();
  if (random_.Chance(50)) profile.ingress.push_back(Allow());
  if (random_.Chance(50)) profile.egress.push_back(Allow());
  return profile;
}

}  // namespace felix::testing
