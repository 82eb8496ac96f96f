// SPDX-License-Identifier: Apache-2.0
#include "ipset/planner.h"

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <utility>

#include "model/base/check.h"

namespace felix::ipset {
namespace {

constexpr std::size_t kAlwaysByDifference = 1000;
constexpr std::uint32_t kMinHashSize = 1024;

bool IsAll(ir::SetKind kind, const ir::SetMember& member) {
  return kind == ir::SetKind::kNet && member.net.prefix_length() == 0;
}

std::array<ir::SetMember, 2> Halves(model::IpFamily family) {
  const std::array<std::uint8_t, 16> upper_v6 = {0x80};
  const model::IpAddress upper = family == model::IpFamily::kV4 ? model::IpAddress::V4(0x80000000U)
                                                                : model::IpAddress::V6(upper_v6);
  const model::IpAddress lower = model::Cidr::All(family).address();
  return {ir::SetMember{model::Cidr(lower, 1), {}, 0}, ir::SetMember{model::Cidr(upper, 1), {}, 0}};
}

CreateSet Create(const Target& target, const std::string& name, std::size_t members) {
  return CreateSet{name, target.desired->kind, target.family, HashSize(members),
                   target.max_members};
}

// Creates the set under `name` and fills it.
void AppendFilledSet(const Target& target, const std::string& name, std::vector<Operation>& out) {
  std::vector<ir::SetMember> members = KernelMembers(*target.desired);
  out.emplace_back(Create(target, name, members.size()));
  if (members.empty()) return;
  out.emplace_back(AddMembers{name, target.desired->kind, target.family, std::move(members)});
}

SetPlan PlanReplacement(const Target& target, const std::string& temporary) {
  SetPlan plan;
  plan.temporary = temporary;
  plan.rebuilds = true;
  AppendFilledSet(target, temporary, plan.operations);
  plan.operations.emplace_back(SwapSets{target.name, temporary});
  plan.operations.emplace_back(DestroySet{temporary});
  return plan;
}

SetPlan PlanCreation(const Target& target, bool destroy_first) {
  SetPlan plan;
  plan.rebuilds = true;
  if (destroy_first) plan.operations.emplace_back(DestroySet{target.name});
  AppendFilledSet(target, target.name, plan.operations);
  return plan;
}

bool PrefersReplacement(const Target& target, const Actual& actual, Removals removals) {
  if (actual.to_remove.empty()) return false;
  if (actual.size + actual.to_add.size() > target.max_members) return true;
  if (removals == Removals::kLater) return false;
  const std::size_t changed = actual.to_add.size() + actual.to_remove.size();
  const std::size_t new_size = actual.size + actual.to_add.size() - actual.to_remove.size();
  return changed > std::max(kAlwaysByDifference, std::max(actual.size, new_size) / 2);
}

SetPlan PlanDifference(const Target& target, const Actual& actual, Removals removals) {
  SetPlan plan;
  const ir::SetKind kind = target.desired->kind;
  if (!actual.to_add.empty()) {
    plan.operations.emplace_back(
        AddMembers{target.name, kind, target.family, {actual.to_add.begin(), actual.to_add.end()}});
  }
  if (actual.to_remove.empty()) return plan;
  if (removals == Removals::kLater) {
    plan.leaves_removals = true;
    return plan;
  }
  plan.operations.emplace_back(DeleteMembers{
      target.name, kind, target.family, {actual.to_remove.begin(), actual.to_remove.end()}});
  return plan;
}

}  // namespace

std::vector<ir::SetMember> KernelMembers(ir::SetKind kind, const ir::SetMember& member) {
  if (!IsAll(kind, member)) return {member};
  const auto halves = Halves(member.net.family());
  return {halves.begin(), halves.end()};
}

std::vector<ir::SetMember> KernelMembers(const ir::AddressSet& set) {
  std::vector<ir::SetMember> members;
  members.reserve(set.members.size() + 1);
  bool halved = false;
  for (const ir::SetMember& member : set.members) {
    if (!IsAll(set.kind, member)) {
      members.push_back(member);
      continue;
    }
    halved = true;
    for (const ir::SetMember& half : Halves(member.net.family())) members.push_back(half);
  }
  if (halved) {
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
  }
  return members;
}

bool IsWanted(const ir::AddressSet& set, const ir::SetMember& kernel_member) {
  if (set.members.contains(kernel_member)) return true;
  if (set.kind != ir::SetKind::kNet || kernel_member.net.prefix_length() != 1) return false;
  return set.members.contains(ir::SetMember{model::Cidr::All(kernel_member.net.family()), {}, 0});
}

Actual Compare(const std::optional<SetContent>& content, const Target& target) {
  Actual actual;
  if (!content.has_value()) return actual;
  const SetHeader& header = content->header;
  if (header.type != TypeName(target.desired->kind) || header.family != target.family) {
    actual.presence = Presence::kOtherType;
    return actual;
  }
  if (header.max_members != target.max_members || !header.plain || content->strange_members != 0) {
    actual.presence = Presence::kUnfit;
    return actual;
  }
  actual.presence = Presence::kMatching;
  actual.size = content->members.size();
  const std::vector<ir::SetMember> wanted = KernelMembers(*target.desired);
  std::set_difference(wanted.begin(), wanted.end(), content->members.begin(),
                      content->members.end(), std::inserter(actual.to_add, actual.to_add.end()));
  std::set_difference(content->members.begin(), content->members.end(), wanted.begin(),
                      wanted.end(), std::inserter(actual.to_remove, actual.to_remove.end()));
  return actual;
}

SetPlan Plan(const Target& target, const Actual& actual, Removals removals,
             const std::string& temporary) {
  FELIX_CHECK(temporary != target.name, "a set cannot be its own successor");
  switch (actual.presence) {
    case Presence::kMissing:
      return PlanCreation(target, false);
    case Presence::kOtherType:
      return PlanCreation(target, true);
    case Presence::kUnfit:
      return PlanReplacement(target, temporary);
    case Presence::kMatching:
      break;
  }
  if (PrefersReplacement(target, actual, removals)) return PlanReplacement(target, temporary);
  return PlanDifference(target, actual, removals);
}

std::uint32_t HashSize(std::size_t members) {
  constexpr std::size_t kMaxHashSize = std::size_t{1} << 24U;
  return std::max(kMinHashSize,
                  static_cast<std::uint32_t>(std::bit_ceil(std::min(members, kMaxHashSize))));
}

}  // namespace felix::ipset
