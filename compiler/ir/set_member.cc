// SPDX-License-Identifier: Apache-2.0
#include "compiler/ir/set_member.h"

#include <array>
#include <cstddef>

#include "fmt/format.h"

namespace felix::ir {
namespace {

// Prefix length, protocol and port, in the order in which members compare.
std::uint32_t PackRest(const SetMember& member) {
  return (static_cast<std::uint32_t>(member.net.prefix_length()) << 24U) |
         (static_cast<std::uint32_t>(member.protocol.number) << 16U) | member.port;
}

SetMember UnpackRest(const model::IpAddress& address, std::uint32_t rest) {
  return {.net = model::Cidr(address, static_cast<int>(rest >> 24U)),
          .protocol = {static_cast<std::uint8_t>(rest >> 16U)},
          .port = static_cast<std::uint16_t>(rest)};
}

std::uint64_t BigEndian(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = (value << 8U) | bytes[i];
  return value;
}

}  // namespace

std::string SetMember::ToString() const {
  const std::string text = net.IsHost() ? net.address().ToString() : net.ToString();
  if (protocol == model::Protocol{}) return text;
  return fmt::format("{},{}:{}", text, protocol.ToString(), port);
}

std::uint64_t PackV4(const SetMember& member) {
  return (std::uint64_t{member.net.address().v4_host_order()} << 32U) | PackRest(member);
}

SetMember Unpack(std::uint64_t packed) {
  return UnpackRest(model::IpAddress::V4(static_cast<std::uint32_t>(packed >> 32U)),
                    static_cast<std::uint32_t>(packed));
}

PackedV6 PackV6(const SetMember& member) {
  const std::uint8_t* bytes = member.net.address().bytes().data();
  return {BigEndian(bytes), BigEndian(bytes + 8), PackRest(member)};
}

SetMember Unpack(const PackedV6& packed) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    const auto shift = static_cast<unsigned>(56 - 8 * i);
    bytes.at(i) = static_cast<std::uint8_t>(packed.high >> shift);
    bytes.at(i + 8) = static_cast<std::uint8_t>(packed.low >> shift);
  }
  return UnpackRest(model::IpAddress::V6(bytes), packed.rest);
}

}  // namespace felix::ir
