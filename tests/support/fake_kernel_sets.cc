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
  content.header = it->second.header;
  content.header.references = static_cast<std::uint32_t>(references_[name]);
  content.members.assign(it->second.members.begin(), it->second.members.end());
  content.strange_members = it->second.strange_members;
  return content;
}

absl::Status FakeKernelSets::Execute(std::span<const ipset::Operation> operations) {
  for (const ipset::Operation& operation : operations) {
    FELIX_RETURN_IF_ERROR(std::visit([&](const auto& any) { return Do(any); }, operation));
  }
  return absl::OkStatus();
}

void FakeKernelSets::Put(const ipset::SetContent& content) {
  sets_[content.header.name] = Set{
      content.header, {content.members.begin(), content.members.end()}, content.strange_members};
}

absl::Status FakeKernelSets::BeginStep() {
  if (++steps_ == failing_step_) return step_fault_;
  return absl::OkStatus();
}

void FakeKernelSets::EndStep() const {
  if (on_step_) on_step_();
}

absl::Status FakeKernelSets::Do(const ipset::CreateSet& create) {
  FELIX_RETURN_IF_ERROR(BeginStep());
  if (create.name.empty() || create.name.size() > ipset::kMaxSetNameLength) {
    return absl::InvalidArgumentError(fmt::format("set name {}: bad length", create.name));
  }
  if (sets_.contains(create.name)) {
    return absl::AlreadyExistsError(fmt::format("creating set {}: exists", create.name));
  }
  Set set;
  set.header.name = create.name;
  set.header.type = std::string(ipset::TypeName(create.kind));
  set.header.family = create.family;
  set.header.hash_size = create.hash_size;
  set.header.max_members = create.max_members;
  sets_.emplace(create.name, std::move(set));
  EndStep();
  return absl::OkStatus();
}

absl::Status FakeKernelSets::Do(const ipset::AddMembers& add) {
  for (const ir::SetMember& member : add.members) {
    FELIX_RETURN_IF_ERROR(BeginStep());
    const std::string what = fmt::format("adding {} of set {}", member.ToString(), add.name);
    const auto it = sets_.find(add.name);
    if (it == sets_.end()) return NotFound(add.name);
    Set& set = it->second;
    if (set.header.type != ipset::TypeName(add.kind) || set.header.family != add.family) {
      return absl::FailedPreconditionError(what + ": set of another type");
    }
    if (add.kind == ir::SetKind::kNet && member.net.prefix_length() == 0) {
      return absl::InvalidArgumentError(what + ": prefix length 0");
    }
    if (!set.members.contains(member) && set.members.size() >= set.header.max_members) {
      return absl::ResourceExhaustedError(what + ": full");
    }
    set.members.insert(member);
    EndStep();
  }
  return absl::OkStatus();
}

absl::Status FakeKernelSets::Do(const ipset::DeleteMembers& del) {
  for (const ir::SetMember& member : del.members) {
    FELIX_RETURN_IF_ERROR(BeginStep());
    const auto it = sets_.find(del.name);
    if (it == sets_.end()) return NotFound(del.name);
    if (it->second.header.type != ipset::TypeName(del.kind)) {
      return absl::FailedPreconditionError(fmt::format("set {}: of another type", del.name));
    }
    it->second.members.erase(member);
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
