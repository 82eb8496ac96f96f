// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_kernel_sets.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "fmt/format.h"

#include "ipset/set_name.h"
#include "model/base/status_macros.h"

namespace felix::testing {
namespace {

// `members` are ordered by network first.
template <typename Members>
std::size_t InterfacesOf(const Members& members, const model::Cidr& net) {
  std::size_t count = 0;
  for (auto it = members.lower_bound({net, ""}); it != members.end() && it->first.first == net;
       ++it) {
    ++count;
  }
  return count;
}

absl::Status NotFound(const std::string& name) {
  return absl::NotFoundError(fmt::format("set {}: no such set", name));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FakeKernelSets::ListNames() {
  FELIX_RETURN_IF_ERROR(std::exchange(list_fault_, absl::OkStatus()));
  return Names();
}

std::vector<std::string> FakeKernelSets::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, set] : sets_) names.push_back(name);
  return names;
}

absl::StatusOr<std::optional<ipset::SetContent>> FakeKernelSets::Read(const std::string& name) {
  ++reads_;
  if (failing_reads_ > 0) {
    --failing_reads_;
    return read_fault_;
  }
  const auto it = sets_.find(name);
  if (it == sets_.end()) return std::nullopt;
  ipset::SetContent content;
  content.header = HeaderOf(it->second);
  content.members.assign(it->second.members.begin(), it->second.members.end());
  content.strange_members = it->second.strange_members;
  content.interface_members = InterfaceMembers(name);
  return content;
}

std::vector<ipset::InterfaceMember> FakeKernelSets::InterfaceMembers(
    const std::string& name) const {
  std::vector<ipset::InterfaceMember> members;
  const Set& set = sets_.at(name);
  for (const auto& [key, marks] : set.interface_members) {
    members.push_back({key.first, key.second, marks.mark, marks.mask});
    if (set.header.has_counters) members.back().counters = marks.counters;
  }
  return members;
}

void FakeKernelSets::Count(const std::string& name, const model::Cidr& net,
                           const std::string& interface, std::uint64_t bytes) {
  ipset::MemberCounters& counters = sets_.at(name).interface_members.at({net, interface}).counters;
  ++counters.packets;
  counters.bytes += bytes;
}

ipset::SetHeader FakeKernelSets::HeaderOf(const Set& set) const {
  ipset::SetHeader header = set.header;
  const auto references = references_.find(header.name);
  header.references =
      references == references_.end() ? 0 : static_cast<std::uint32_t>(references->second);
  header.size = static_cast<std::uint32_t>(set.members.size() + set.strange_members +
                                           set.interface_members.size());
  return header;
}

absl::StatusOr<std::vector<ipset::SetHeader>> FakeKernelSets::ListHeaders() {
  FELIX_RETURN_IF_ERROR(std::exchange(list_fault_, absl::OkStatus()));
  std::vector<ipset::SetHeader> headers;
  for (const auto& [name, set] : sets_) headers.push_back(HeaderOf(set));
  return headers;
}

absl::StatusOr<ipset::Portion> FakeKernelSets::ReadPortion(const std::string& name) {
  constexpr std::size_t kPortion = 1000;
  ++portions_;
  const auto it = sets_.find(name);
  if (it == sets_.end()) {
    EndPortions();
    return NotFound(name);
  }
  const std::set<ir::SetMember>& members = it->second.members;
  const bool goes_on = portions_of_ == name && portions_up_to_.has_value();
  auto next = goes_on ? members.upper_bound(*portions_up_to_) : members.begin();
  ipset::Portion portion;
  portion.first = !goes_on;
  if (!goes_on) portion.strange_members = it->second.strange_members;
  for (; next != members.end() && portion.members.size() < kPortion; ++next) {
    portion.members.push_back(*next);
  }
  portion.last = next == members.end();
  portions_of_ = portion.last ? "" : name;
  portions_up_to_.reset();
  if (!portion.last) portions_up_to_ = portion.members.back();
  return portion;
}

absl::Status FakeKernelSets::Execute(std::span<const ipset::Operation> operations) {
  for (const ipset::Operation& operation : operations) {
    FELIX_RETURN_IF_ERROR(std::visit([&](const auto& any) { return Do(any); }, operation));
  }
  return absl::OkStatus();
}

void FakeKernelSets::Put(const ipset::SetContent& content) {
  Set& set = sets_[content.header.name];
  set = Set{content.header,
            {content.members.begin(), content.members.end()},
            content.strange_members,
            {},
            false};
  for (const ipset::InterfaceMember& member : content.interface_members) {
    set.interface_members[{member.net, member.interface}] = {
        member.mark, member.mask, member.counters.value_or(ipset::MemberCounters{})};
  }
}

absl::Status FakeKernelSets::BeginStep() {
  if (++steps_ == failing_step_) return step_fault_;
  return absl::OkStatus();
}

void FakeKernelSets::EndStep() const {
  if (on_step_) on_step_();
}

absl::Status FakeKernelSets::Create(ipset::SetHeader header) {
  FELIX_RETURN_IF_ERROR(BeginStep());
  const std::string what = fmt::format("creating set {}", header.name);
  if (header.name.empty() || header.name.size() > ipset::kMaxSetNameLength) {
    return absl::InvalidArgumentError(what + ": bad length of its name");
  }
  if (lacking_types_.contains(header.type)) {
    return absl::FailedPreconditionError(fmt::format("set type {}: not supported", header.type));
  }
  if (sets_.contains(header.name)) return absl::AlreadyExistsError(what + ": exists");
  if (sets_.size() >= kMaxSets) return absl::ResourceExhaustedError(what + ": too many sets");
  Set set;
  set.header = std::move(header);
  const std::string name = set.header.name;
  sets_.emplace(name, std::move(set));
  EndStep();
  return absl::OkStatus();
}

