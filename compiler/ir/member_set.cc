// SPDX-License-Identifier: Apache-2.0
#include "compiler/ir/member_set.h"

#include "model/base/check.h"

namespace felix::ir {
namespace {

bool IsV4(const SetMember& member) {
  return member.net.family() == model::IpFamily::kV4;
}

}  // namespace

bool MemberSet::insert(const SetMember& member) {
  return IsV4(member) ? v4_.insert(PackV4(member)).second : v6_.insert(PackV6(member)).second;
}

void MemberSet::AppendOrInsert(const SetMember& member) {
  if (IsV4(member)) {
    v4_.insert(v4_.end(), PackV4(member));
  } else {
    v6_.insert(v6_.end(), PackV6(member));
  }
}

bool MemberSet::erase(const SetMember& member) {
  return (IsV4(member) ? v4_.erase(PackV4(member)) : v6_.erase(PackV6(member))) != 0;
}

bool MemberSet::contains(const SetMember& member) const {
  return IsV4(member) ? v4_.contains(PackV4(member)) : v6_.contains(PackV6(member));
}

SetMember MemberSet::At(std::size_t n) const {
  FELIX_CHECK(n < size(), "there is no such member");
  const auto step = static_cast<std::ptrdiff_t>(n);
  if (n < v4_.size()) return Unpack(*std::next(v4_.begin(), step));
  return Unpack(*std::next(v6_.begin(), step - static_cast<std::ptrdiff_t>(v4_.size())));
}

}  // namespace felix::ir
