// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "compiler/ir/match.h"
#include "model/address.h"
#include "model/port.h"

namespace felix::ir {

struct Accept {
  bool operator==(const Accept&) const = default;
};
struct Drop {
  bool operator==(const Drop&) const = default;
};
// Refuses with ICMP port-unreachable (the back end's default). Filter table only.
struct Reject {
  bool operator==(const Reject&) const = default;
};
// Back to the rule after the last Jump.
struct Return {
  bool operator==(const Return&) const = default;
};
struct Jump {
  std::string chain;
  bool operator==(const Jump&) const = default;
};
// Like Jump, but the end of the chain (or a Return in it) goes back to where the *current* chain
// would have gone back.
struct Goto {
  std::string chain;
  bool operator==(const Goto&) const = default;
};
// mark = (mark & ~mask) | value; evaluation goes on with the next rule.
struct SetMark {
  std::uint32_t value = 0;
  std::uint32_t mask = 0;
  bool operator==(const SetMark&) const = default;
};
// Writes a kernel log line; evaluation goes on with the next rule. The prefix holds at most 29
// bytes, none of them a control character.
struct Log {
  std::string prefix;
  std::uint8_t level = 5;  // syslog severity
  bool operator==(const Log&) const = default;
};

// Hands a copy of the packet's head to those who listen on a netlink group; evaluation goes on with
// the next rule.
struct NetlinkLog {
  std::uint16_t group = 0;
  std::string prefix;      // at most 63 bytes, no control character
  std::uint32_t size = 0;  // bytes of the packet, 0: all
  bool operator==(const NetlinkLog&) const = default;
};
// Keeps connection tracking away from the packet; evaluation goes on with the next rule (xt_CT.c).
// Raw table only.
struct NoTrack {
  bool operator==(const NoTrack&) const = default;
};

// Translations of addresses: they end the table as an accept does, and hold for the whole
// connection. Nat table only, and a port range only in a rule with a protocol that has ports.
// `fully_random` picks the port unpredictably.

// Source address of the interface that the packet leaves by. Only below POSTROUTING.
struct Masquerade {
  std::optional<model::PortRange> ports;
  bool fully_random = false;
  bool operator==(const Masquerade&) const = default;
};
// Only below POSTROUTING and INPUT.
struct SourceNat {
  model::IpAddress address;
  std::optional<model::PortRange> ports;
  bool fully_random = false;
  bool operator==(const SourceNat&) const = default;
};
// Only below PREROUTING and OUTPUT.
struct DestinationNat {
  model::IpAddress address;
  std::optional<model::PortRange> ports;
  bool fully_random = false;
  bool operator==(const DestinationNat&) const = default;
};

// For a packet that is a member of the set, as a set match would find it, takes over what the set
// says of the member: its mark, so far. Other packets stay as they are, and so does the mark if the
// set keeps none. Evaluation goes on with the next rule. Mangle table only.
struct MapSet {
  std::string set_id;
  int dimensions = 1;         // of the set's members, at most 3
  Side side = Side::kSource;  // in all dimensions
  bool operator==(const MapSet&) const = default;
};

using Action = std::variant<Accept, Drop, Reject, Return, Jump, Goto, SetMark, Log, NetlinkLog,
                            NoTrack, Masquerade, SourceNat, DestinationNat, MapSet>;

}  // namespace felix::ir
