// SPDX-License-Identifier: Apache-2.0
#include "tests/reference/rule_meaning.h"

#include <algorithm>

namespace felix::reference {
namespace {

using model::Cidr;
using model::EntityMatch;
using model::IpFamily;
using model::PolicyRule;
using testing::Packet;

// One end of the packet and what the rule asks of it.
struct End {
  const EntityMatch& asked;
  const model::IpAddress& address;
  std::uint16_t port;
};

bool IsOnlyOfOtherFamily(const std::vector<Cidr>& nets, IpFamily family) {
  return !nets.empty() && std::none_of(nets.begin(), nets.end(),
                                       [&](const Cidr& net) { return net.family() == family; });
}

bool ExcludesEverything(const std::vector<Cidr>& not_nets, IpFamily family) {
  return std::count(not_nets.begin(), not_nets.end(), Cidr::All(family)) > 0;
}

bool ExistsFor(const PolicyRule& rule, IpFamily family) {
  if (rule.ip_version.has_value() && *rule.ip_version != family) return false;
  for (const EntityMatch* asked : {&rule.source, &rule.destination}) {
    if (IsOnlyOfOtherFamily(asked->nets, family)) return false;
    if (IsOnlyOfOtherFamily(asked->not_nets, family)) return false;
    if (ExcludesEverything(asked->not_nets, family)) return false;
  }
  return true;
}

// Validation refuses rules for which this fails; should one slip through, it is as if it were not
// there.
bool IsSound(const PolicyRule& rule) {
  const bool has_ports = rule.protocol.has_value() && rule.protocol->HasPorts();
  for (const EntityMatch* asked : {&rule.source, &rule.destination}) {
    if (!asked->ports.ranges.empty() && !has_ports) return false;
    if (!asked->not_ports.ranges.empty() && !has_ports) return false;
  }
  return true;
}

bool AnyContains(const std::vector<Cidr>& nets, const model::IpAddress& address) {
  return std::any_of(nets.begin(), nets.end(),
                     [&](const Cidr& net) { return net.Contains(address); });
}

bool NumberMatches(const model::PortMatch& ports, const Packet& packet, std::uint16_t port) {
  return packet.protocol.HasPorts() &&
         std::any_of(ports.ranges.begin(), ports.ranges.end(),
                     [&](const model::PortRange& range) { return range.Contains(port); });
}

bool NameMatches(const ClusterView& cluster, const model::PortMatch& ports, const End& end,
                 const Packet& packet) {
  const model::Selector selected = end.asked.selector.value_or(model::Selector());
  return packet.protocol.HasPorts() &&
         std::any_of(ports.names.begin(), ports.names.end(), [&](const std::string& name) {
           return cluster.HasNamedPort(selected, name, end.address, packet.protocol, end.port);
         });
}

bool EndMatches(const ClusterView& cluster, const End& end, const Packet& packet) {
  const EntityMatch& asked = end.asked;
  if (!asked.nets.empty() && !AnyContains(asked.nets, end.address)) return false;
  if (AnyContains(asked.not_nets, end.address)) return false;
  if (asked.selector && !cluster.IsSelected(*asked.selector, end.address)) return false;
  if (asked.not_selector && cluster.IsSelected(*asked.not_selector, end.address)) return false;
  if (!asked.ports.empty() && !NumberMatches(asked.ports, packet, end.port) &&
      !NameMatches(cluster, asked.ports, end, packet)) {
    return false;
  }
  return !NumberMatches(asked.not_ports, packet, end.port) &&
         !NameMatches(cluster, asked.not_ports, end, packet);
}

bool IcmpMatches(const model::IcmpMatch& icmp, const Packet& packet) {
  return icmp.type == packet.icmp_type && (!icmp.code || *icmp.code == packet.icmp_code);
}

}  // namespace

bool Matches(const ClusterView& cluster, const PolicyRule& rule, const Packet& packet) {
  if (!ExistsFor(rule, packet.family()) || !IsSound(rule)) return false;
  if (rule.protocol && *rule.protocol != packet.protocol) return false;
  if (rule.not_protocol && *rule.not_protocol == packet.protocol) return false;
  // Asking for a type, or for any but one, is asking for ICMP.
  if ((rule.icmp || rule.not_icmp) && !packet.IsIcmp()) return false;
  if (rule.icmp && !IcmpMatches(*rule.icmp, packet)) return false;
  if (rule.not_icmp && IcmpMatches(*rule.not_icmp, packet)) return false;
  return EndMatches(cluster, {rule.source, packet.source, packet.source_port}, packet) &&
         EndMatches(cluster, {rule.destination, packet.destination, packet.destination_port},
                    packet);
}

}  // namespace felix::reference
