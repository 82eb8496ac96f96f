// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "model/packed.h"

namespace felix::model {
namespace {

void PackTexts(const std::vector<std::string>& texts, Packer& packer) {
  packer.All(texts, [&](const std::string& text) { packer.Text(text); });
}

std::vector<std::string> UnpackTexts(Unpacker& unpacker) {
  return unpacker.All<std::string>([&] { return unpacker.Text(); });
}

void PackNets(const std::vector<Cidr>& nets, Packer& packer) {
  packer.All(nets, [&](const Cidr& net) { packer.Net(net); });
}

std::vector<Cidr> UnpackNets(Unpacker& unpacker) {
  return unpacker.All<Cidr>([&] { return unpacker.Net(); });
}

void PackOrder(const std::optional<double>& order, Packer& packer) {
  packer.Number(order.has_value() ? 1 : 0);
  if (order.has_value()) packer.Bytes(&*order, sizeof(double));
}

std::optional<double> UnpackOrder(Unpacker& unpacker) {
  if (unpacker.Number() == 0) return std::nullopt;
  double order = 0;
  unpacker.Bytes(&order, sizeof order);
  return order;
}

void PackPorts(const PortMatch& ports, Packer& packer) {
  packer.All(ports.ranges, [&](const PortRange& range) {
    packer.Number(range.first);
    packer.Number(range.last);
  });
  PackTexts(ports.names, packer);
}

PortMatch UnpackPorts(Unpacker& unpacker) {
  PortMatch ports;
  ports.ranges = unpacker.All<PortRange>([&] {
    const auto first = unpacker.NumberAs<std::uint16_t>();
    return PortRange{first, unpacker.NumberAs<std::uint16_t>()};
  });
  ports.names = UnpackTexts(unpacker);
  return ports;
}

void PackIcmp(const IcmpMatch& icmp, Packer& packer) {
  packer.Number(icmp.type);
  packer.Number(icmp.code.has_value() ? *icmp.code + 1U : 0U);
}

IcmpMatch UnpackIcmp(Unpacker& unpacker) {
  IcmpMatch icmp;
  icmp.type = unpacker.NumberAs<std::uint8_t>();
  const std::uint64_t code = unpacker.Number();
  if (code > 0) icmp.code = static_cast<std::uint8_t>(code - 1);
  return icmp;
}

// Bits that say which parts of a rule, or of one side of it, are there: most are not.
constexpr unsigned kIpVersion = 1, kProtocol = 2, kNotProtocol = 4, kIcmpMatch = 8, kNotIcmp = 16;
constexpr unsigned kNets = 1, kNotNets = 2, kSelector = 4, kNotSelector = 8, kPorts = 16,
                   kNotPorts = 32;
// The same for an endpoint.
constexpr unsigned kAdminUp = 1, kProfiles = 2, kNamedPorts = 4, kSpoofed = 8, kMappings = 16;

unsigned If(bool condition, unsigned bit) {
  return condition ? bit : 0;
}

void PackSide(const EntityMatch& side, Packer& packer) {
  packer.Number(If(!side.nets.empty(), kNets) | If(!side.not_nets.empty(), kNotNets) |
                If(side.selector.has_value(), kSelector) |
                If(side.not_selector.has_value(), kNotSelector) | If(!side.ports.empty(), kPorts) |
                If(!side.not_ports.empty(), kNotPorts));
  if (!side.nets.empty()) PackNets(side.nets, packer);
  if (!side.not_nets.empty()) PackNets(side.not_nets, packer);
  if (side.selector.has_value()) packer.Select(*side.selector);
  if (side.not_selector.has_value()) packer.Select(*side.not_selector);
  if (!side.ports.empty()) PackPorts(side.ports, packer);
  if (!side.not_ports.empty()) PackPorts(side.not_ports, packer);
}

EntityMatch UnpackSide(Unpacker& unpacker) {
  EntityMatch side;
  const auto parts = unpacker.NumberAs<unsigned>();
  if ((parts & kNets) != 0) side.nets = UnpackNets(unpacker);
  if ((parts & kNotNets) != 0) side.not_nets = UnpackNets(unpacker);
  if ((parts & kSelector) != 0) side.selector = unpacker.Select();
  if ((parts & kNotSelector) != 0) side.not_selector = unpacker.Select();
  if ((parts & kPorts) != 0) side.ports = UnpackPorts(unpacker);
  if ((parts & kNotPorts) != 0) side.not_ports = UnpackPorts(unpacker);
  return side;
}

void PackRules(const std::vector<PolicyRule>& rules, Packer& packer) {
  packer.All(rules, [&](const PolicyRule& rule) {
    packer.Number(static_cast<std::uint64_t>(rule.action));
    packer.Number(If(rule.ip_version.has_value(), kIpVersion) |
                  If(rule.protocol.has_value(), kProtocol) |
                  If(rule.not_protocol.has_value(), kNotProtocol) |
                  If(rule.icmp.has_value(), kIcmpMatch) | If(rule.not_icmp.has_value(), kNotIcmp));
    if (rule.ip_version.has_value()) packer.Number(static_cast<std::uint64_t>(*rule.ip_version));
    if (rule.protocol.has_value()) packer.Number(rule.protocol->number);
    if (rule.not_protocol.has_value()) packer.Number(rule.not_protocol->number);
    if (rule.icmp.has_value()) PackIcmp(*rule.icmp, packer);
    if (rule.not_icmp.has_value()) PackIcmp(*rule.not_icmp, packer);
    PackSide(rule.source, packer);
    PackSide(rule.destination, packer);
  });
}

std::vector<PolicyRule> UnpackRules(Unpacker& unpacker) {
  return unpacker.All<PolicyRule>([&] {
    PolicyRule rule;
    rule.action = unpacker.NumberAs<RuleAction>();
    const auto parts = unpacker.NumberAs<unsigned>();
    if ((parts & kIpVersion) != 0) rule.ip_version = unpacker.NumberAs<IpFamily>();
    if ((parts & kProtocol) != 0) rule.protocol = Protocol{unpacker.NumberAs<std::uint8_t>()};
    if ((parts & kNotProtocol) != 0) {
      rule.not_protocol = Protocol{unpacker.NumberAs<std::uint8_t>()};
    }
    if ((parts & kIcmpMatch) != 0) rule.icmp = UnpackIcmp(unpacker);
    if ((parts & kNotIcmp) != 0) rule.not_icmp = UnpackIcmp(unpacker);
    rule.source = UnpackSide(unpacker);
    rule.destination = UnpackSide(unpacker);
    return rule;
  });
}

}  // namespace

void Pack(const WorkloadEndpoint& endpoint, Packer& packer) {
  packer.Number(If(endpoint.admin_up, kAdminUp) | If(!endpoint.profiles.empty(), kProfiles) |
                If(!endpoint.ports.empty(), kNamedPorts) |
                If(!endpoint.allow_spoofed_source_prefixes.empty(), kSpoofed) |
                If(!endpoint.nat_mappings.empty(), kMappings));
  packer.Text(endpoint.interface_name);
  packer.All(endpoint.addresses,
             [&](const IpAddress& address) { packer.Net(Cidr::Host(address)); });
  packer.Labels(endpoint.labels);
  if (!endpoint.profiles.empty()) PackTexts(endpoint.profiles, packer);
  if (!endpoint.ports.empty()) {
    packer.All(endpoint.ports, [&](const NamedPort& port) {
      packer.Text(port.name);
      packer.Number(port.protocol.number);
      packer.Number(port.port);
    });
  }
  if (!endpoint.allow_spoofed_source_prefixes.empty()) {
    PackNets(endpoint.allow_spoofed_source_prefixes, packer);
  }
  if (!endpoint.nat_mappings.empty()) {
    packer.All(endpoint.nat_mappings, [&](const NatMapping& mapping) {
      packer.Net(Cidr::Host(mapping.internal));
      packer.Net(Cidr::Host(mapping.external));
    });
  }
}

void Unpack(Unpacker& unpacker, WorkloadEndpoint& endpoint) {
  const auto parts = unpacker.NumberAs<unsigned>();
  endpoint.admin_up = (parts & kAdminUp) != 0;
  endpoint.interface_name = unpacker.Text();
  endpoint.addresses = unpacker.All<IpAddress>([&] { return unpacker.Net().address(); });
  endpoint.labels = unpacker.Labels();
  if ((parts & kProfiles) != 0) endpoint.profiles = UnpackTexts(unpacker);
  if ((parts & kNamedPorts) != 0) {
    endpoint.ports = unpacker.All<NamedPort>([&] {
      NamedPort port;
      port.name = unpacker.Text();
      port.protocol.number = unpacker.NumberAs<std::uint8_t>();
      port.port = unpacker.NumberAs<std::uint16_t>();
      return port;
    });
  }
  if ((parts & kSpoofed) != 0) endpoint.allow_spoofed_source_prefixes = UnpackNets(unpacker);
  if ((parts & kMappings) != 0) {
    endpoint.nat_mappings = unpacker.All<NatMapping>([&] {
      NatMapping mapping;
      mapping.internal = unpacker.Net().address();
      mapping.external = unpacker.Net().address();
      return mapping;
    });
  }
}

void Pack(const NetworkSet& set, Packer& packer) {
  PackNets(set.nets, packer);
  packer.Labels(set.labels);
  PackTexts(set.profiles, packer);
}

void Unpack(Unpacker& unpacker, NetworkSet& set) {
  set.nets = UnpackNets(unpacker);
  set.labels = unpacker.Labels();
  set.profiles = UnpackTexts(unpacker);
}

void Pack(const Policy& policy, Packer& packer) {
  packer.Text(policy.tier);
  PackOrder(policy.order, packer);
  packer.Select(policy.selector);
  packer.Number(If(policy.ingress_applies, 1) | If(policy.egress_applies, 2) |
                If(policy.do_not_track, 4) | If(policy.pre_dnat, 8) |
                If(policy.apply_on_forward, 16) | If(policy.assume_needed_on_every_node, 32));
  PackRules(policy.ingress, packer);
  PackRules(policy.egress, packer);
}

void Unpack(Unpacker& unpacker, Policy& policy) {
  policy.tier = unpacker.Text();
  policy.order = UnpackOrder(unpacker);
  policy.selector = unpacker.Select();
  const auto flags = unpacker.NumberAs<unsigned>();
  policy.ingress_applies = (flags & 1U) != 0;
  policy.egress_applies = (flags & 2U) != 0;
  policy.do_not_track = (flags & 4U) != 0;
  policy.pre_dnat = (flags & 8U) != 0;
  policy.apply_on_forward = (flags & 16U) != 0;
  policy.assume_needed_on_every_node = (flags & 32U) != 0;
  policy.ingress = UnpackRules(unpacker);
  policy.egress = UnpackRules(unpacker);
}

void Pack(const Profile& profile, Packer& packer) {
  packer.Labels(profile.labels_to_apply);
  PackRules(profile.ingress, packer);
  PackRules(profile.egress, packer);
}

void Unpack(Unpacker& unpacker, Profile& profile) {
  profile.labels_to_apply = unpacker.Labels();
  profile.ingress = UnpackRules(unpacker);
  profile.egress = UnpackRules(unpacker);
}

}  // namespace felix::model
