// SPDX-License-Identifier: Apache-2.0
#include "ipset/tracked_map.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"

#include "ipset/planner.h"

namespace felix::ipset {
namespace {

ir::LocalAddress AddressOf(const InterfaceMember& member) {
  return {member.interface, member.net.address()};
}

// Members in the order of ir::LocalAddress.
std::vector<const InterfaceMember*> ByAddress(const std::vector<InterfaceMember>& members) {
  std::vector<const InterfaceMember*> sorted;
  sorted.reserve(members.size());
  for (const InterfaceMember& member : members) sorted.push_back(&member);
  std::sort(sorted.begin(), sorted.end(), [](const InterfaceMember* a, const InterfaceMember* b) {
    return std::tie(a->interface, a->net) < std::tie(b->interface, b->net);
  });
  return sorted;
}

}  // namespace

void TrackedMap::Reset(Knowledge knowledge) {
  knowledge_ = knowledge;
  size_ = 0;
  blank_ = knowledge == Knowledge::kHeld;
  content_.clear();
  leaving_.clear();
  strangers_.clear();
  arriving_.clear();
}

void TrackedMap::Forget() {
  Reset(Knowledge::kUnknown);
}

void TrackedMap::NoteMissing() {
  Reset(Knowledge::kMissing);
}

void TrackedMap::Rebuild() {
  Reset(Knowledge::kUnknown);
  outgrown_ = true;
}

void TrackedMap::Desire(const ir::MarkMap& map) {
  if (mask_ == map.mask && desired_ == map.values) return;
  mask_ = map.mask;
  desired_ = map.values;
  // A whole map is rare. Reading the kernel's again costs less than keeping what it holds.
  if (knowledge_ != Knowledge::kMissing && !blank_) Forget();
}

void TrackedMap::Desire(const ir::MarkChange& change) {
  const bool by_difference = knowledge_ == Knowledge::kHeld && !blank_;
  for (const ir::LocalAddress& at : change.removed) {
    const std::optional<Marks> in_kernel = by_difference ? InKernel(at) : std::nullopt;
    desired_.erase(at);
    if (by_difference) Settle(at, in_kernel);
  }
  for (const auto& [at, value] : change.set) {
    const std::optional<Marks> in_kernel = by_difference ? InKernel(at) : std::nullopt;
    desired_.insert_or_assign(at, value);
    if (by_difference) Settle(at, in_kernel);
  }
}

std::optional<TrackedMap::Marks> TrackedMap::InKernel(const ir::LocalAddress& at) const {
  if (blank_) return std::nullopt;
  if (const auto it = leaving_.find(at); it != leaving_.end()) return it->second;
  if (const auto it = arriving_.find(at); it != arriving_.end()) {
    if (!it->second.mark.has_value()) return std::nullopt;
    return Marks{*it->second.mark, mask_};
  }
  if (const auto it = desired_.find(at); it != desired_.end()) return Marks{it->second, mask_};
  return std::nullopt;
}

// Compares what the kernel holds at an address with what is desired there.
void TrackedMap::Settle(const ir::LocalAddress& at, const std::optional<Marks>& in_kernel,
                        const MemberCounters& counters) {
  const auto wanted = desired_.find(at);
  const bool same_mask = in_kernel.has_value() && in_kernel->mask == mask_;
  if (in_kernel.has_value() && (wanted == desired_.end() || !same_mask)) {
    leaving_.insert_or_assign(at, *in_kernel);
  } else {
    leaving_.erase(at);
  }
  if (wanted == desired_.end() || (same_mask && in_kernel->mark == wanted->second)) {
    arriving_.erase(at);
  } else if (same_mask) {
    arriving_.insert_or_assign(at, Arrival{in_kernel->mark, {}});
  } else {
    arriving_.insert_or_assign(at, Arrival{std::nullopt, counters});
  }
}

bool TrackedMap::IsFit(const SetContent& content) const {
  return content.header.plain && content.header.max_members >= max_members_ &&
         content.strange_members == 0;
}

void TrackedMap::NoteContent(const SetContent& content) {
  const bool same_type =
      content.header.type == kInterfaceTypeName && content.header.family == family_;
  if (!same_type) return Reset(Knowledge::kOtherType);
  const bool outgrown = std::exchange(outgrown_, false);
  if (IsFit(content) && !outgrown) {
    Reset(Knowledge::kHeld);
    NoteMembers(content.interface_members);
    return;
  }
  Reset(Knowledge::kUnfit);
  size_ = content.header.size;
  content_ = content.interface_members;
}

void TrackedMap::NoteMembers(const std::vector<InterfaceMember>& members) {
  size_ = members.size();
  blank_ = members.empty();
  if (blank_) return;
  auto next = desired_.begin();
  for (const InterfaceMember* member : ByAddress(members)) {
    if (!member->net.IsHost()) {
      strangers_.push_back(*member);
      continue;
    }
    const ir::LocalAddress at = AddressOf(*member);
    for (; next != desired_.end() && next->first < at; ++next) Settle(next->first, std::nullopt);
    if (next != desired_.end() && next->first == at) ++next;
    Settle(at, Marks{member->mark, member->mask}, member->counters.value_or(MemberCounters{}));
  }
  for (; next != desired_.end(); ++next) Settle(next->first, std::nullopt);
}

std::string TrackedMap::Damage(const SetContent& content) const {
  if (knowledge_ != Knowledge::kHeld) return {};
  const SetHeader& header = content.header;
  if (header.type != kInterfaceTypeName || header.family != family_) {
    return fmt::format("is of type {} now", header.type);
  }
  if (!IsFit(content)) return "has other parameters";
  std::size_t found = 0;
  std::size_t strange = 0;
  std::size_t changed = 0;
  for (const InterfaceMember& member : content.interface_members) {
    const std::optional<Marks> expected =
        member.net.IsHost() ? InKernel(AddressOf(member)) : std::nullopt;
    const bool known_stranger =
        !expected.has_value() &&
        std::find(strangers_.begin(), strangers_.end(), member) != strangers_.end();
    if (!expected.has_value() && !known_stranger) {
      ++strange;
      continue;
    }
    ++found;
    if (known_stranger) continue;
    changed += expected->mark != member.mark || expected->mask != member.mask;
  }
  const std::size_t missing = size_ < found ? 0 : size_ - found;
  if (missing + strange + changed == 0) return {};
  return fmt::format(
      "{} members are missing, {} are there that nobody wants, and {} have other marks", missing,
      strange, changed);
}

bool TrackedMap::leaves() const {
  return knowledge_ != Knowledge::kHeld || !leaving_.empty() || !strangers_.empty();
}

InterfaceMember TrackedMap::Member(const ir::LocalAddress& at, std::uint32_t mark) const {
  return {model::Cidr::Host(at.address), at.interface_name, mark, mask_};
}

Operation TrackedMap::Create(const std::string& name) const {
  return CreateInterfaceSet{name, family_, HashSize(desired_.size()), max_members_};
}

// What of an unfit set is as good as a member of its successor: nothing arrives by a replacement.
std::vector<InterfaceMember> TrackedMap::Survivors() const {
  std::vector<InterfaceMember> survivors;
  for (const InterfaceMember& member : content_) {
    if (!member.net.IsHost() || member.mask != mask_) continue;
    if (!desired_.contains(AddressOf(member))) continue;
    survivors.push_back(member);
    if (!member.counters.has_value()) survivors.back().counters = MemberCounters{};
  }
  return survivors;
}

std::vector<Operation> TrackedMap::Leave(const std::string& temporary) const {
  std::vector<Operation> operations;
  switch (knowledge_) {
    case Knowledge::kUnknown:
      break;
    case Knowledge::kMissing:
      operations.push_back(Create(name_));
      break;
    case Knowledge::kOtherType:
      operations.emplace_back(DestroySet{name_});
      operations.push_back(Create(name_));
      break;
    case Knowledge::kUnfit: {
      operations.push_back(Create(temporary));
      std::vector<InterfaceMember> survivors = Survivors();
      if (!survivors.empty()) {
        operations.emplace_back(AddInterfaceMembers{temporary, family_, std::move(survivors)});
      }
      operations.emplace_back(SwapSets{name_, temporary});
      operations.emplace_back(DestroySet{temporary});
      break;
    }
    case Knowledge::kHeld: {
      DeleteInterfaceMembers del{name_, family_, strangers_};
      del.members.reserve(strangers_.size() + leaving_.size());
      for (const auto& [at, marks] : leaving_) {
        del.members.push_back(
            {model::Cidr::Host(at.address), at.interface_name, marks.mark, marks.mask});
      }
      if (!del.members.empty()) operations.emplace_back(std::move(del));
      break;
    }
  }
  return operations;
}

void TrackedMap::ConfirmLeaving() {
  switch (knowledge_) {
    case Knowledge::kUnknown:
      break;
    case Knowledge::kMissing:
    case Knowledge::kOtherType:
      Reset(Knowledge::kHeld);
      break;
    case Knowledge::kUnfit: {
      const std::vector<InterfaceMember> survivors = Survivors();
      Reset(Knowledge::kHeld);
      NoteMembers(survivors);
      break;
    }
    case Knowledge::kHeld:
      size_ -= leaving_.size() + strangers_.size();
      leaving_.clear();
      strangers_.clear();
      break;
  }
}

std::vector<InterfaceMember> TrackedMap::Arrive() const {
  std::vector<InterfaceMember> members;
  if (knowledge_ != Knowledge::kHeld || blank_) {
    members.reserve(desired_.size());
    for (const auto& [at, mark] : desired_) {
      members.push_back(Member(at, mark));
      members.back().counters = MemberCounters{};
    }
    return members;
  }
  members.reserve(arriving_.size());
  for (const auto& [at, arrival] : arriving_) {
    members.push_back(Member(at, desired_.at(at)));
    if (!arrival.mark.has_value()) members.back().counters = arrival.counters;
  }
  return members;
}

void TrackedMap::ConfirmArriving() {
  if (blank_) {
    size_ = desired_.size();
    blank_ = desired_.empty();
    return;
  }
  for (const auto& [at, arrival] : arriving_) size_ += !arrival.mark.has_value();
  arriving_.clear();
}

void TrackedMap::ConfirmArrival(const InterfaceMember& member) {
  if (std::exchange(blank_, false)) {
    for (const auto& [at, mark] : desired_) Settle(at, std::nullopt);
  }
  const auto it = arriving_.find(AddressOf(member));
  if (it == arriving_.end()) return;
  size_ += !it->second.mark.has_value();
  arriving_.erase(it);
}

std::pair<model::IpAddress, std::size_t> TrackedMap::MostShared() const {
  absl::flat_hash_map<model::IpAddress, std::size_t> holders;
  std::pair<model::IpAddress, std::size_t> most;
  for (const auto& [at, mark] : desired_) {
    const std::size_t count = ++holders[at.address];
    if (count > most.second) most = {at.address, count};
  }
  return most;
}

bool TrackedMap::Wants(const InterfaceMember& member) const {
  return member.net.IsHost() && desired_.contains(AddressOf(member));
}

bool TrackedMap::HasOutgrownItsHash() const {
  // A bucket that is full can never be split, since all its members are of one address.
  constexpr std::size_t kHarmless = InterfaceMember::kMaxInterfaces - 2;
  return size_ < max_members_ && MostShared().second <= kHarmless;
}

}  // namespace felix::ipset
