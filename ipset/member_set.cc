// SPDX-License-Identifier: Apache-2.0
#include "ipset/member_set.h"

#include <array>
#include <iterator>

#include "model/address.h"
#include "model/base/check.h"

namespace felix::ipset {
namespace {

// Prefix length, protocol and port, in the order in which members compare.
std::uint32_t PackRest(const ir::SetMember& member) {
  return (static_cast<std::uint32_t>(member.net.prefix_length()) << 24U) |
         (static_cast<std::uint32_t>(member.protocol.number) << 16U) | member.port;
}

ir::SetMember UnpackRest(const model::IpAddress& address, std::uint32_t rest) {
  ir::SetMember member;
  member.net = model::Cidr(address, static_cast<int>(rest >> 24U));
  member.protocol.number = static_cast<std::uint8_t>(rest >> 16U);
  member.port = static_cast<std::uint16_t>(rest);
  return member;
}

std::uint64_t BigEndian(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = (value << 8U) | bytes[i];
  return value;
}

bool IsV4(const ir::SetMember& member) {
  return member.net.family() == model::IpFamily::kV4;
}

}  // namespace

MemberSet::MemberSet(const ir::AddressSet& set) : kind_(set.kind) {
  for (const ir::SetMember& member : set.members) {
    if (IsV4(member)) {
      v4_.insert(v4_.end(), PackV4(member));
    } else {
      v6_.insert(v6_.end(), PackV6(member));
    }
  }
}

bool MemberSet::contains(const ir::SetMember& member) const {
  return IsV4(member) ? v4_.contains(PackV4(member)) : v6_.contains(PackV6(member));
}

ir::SetMember MemberSet::At(std::size_t n) const {
  FELIX_CHECK(n < size(), "there is no such member");
  const auto step = static_cast<std::ptrdiff_t>(n);
  if (n < v4_.size()) return Unpack(*std::next(v4_.begin(), step));
  return Unpack(*std::next(v6_.begin(), step - static_cast<std::ptrdiff_t>(v4_.size())));
}

bool MemberSet::Insert(const ir::SetMember& member) {
  return IsV4(member) ? v4_.insert(PackV4(member)).second : v6_.insert(PackV6(member)).second;
}

bool MemberSet::Erase(const ir::SetMember& member) {
  return (IsV4(member) ? v4_.erase(PackV4(member)) : v6_.erase(PackV6(member))) != 0;
}

std::uint64_t MemberSet::PackV4(const ir::SetMember& member) {
  return (std::uint64_t{member.net.address().v4_host_order()} << 32U) | PackRest(member);
}

MemberSet::PackedV6 MemberSet::PackV6(const ir::SetMember& member) {
  const std::uint8_t* bytes = member.net.address().bytes().data();
  return {BigEndian(bytes), BigEndian(bytes + 8), PackRest(member)};
}

ir::SetMember MemberSet::Unpack(std::uint64_t packed) {
  return UnpackRest(model::IpAddress::V4(static_cast<std::uint32_t>(packed >> 32U)),
                    static_cast<std::uint32_t>(packed));
}

ir::SetMember MemberSet::Unpack(const PackedV6& packed) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    const auto shift = static_cast<unsigned>(56 - 8 * i);
    bytes.at(i) = static_cast<std::uint8_t>(packed.high >> shift);
    bytes.at(i + 8) = static_cast<std::uint8_t>(packed.low >> shift);
  }
  return UnpackRest(model::IpAddress::V6(bytes), packed.rest);
}

}  // namespace felix::ipset
