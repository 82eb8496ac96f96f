// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet_bytes.h"

#include <algorithm>
#include <array>

namespace felix::testing {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {'F', 'l', 'X', '!'};
constexpr std::uint32_t kOpenerSequence = 1000;
constexpr std::uint32_t kAnswererSequence = 2000;

// Numbers in network order.
class Bytes {
 public:
  Bytes& U8(unsigned value) {
    bytes_.push_back(static_cast<std::uint8_t>(value));
    return *this;
  }
  Bytes& U16(unsigned value) { return U8(value >> 8 & 0xff).U8(value & 0xff); }
  Bytes& U32(std::uint32_t value) { return U16(value >> 16).U16(value & 0xffff); }
  Bytes& Append(std::span<const std::uint8_t> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  void Patch16(std::size_t at, unsigned value) {
    bytes_.at(at) = static_cast<std::uint8_t>(value >> 8);
    bytes_.at(at + 1) = static_cast<std::uint8_t>(value);
  }
  [[nodiscard]] const std::vector<std::uint8_t>& get() const { return bytes_; }
  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(bytes_.size()); }

 private:
  std::vector<std::uint8_t> bytes_;
};

unsigned Checksum(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i]) << 8 : bytes[i];
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

// Over the pseudo header of both families too: their sums do not depend on the widths of fields.
unsigned TransportChecksum(const Packet& packet, const Bytes& transport) {
  Bytes all;
  all.Append(packet.source.bytes()).Append(packet.destination.bytes());
  all.U32(transport.size()).U32(packet.protocol.number).Append(transport.get());
  return Checksum(all.get());
}

Bytes Tail(std::uint32_t serial) {
  Bytes tail;
  tail.Append(kMagic).U32(serial);
  return tail;
}

Bytes TcpSegment(const Packet& packet, const Bytes& tail, std::uint8_t flags, bool answers) {
  const bool opens = (flags & kTcpSyn) != 0;
  const std::uint32_t sequence =
      (answers ? kAnswererSequence : kOpenerSequence) + (opens ? 0U : 1U);
  const std::uint32_t acknowledged =
      (flags & kTcpAck) == 0 ? 0 : (answers ? kOpenerSequence : kAnswererSequence) + 1;
  Bytes segment;
  segment.U16(packet.source_port).U16(packet.destination_port).U32(sequence).U32(acknowledged);
  segment.U8(0x50).U8(flags).U16(65535).U16(0).U16(0).Append(tail.get());
  segment.Patch16(16, TransportChecksum(packet, segment));
  return segment;
}

Bytes UdpDatagram(const Packet& packet, const Bytes& tail) {
  // UDP-Lite has the number of covered bytes where UDP has the length; zero covers all.
  const unsigned length = packet.protocol == model::kUdpLite ? 0 : 8 + tail.size();
  Bytes datagram;
  datagram.U16(packet.source_port).U16(packet.destination_port).U16(length).U16(0);
  datagram.Append(tail.get());
  const unsigned checksum = TransportChecksum(packet, datagram);
  datagram.Patch16(6, checksum == 0 ? 0xffff : checksum);  // zero would say that there is none
  return datagram;
}

// CRC-32C (RFC 9260, appendix A), bit by bit.
std::uint32_t Crc32c(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
  }
  return ~crc;
}

// One INIT chunk, which is what opens an association for connection tracking.
Bytes SctpInit(const Packet& packet, const Bytes& tail) {
  Bytes init;
  init.U16(packet.source_port).U16(packet.destination_port).U32(0).U32(0);
  init.U8(1).U8(0).U16(20 + tail.size()).U32(7).U32(65535).U16(1).U16(1).U32(1);
  init.Append(tail.get());
  const std::uint32_t crc = Crc32c(init.get());  // goes out least byte first
  init.Patch16(8, (crc & 0xff) << 8 | (crc >> 8 & 0xff));
  init.Patch16(10, (crc >> 16 & 0xff) << 8 | crc >> 24);
  return init;
}

// The identifier is that of the flow, so that an answer finds its request; without a flow it is one
// of its own, lest the packet become part of one.
Bytes IcmpMessage(const Packet& packet, const Bytes& tail, std::uint32_t serial) {
  const bool of_flow = packet.conntrack == ConntrackState::kEstablished;
  Bytes message;
  message.U8(packet.icmp_type).U8(packet.icmp_code).U16(0);
  message.U16(of_flow ? packet.source_port : serial & 0xffff).U16(1).Append(tail.get());
  message.Patch16(2, packet.family() == model::IpFamily::kV4 ? Checksum(message.get())
                                                             : TransportChecksum(packet, message));
  return message;
}

Bytes Transport(const Packet& packet, std::uint32_t serial, std::uint8_t flags, bool answers) {
  const Bytes tail = Tail(serial);
  if (packet.protocol == model::kTcp) return TcpSegment(packet, tail, flags, answers);
  if (packet.protocol == model::kUdp || packet.protocol == model::kUdpLite) {
    return UdpDatagram(packet, tail);
  }
  if (packet.protocol == model::kSctp) return SctpInit(packet, tail);
  if (packet.IsIcmp()) return IcmpMessage(packet, tail, serial);
  return Bytes().U32(0).Append(tail.get());
}

Bytes IpHeader(const Packet& packet, const Bytes& transport) {
  Bytes header;
  if (packet.family() == model::IpFamily::kV4) {
    header.U8(0x45).U8(0).U16(20 + transport.size()).U16(0).U16(0x4000);
    header.U8(64).U8(packet.protocol.number).U16(0);
    header.Append(packet.source.bytes()).Append(packet.destination.bytes());
    header.Patch16(10, Checksum(header.get()));
    return header;
  }
  // Neighbour discovery is taken only from the link itself, which a full hop limit proves (RFC
  // 4861, 7.1).
  const bool of_the_link = packet.IsIcmp() && packet.icmp_type >= 130 && packet.icmp_type <= 137;
  header.U32(0x60000000).U16(transport.size()).U8(packet.protocol.number);
  header.U8(of_the_link ? 255 : 64);
  return header.Append(packet.source.bytes()).Append(packet.destination.bytes());
}

}  // namespace

std::vector<std::uint8_t> ToBytes(const Packet& packet, std::uint32_t serial,
                                  std::uint8_t tcp_flags, bool answers) {
  const Bytes transport = Transport(packet, serial, tcp_flags, answers);
  return IpHeader(packet, transport).Append(transport.get()).get();
}

std::optional<std::uint32_t> SerialOf(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < 8) return std::nullopt;
  const auto tail = bytes.last(8);
  if (!std::equal(kMagic.begin(), kMagic.end(), tail.begin())) return std::nullopt;
  std::uint32_t serial = 0;
  for (const std::uint8_t byte : tail.last(4)) serial = serial << 8 | byte;
  return serial;
}

std::size_t IpHeaderSize(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? 20 : 40;
}

}  // namespace felix::testing
