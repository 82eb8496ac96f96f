// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>

#include "model/address.h"

namespace felix::ipset {

// What rules found a member for.
struct MemberCounters {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  bool operator==(const MemberCounters&) const = default;
};

// A member of a set of type hash:net,iface: a network behind an interface, and the mark that a rule
// with `-j SET --map-set` gives to its packets. Networks of one set should differ from each other:
// the kernel holds at most kMaxInterfaces members of one network, and slows down long before.
struct InterfaceMember {
  static constexpr std::size_t kMaxInterfaces = 64;

  model::Cidr net;
  std::string interface;
  std::uint32_t mark = 0;
  std::uint32_t mask = 0;
  // Takes no part in comparisons. When read: there if the set counts. When added: what the member
  // starts from. Without it a member that is there keeps what it has, and one that is new may take
  // over what a deleted one left in the kernel's memory.
  std::optional<MemberCounters> counters = std::nullopt;

  // "10.0.0.1/32,cali1 skbmark 0x10/0xff", without counters.
  [[nodiscard]] std::string ToString() const;
  friend bool operator==(const InterfaceMember& a, const InterfaceMember& b) {
    return (a <=> b) == 0;
  }
  friend std::strong_ordering operator<=>(const InterfaceMember& a, const InterfaceMember& b) {
    return std::tie(a.net, a.interface, a.mark, a.mask) <=>
           std::tie(b.net, b.interface, b.mark, b.mask);
  }
};

}  // namespace felix::ipset
