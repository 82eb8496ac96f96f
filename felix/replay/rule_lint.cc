// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "fmt/format.h"

#include "felix/replay/lint.h"

namespace felix::replay {
namespace {

using model::Cidr;
using model::EntityMatch;
using model::IpFamily;

bool Holds(const Cidr& outer, const Cidr& inner) {
  return outer.family() == inner.family() && outer.prefix_length() <= inner.prefix_length() &&
         outer.Contains(inner.address());
}

bool AllWithin(const std::vector<Cidr>& inner, const std::vector<Cidr>& outer) {
  return std::all_of(inner.begin(), inner.end(), [&](const Cidr& net) {
    return std::any_of(outer.begin(), outer.end(),
                       [&](const Cidr& other) { return Holds(other, net); });
  });
}

// `wide` asks for no more than `narrow` does.
bool PortsWithin(const model::PortMatch& narrow, const model::PortMatch& wide) {
  if (wide.empty()) return true;
  if (narrow.empty()) return false;
  const bool ranges =
      std::all_of(narrow.ranges.begin(), narrow.ranges.end(), [&](const model::PortRange& range) {
        return std::any_of(wide.ranges.begin(), wide.ranges.end(),
                           [&](const model::PortRange& other) {
                             return other.first <= range.first && range.last <= other.last;
                           });
      });
  const bool names =
      std::all_of(narrow.names.begin(), narrow.names.end(), [&](const std::string& name) {
        return std::find(wide.names.begin(), wide.names.end(), name) != wide.names.end();
      });
  return ranges && names;
}

bool SideTakesAllOf(const EntityMatch& wide, const EntityMatch& narrow) {
  if (!wide.nets.empty() && (narrow.nets.empty() || !AllWithin(narrow.nets, wide.nets))) {
    return false;
  }
  if (!wide.not_nets.empty() && !AllWithin(wide.not_nets, narrow.not_nets)) return false;
  if (wide.selector && wide.selector != narrow.selector) return false;
  if (wide.not_selector && wide.not_selector != narrow.not_selector) return false;
  // A name means the port of whom the selector selects.
  const bool same_owners = wide.selector == narrow.selector || wide.ports.names.empty();
  if (!same_owners || !PortsWithin(narrow.ports, wide.ports)) return false;
  return wide.not_ports.empty() || wide.not_ports == narrow.not_ports;
}

std::optional<IpFamily> OnlyFamily(const std::vector<Cidr>& nets) {
  if (nets.empty()) return std::nullopt;
  const IpFamily first = nets.front().family();
  const bool same =
      std::all_of(nets.begin(), nets.end(), [&](const Cidr& net) { return net.family() == first; });
  return same ? std::optional(first) : std::nullopt;
}

}  // namespace

bool TakesAllOf(const model::PolicyRule& earlier, const model::PolicyRule& later) {
  if (earlier.ip_version && earlier.ip_version != later.ip_version) return false;
  if (earlier.protocol && earlier.protocol != later.protocol) return false;
  if (earlier.not_protocol && earlier.not_protocol != later.not_protocol) {
    const bool is_other = later.protocol && later.protocol != earlier.not_protocol;
    if (!is_other) return false;
  }
  if (earlier.icmp && earlier.icmp != later.icmp) return false;
  if (earlier.not_icmp && earlier.not_icmp != later.not_icmp) return false;
  // Networks of one family alone keep the other out, so lists of two families are no superset of
  // one only where the rule does not exist for a family.
  for (const EntityMatch* asked : {&earlier.source, &earlier.destination}) {
    if (OnlyFamily(asked->not_nets)) return earlier == later;
  }
  return SideTakesAllOf(earlier.source, later.source) &&
         SideTakesAllOf(earlier.destination, later.destination);
}

std::string WhyNever(const model::PolicyRule& rule) {
  if (rule.protocol && rule.protocol == rule.not_protocol) {
    return fmt::format("it asks for {} and for anything else", rule.protocol->ToString());
  }
  std::optional<IpFamily> family = rule.ip_version;
  const auto narrow = [&](std::optional<IpFamily> other) {
    if (!other) return true;
    if (family && family != other) return false;
    family = other;
    return true;
  };
  if (rule.protocol == model::kIcmp && (rule.icmp || rule.not_icmp) && !narrow(IpFamily::kV4)) {
    return "ICMP is of IPv4";
  }
  if (rule.protocol == model::kIcmpV6 && (rule.icmp || rule.not_icmp) && !narrow(IpFamily::kV6)) {
    return "ICMPv6 is of IPv6";
  }
  for (const EntityMatch* asked : {&rule.source, &rule.destination}) {
    if (!narrow(OnlyFamily(asked->nets)) || !narrow(OnlyFamily(asked->not_nets))) {
      return "its networks are of different families";
    }
  }
  for (const EntityMatch* asked : {&rule.source, &rule.destination}) {
    if (!asked->nets.empty() && AllWithin(asked->nets, asked->not_nets)) {
      return "its networks are excluded by its own notNets";
    }
    const bool all_ports = !asked->ports.ranges.empty() && asked->ports.names.empty() &&
                           !asked->not_ports.empty() && PortsWithin(asked->ports, asked->not_ports);
    if (all_ports) return "its ports are excluded by its own notPorts";
  }
  return "";
}

}  // namespace felix::replay
