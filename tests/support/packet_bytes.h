// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tests/support/packet.h"

namespace felix::testing {

// TCP flags, as the header holds them.
inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpAck = 0x10;

// The packet as it goes over a wire, IP header first, with right checksums. `serial` is written
// into the last bytes so that the packet can be known again. A TCP segment has the given flags;
// its sequence numbers are those of a handshake, of the opening side or the answering one, whose
// other packets this function made too.
[[nodiscard]] std::vector<std::uint8_t> ToBytes(const Packet& packet, std::uint32_t serial,
                                                std::uint8_t tcp_flags = kTcpSyn,
                                                bool answers = false);

// The serial in the last bytes, if ToBytes() wrote one there.
[[nodiscard]] std::optional<std::uint32_t> SerialOf(std::span<const std::uint8_t> bytes);

// Where the part behind the IP header begins in what ToBytes() made.
[[nodiscard]] std::size_t IpHeaderSize(model::IpFamily family);

}  // namespace felix::testing