absl::Status FakeKernelSets::Do(const ipset::CreateSet& create) {
  ipset::SetHeader header;
  header.name = create.name;
  header.type = std::string(ipset::TypeName(create.kind));
  header.family = create.family;
  header.hash_size = create.hash_size;
  header.max_members = create.max_members;
  return Create(std::move(header));
}

absl::Status FakeKernelSets::Do(const ipset::CreateInterfaceSet& create) {
  ipset::SetHeader header;
  header.name = create.name;
  header.type = std::string(ipset::kInterfaceTypeName);
  header.family = create.family;
  header.hash_size = create.hash_size;
  header.max_members = create.max_members;
  header.has_marks = true;
  header.has_counters = true;
  return Create(std::move(header));
}

absl::StatusOr<FakeKernelSets::Set*> FakeKernelSets::Find(const std::string& name,
                                                          std::string_view type,
                                                          model::IpFamily family) {
  FELIX_RETURN_IF_ERROR(BeginStep());
  const auto it = sets_.find(name);
  if (it == sets_.end()) return NotFound(name);
  if (name == broken_) return absl::UnavailableError(fmt::format("set {}: broken", name));
  if (it->second.header.type != type || it->second.header.family != family) {
    return absl::FailedPreconditionError(fmt::format("set {}: of another type", name));
  }
  return &it->second;
}

absl::Status FakeKernelSets::Do(const ipset::AddMembers& add) {
  for (const ir::SetMember& member : add.members) {
    FELIX_ASSIGN_OR_RETURN(Set * set, Find(add.name, ipset::TypeName(add.kind), add.family));
    const std::string what = fmt::format("adding {} of set {}", member.ToString(), add.name);
    if (add.kind == ir::SetKind::kNet && member.net.prefix_length() == 0) {
      return absl::InvalidArgumentError(what + ": prefix length 0");
    }
    if (!set->members.contains(member) && set->members.size() >= set->header.max_members) {
      return absl::ResourceExhaustedError(what + ": full");
    }
    set->members.insert(member);
    EndStep();
  }
  return absl::OkStatus();
}

absl::Status FakeKernelSets::Do(const ipset::DeleteMembers& del) {
  for (const ir::SetMember& member : del.members) {
    FELIX_ASSIGN_OR_RETURN(Set * set, Find(del.name, ipset::TypeName(del.kind), del.family));
    set->members.erase(member);
    EndStep();
  }
  return absl::OkStatus();
}

absl::Status FakeKernelSets::Do(const ipset::AddInterfaceMembers& add) {
  for (const ipset::InterfaceMember& member : add.members) {
    FELIX_ASSIGN_OR_RETURN(Set * set, Find(add.name, ipset::kInterfaceTypeName, add.family));
    const std::string what = fmt::format("adding {} of set {}", member.ToString(), add.name);
    if (member.interface.empty() || member.interface.size() > 15) {
      return absl::InvalidArgumentError(what + ": bad name of an interface");
    }
    const InterfaceKey key{member.net, member.interface};
    if (!set->header.has_marks || (member.counters.has_value() && !set->header.has_counters)) {
      return absl::FailedPreconditionError(what + ": the set has no marks or counters");
    }
    const auto found = set->interface_members.find(key);
    const bool is_new = found == set->interface_members.end();
    if (is_new && (set->poisoned || set->interface_members.size() >= set->header.max_members ||
                   InterfacesOf(set->interface_members, member.net) >=
                       ipset::InterfaceMember::kMaxInterfaces)) {
      return absl::ResourceExhaustedError(what + ": full");
    }
    const ipset::MemberCounters former = is_new ? left_over_ : found->second.counters;
    set->interface_members[key] = {member.mark, member.mask, member.counters.value_or(former)};
    EndStep();
  }
  return absl::OkStatus();
}

absl::Status FakeKernelSets::Do(const ipset::DeleteInterfaceMembers& del) {
  for (const ipset::InterfaceMember& member : del.members) {
    FELIX_ASSIGN_OR_RETURN(Set * set, Find(del.name, ipset::kInterfaceTypeName, del.family));
    const auto found = set->interface_members.find({member.net, member.interface});
    if (found != set->interface_members.end()) {
      left_over_ = found->second.counters;
      set->interface_members.erase(found);
    }
    EndStep();
  }
  return absl::OkStatus();
}

absl::Status FakeKernelSets::Do(const ipset::SwapSets& swap) {
  FELIX_RETURN_IF_ERROR(BeginStep());
  const auto one = sets_.find(swap.name);
  const auto other = sets_.find(swap.other);
  if (one == sets_.end()) return NotFound(swap.name);
  if (other == sets_.end()) return NotFound(swap.other);
  if (one->second.header.type != other->second.header.type ||
      one->second.header.family != other->second.header.family) {
    return absl::FailedPreconditionError(
        fmt::format("swapping sets {} and {}: unequal types", swap.name, swap.other));
  }
  std::swap(one->second, other->second);
  std::swap(one->second.header.name, other->second.header.name);
  EndStep();
  return absl::OkStatus();
}

absl::Status FakeKernelSets::Do(const ipset::DestroySet& destroy) {
  FELIX_RETURN_IF_ERROR(BeginStep());
  if (!sets_.contains(destroy.name)) return NotFound(destroy.name);
  if (references_[destroy.name] > 0) {
    return absl::FailedPreconditionError(fmt::format("destroying set {}: in use", destroy.name));
  }
  sets_.erase(destroy.name);
  EndStep();
  return absl::OkStatus();
}

}  // namespace felix::testing
