// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/address.h"
#include "model/port.h"
#include "model/rule.h"

// What a packet filter can ask of a packet, said without the words of any back end. Each match is
// plain comparable data. A rule's matches are all to hold; their order is the order of evaluation.
namespace felix::ir {

enum class Side : std::uint8_t { kSource, kDestination };

// The interface the packet came in by or leaves by. Never matches, not even negated as a prefix
// would, a packet that has no such interface (a packet to the host leaves by none) unless negated.
struct InterfaceMatch {
  enum class Way : std::uint8_t { kIn, kOut };
  Way way = Way::kIn;
  std::string name;        // at most 15 bytes, or a prefix of such a name
  bool is_prefix = false;  // any interface whose name begins with `name`
  bool negated = false;
  bool operator==(const InterfaceMatch&) const = default;
};

struct AddressMatch {
  Side side = Side::kSource;
  model::Cidr net;
  bool negated = false;
  bool operator==(const AddressMatch&) const = default;
};

struct ProtocolMatch {
  model::Protocol protocol;
  bool negated = false;
  bool operator==(const ProtocolMatch&) const = default;
};

// Any of the ranges. The rule must also hold a positive ProtocolMatch of TCP, UDP or SCTP. A range
// costs two slots, a single port one; a match holds at most kMaxPortSlots (xtables' multiport).
struct PortsMatch {
  Side side = Side::kDestination;
  std::vector<model::PortRange> ranges;
  bool negated = false;
  bool operator==(const PortsMatch&) const = default;
};
inline constexpr int kMaxPortSlots = 15;

// Membership of the packet's address (kNet sets) or of its address, protocol and port (kIpPort
// sets), both of the given side, in the set of that id and the chain's family.
struct SetMatch {
  std::string set_id;
  bool with_port = false;  // true for kIpPort sets
  Side side = Side::kSource;
  bool negated = false;
  bool operator==(const SetMatch&) const = default;
};

// ICMP in an IPv4 chain, ICMPv6 in an IPv6 chain. The rule must also hold the positive
// ProtocolMatch that fits.
struct IcmpTypeMatch {
  model::IcmpMatch icmp;
  bool negated = false;
  bool operator==(const IcmpTypeMatch&) const = default;
};

struct ConntrackMatch {
  static constexpr std::uint8_t kNew = 1;
  static constexpr std::uint8_t kEstablished = 2;
  static constexpr std::uint8_t kRelated = 4;
  static constexpr std::uint8_t kInvalid = 8;
  static constexpr std::uint8_t kDnat = 16;  // of a connection whose destination was translated
  std::uint8_t states = 0;                   // any of these
  bool negated = false;
  bool operator==(const ConntrackMatch&) const = default;
};

// (packet mark & mask) == value
struct MarkMatch {
  std::uint32_t value = 0;
  std::uint32_t mask = 0;
  bool negated = false;
  bool operator==(const MarkMatch&) const = default;
};

// Whether the packet's address of that side belongs to this host.
struct LocalAddressMatch {
  Side side = Side::kSource;
  // Only addresses of the interface that the packet leaves by count. Not for chains that see
  // packets before they are routed.
  bool of_out_interface = false;
  bool negated = false;
  bool operator==(const LocalAddressMatch&) const = default;
};

// Whether a reply to the packet's source would leave by the interface that the packet came in by.
// Only for chains that PREROUTING of raw or mangle leads to.
struct ReversePathMatch {
  bool with_mark = false;  // the packet's mark counts for the route of the reply
  bool negated = false;    // matches packets that fail the check
  bool operator==(const ReversePathMatch&) const = default;
};

// Holds for so many packets per unit and no more, with a reserve of `burst`. Every packet that is
// asked takes from the reserve, also if a later match turns it away: it belongs last. The reserve
// must be full again within a day (the kernel counts it in 32 bits).
struct LimitMatch {
  enum class Unit : std::uint8_t { kSecond, kMinute, kHour, kDay };
  std::uint32_t rate = 1;  // at least 1, at most 10000 for each second of the unit
  Unit unit = Unit::kSecond;
  std::uint32_t burst = 5;
  bool operator==(const LimitMatch&) const = default;
};
[[nodiscard]] std::uint32_t SecondsOf(LimitMatch::Unit unit);
// "10/minute", "5/sec", "3/h": the number and any beginning of the unit's name; nothing if it is
// no such thing or more than the kernel can count.
[[nodiscard]] std::optional<LimitMatch> ParseLimit(std::string_view text);
[[nodiscard]] std::string LimitText(const LimitMatch& limit);  // "10/minute"

using Match =
    std::variant<InterfaceMatch, AddressMatch, ProtocolMatch, PortsMatch, SetMatch, IcmpTypeMatch,
                 ConntrackMatch, MarkMatch, LocalAddressMatch, ReversePathMatch, LimitMatch>;

}  // namespace felix::ir
