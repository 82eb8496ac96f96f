// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

#include "model/address.h"
#include "model/port.h"

namespace felix::ir {

// kNet: networks; an address is in the set if any of them contains it. May hold /0 and overlaps.
// kIpPort: (address, protocol, port) triples.
enum class SetKind : std::uint8_t { kNet, kIpPort };

// A member of either kind: kNet leaves protocol and port zero, kIpPort uses host networks.
struct SetMember {
  model::Cidr net;
  model::Protocol protocol;
  std::uint16_t port = 0;

  [[nodiscard]] std::string ToString() const;  // "10.0.0.0/8", "10.0.0.1,tcp:80"
  friend auto operator<=>(const SetMember&, const SetMember&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const SetMember& m) {
    return H::combine(std::move(h), m.net, m.protocol, m.port);
  }
};

// Members as numbers, which compare as the members do.
[[nodiscard]] std::uint64_t PackV4(const SetMember& member);
[[nodiscard]] SetMember Unpack(std::uint64_t packed);
struct PackedV6 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::uint32_t rest = 0;
  friend auto operator<=>(const PackedV6&, const PackedV6&) = default;
};
[[nodiscard]] PackedV6 PackV6(const SetMember& member);
[[nodiscard]] SetMember Unpack(const PackedV6& packed);

}  // namespace felix::ir
