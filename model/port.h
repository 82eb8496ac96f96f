// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace felix::model {

// An IP protocol number (IANA). 1..255; a default-constructed value is no protocol at all.
struct Protocol {
  std::uint8_t number = 0;

  // A name of the Calico API in any case (tcp, udp, icmp, icmpv6, sctp, udplite) or a decimal
  // number 1..255. Errors: kInvalidArgument.
  static absl::StatusOr<Protocol> Parse(std::string_view text);
  // TCP, UDP and SCTP carry the ports that rules can match.
  [[nodiscard]] bool HasPorts() const;
  [[nodiscard]] std::string ToString() const;  // lower-case name if it has one, else the number

  friend auto operator<=>(const Protocol&, const Protocol&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Protocol& p) {
    return H::combine(std::move(h), p.number);
  }
};

inline constexpr Protocol kIcmp{1};
inline constexpr Protocol kTcp{6};
inline constexpr Protocol kUdp{17};
inline constexpr Protocol kIcmpV6{58};
inline constexpr Protocol kSctp{132};
inline constexpr Protocol kUdpLite{136};

// Ports first..last, both included; first <= last.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  // "80" or "80:90". Errors: kInvalidArgument for port 0, a reversed range, anything else.
  static absl::StatusOr<PortRange> Parse(std::string_view text);
  [[nodiscard]] bool Contains(std::uint16_t port) const { return first <= port && port <= last; }
  [[nodiscard]] std::string ToString() const;  // "80" or "80:90"

  friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

// A port that an endpoint gives a name, for rules that match ports by name.
struct NamedPort {
  std::string name;
  Protocol protocol;  // TCP, UDP or SCTP
  std::uint16_t port = 0;

  friend auto operator<=>(const NamedPort&, const NamedPort&) = default;
};

// Kubernetes' port name: [a-z0-9-], at most 15 characters, at least one letter, no dash at an edge
// and no two in a row.
[[nodiscard]] bool IsValidPortName(std::string_view name);

}  // namespace felix::model
