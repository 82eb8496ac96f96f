// SPDX-License-Identifier: Apache-2.0
#include "compiler/member_counts.h"

#include <algorithm>

#include "model/base/check.h"

namespace felix::compiler {
namespace {

// The parts from high to low bits in the order in which members compare.
std::uint64_t Pack(const ir::SetMember& member) {
  return std::uint64_t{member.net.address().v4_host_order()} << 32U |
         std::uint64_t{static_cast<std::uint8_t>(member.net.prefix_length())} << 24U |
         std::uint64_t{member.protocol.number} << 16U | std::uint64_t{member.port};
}

ir::SetMember Unpack(std::uint64_t packed) {
  return {.net = model::Cidr(model::IpAddress::V4(static_cast<std::uint32_t>(packed >> 32U)),
                             static_cast<std::uint8_t>(packed >> 24U)),
          .protocol = {static_cast<std::uint8_t>(packed >> 16U)},
          .port = static_cast<std::uint16_t>(packed)};
}

}  // namespace

bool MemberCounts::Add(const ir::SetMember& member) {
  const bool came = member.net.family() == model::IpFamily::kV4 ? v4_.insert(Pack(member)).second
                                                                : v6_.insert(member).second;
  if (!came) ++further_[member];
  return came;
}

bool MemberCounts::Remove(const ir::SetMember& member) {
  if (!further_.empty()) {
    if (const auto found = further_.find(member); found != further_.end()) {
      if (--found->second == 0) further_.erase(found);
      return false;
    }
  }
  const std::size_t erased =
      member.net.family() == model::IpFamily::kV4 ? v4_.erase(Pack(member)) : v6_.erase(member);
  FELIX_CHECK(erased == 1, "a set member lost more contributors than it had");
  return true;
}

bool MemberCounts::Contains(const ir::SetMember& member) const {
  return member.net.family() == model::IpFamily::kV4 ? v4_.contains(Pack(member))
                                                     : v6_.contains(member);
}

std::vector<ir::SetMember> MemberCounts::Sorted(model::IpFamily family) const {
  std::vector<ir::SetMember> members;
  if (family == model::IpFamily::kV6) {
    members.assign(v6_.begin(), v6_.end());
    std::sort(members.begin(), members.end());
    return members;
  }
  std::vector<std::uint64_t> packed(v4_.begin(), v4_.end());
  std::sort(packed.begin(), packed.end());
  members.reserve(packed.size());
  for (const std::uint64_t member : packed) members.push_back(Unpack(member));
  return members;
}

void MemberCounts::Clear() {
  v4_ = {};
  v6_ = {};
  further_ = {};
}

}  // namespace felix::compiler
