// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/address.h"
#include "model/port.h"
#include "model/selector.h"

namespace felix::model {

enum class RuleAction : std::uint8_t { kAllow, kDeny, kPass, kLog };

// ICMP or ICMPv6 type 0..254, and the code if it matters.
struct IcmpMatch {
  std::uint8_t type = 0;
  std::optional<std::uint8_t> code;
  bool operator==(const IcmpMatch&) const = default;
};

// Numeric and named ports of one side; a packet matches if any of them does. Empty: no condition.
struct PortMatch {
  std::vector<PortRange> ranges;
  std::vector<std::string> names;

  [[nodiscard]] bool empty() const { return ranges.empty() && names.empty(); }
  bool operator==(const PortMatch&) const = default;
};

// What a rule asks of one side of a packet. All conditions must hold; an absent or empty one asks
// nothing. Selectors are final: namespaces and service accounts are already folded in, and a
// notSelector beside a selector too (`(pos) && (!(neg))`), so at most one of the two is set.
struct EntityMatch {
  std::vector<Cidr> nets;      // any of them
  std::vector<Cidr> not_nets;  // none of them
  std::optional<Selector> selector;
  std::optional<Selector> not_selector;  // also matches addresses that belong to nobody
  PortMatch ports;
  PortMatch not_ports;

  bool operator==(const EntityMatch&) const = default;
};

// One rule of a policy or profile, in Calico's internal (v1) meaning.
struct PolicyRule {
  RuleAction action = RuleAction::kAllow;
  std::optional<IpFamily> ip_version;
  std::optional<Protocol> protocol;
  std::optional<Protocol> not_protocol;
  std::optional<IcmpMatch> icmp;
  std::optional<IcmpMatch> not_icmp;
  EntityMatch source;
  EntityMatch destination;

  bool operator==(const PolicyRule&) const = default;
};

}  // namespace felix::model
