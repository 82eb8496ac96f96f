// SPDX-License-Identifier: Apache-2.0
#include "compiler/member_counts.h"

#include <algorithm>
#include <vector>

#include "model/base/check.h"

namespace felix::compiler {
bool MemberCounts::Add(const ir::SetMember& member) {
  const bool came = member.net.family() == model::IpFamily::kV4
                        ? v4_.insert(ir::PackV4(member)).second
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
  const std::size_t erased = member.net.family() == model::IpFamily::kV4
                                 ? v4_.erase(ir::PackV4(member))
                                 : v6_.erase(member);
  FELIX_CHECK(erased == 1, "a set member lost more contributors than it had");
  return true;
}

bool MemberCounts::Contains(const ir::SetMember& member) const {
  return member.net.family() == model::IpFamily::kV4 ? v4_.contains(ir::PackV4(member))
                                                     : v6_.contains(member);
}

ir::MemberSet MemberCounts::Sorted(model::IpFamily family) const {
  ir::MemberSet members;
  if (family == model::IpFamily::kV6) {
    std::vector<ir::SetMember> sorted(v6_.begin(), v6_.end());
    std::sort(sorted.begin(), sorted.end());
    members.insert(sorted.begin(), sorted.end());
  } else {
    std::vector<std::uint64_t> sorted(v4_.begin(), v4_.end());
    std::sort(sorted.begin(), sorted.end());
    for (const std::uint64_t member : sorted) members.AppendV4(member);
  }
  return members;
}

void MemberCounts::Clear() {
  v4_ = {};
  v6_ = {};
  further_ = {};
}

}  // namespace felix::compiler
