// SPDX-License-Identifier: Apache-2.0
#include "ipset/mark_maps.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "fmt/format.h"

#include "ipset/failures.h"
#include "ipset/set_name.h"
#include "model/base/overloaded.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::ipset {
namespace {

// A set that is full refuses all that comes; a few refusals show that.
constexpr int kMaxRefusals = 64;
// Maps that get so many members at most are written together.
constexpr std::size_t kFewMembers = 100;

// A fault of one member, which says nothing about others.
bool IsRefusal(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsInvalidArgument(status);
}

void CountArrival(const InterfaceMember& member, ApplyStats& stats) {
  ++(member.counters.has_value() ? stats.members_added : stats.marks_changed);
}

void CountLeaving(const std::vector<Operation>& operations, const std::string& name,
                  ApplyStats& stats) {
  for (const Operation& operation : operations) {
    std::visit(
        Overloaded{
            [&](const CreateInterfaceSet& create) { stats.sets_created += create.name == name; },
            [&](const AddInterfaceMembers& add) { stats.members_added += add.members.size(); },
            [&](const DeleteInterfaceMembers& del) { stats.members_removed += del.members.size(); },
            [&](const SwapSets&) { ++stats.sets_swapped; },
            [&](const DestroySet& destroy) { stats.sets_destroyed += destroy.name == name; },
            [](const auto&) {},
        },
        operation);
  }
}

}  // namespace

MarkMaps::MarkMaps(model::IpFamily family, KernelSets& kernel, const MarkMapOptions& options)
    : family_(family), kernel_(kernel), options_(options) {}

bool MarkMaps::has_leaving() const {
  if (!listed_ || check_due_) return true;
  for (const auto& [id, map] : maps_) {
    if (map.leaves()) return true;
  }
  return false;
}

bool MarkMaps::has_arriving() const {
  if (!doomed_.empty()) return true;
  for (const auto& [id, map] : maps_) {
    if (map.arrives()) return true;
  }
  return false;
}

std::string MarkMaps::FreeTemporary() {
  while (present_.contains(TemporaryMarkMapName(family_, next_temporary_))) ++next_temporary_;
  return TemporaryMarkMapName(family_, next_temporary_);
}

absl::Status MarkMaps::List(ApplyStats& stats) {
  ++stats.kernel_calls;
  FELIX_ASSIGN_OR_RETURN(const std::vector<std::string> names, kernel_.ListNames());
  const bool again = std::exchange(listed_, true);
  check_due_ = false;
  present_.clear();
  for (const std::string& name : names) {
    if (IsMarkMap(family_, name)) present_.insert(name);
  }
  doomed_ = present_;
  refused_.clear();
  for (auto& [id, map] : maps_) {
    doomed_.erase(map.name());
    if (again) {
      Check(map, stats);
    } else if (present_.contains(map.name())) {
      map.Forget();
    } else {
      map.NoteMissing();
    }
  }
  return absl::OkStatus();
}

// Compares a map with what it was known to be.
void MarkMaps::Check(TrackedMap& map, ApplyStats& stats) {
  const bool present = present_.contains(map.name());
  const TrackedMap::Knowledge before = map.knowledge();
  if (!present) {
    if (before == TrackedMap::Knowledge::kHeld) {
      damage_.push_back(fmt::format("set {}: is gone", map.name()));
    }
    map.NoteMissing();
    return;
  }
  if (before == TrackedMap::Knowledge::kMissing) {
    damage_.push_back(fmt::format("set {}: was made by somebody else", map.name()));
  }
  // What cannot be read now is left unknown, and read again before it is written.
  if (before != TrackedMap::Knowledge::kHeld || !Learn(map, stats).ok()) map.Forget();
}

absl::Status MarkMaps::Learn(TrackedMap& map, ApplyStats& stats) {
  ++stats.kernel_calls;
  FELIX_ASSIGN_OR_RETURN(const std::optional<SetContent> content, kernel_.Read(map.name()));
  if (!content.has_value()) {
    map.NoteMissing();
    return absl::OkStatus();
  }
  const std::string damage = map.Damage(*content);
  if (!damage.empty()) damage_.push_back(fmt::format("set {}: {}", map.name(), damage));
  map.NoteContent(*content);
  return absl::OkStatus();
}

absl::StatusOr<ApplyStats> MarkMaps::ApplyLeaving() {
  ApplyStats stats;
  failed_maps_.clear();
  if (!listed_ || check_due_) {
    if (absl::Status status = List(stats); !status.ok()) {
      for (const auto& [id, map] : maps_) failed_maps_.push_back({family_, id});
      return status;
    }
  }
  LeaveTogether(stats);
  Failures failures;
  for (auto& [id, map] : maps_) {
    if (!map.leaves()) continue;
    if (absl::Status status = Leave(map, stats); !status.ok()) {
      failed_maps_.push_back({family_, id});
      failures.Add(std::move(status));
    }
  }
  FELIX_RETURN_IF_ERROR(failures.status());
  return stats;
}

// A container is an element in both directions, and the kernel is asked once for both.
void MarkMaps::LeaveTogether(ApplyStats& stats) {
  std::vector<TrackedMap*> together;
  std::vector<Operation> operations;
  for (auto& [id, map] : maps_) {
    if (map.knowledge() != TrackedMap::Knowledge::kHeld || !map.leaves()) continue;
    together.push_back(&map);
    for (Operation& operation : map.Leave({})) operations.push_back(std::move(operation));
  }
  if (together.size() < 2) return;
  ++stats.kernel_calls;
  if (!kernel_.Execute(operations).ok()) return;
  CountLeaving(operations, {}, stats);
  for (TrackedMap* map : together) map->ConfirmLeaving();
}

void MarkMaps::ArriveTogether(ApplyStats& stats) {
  std::vector<TrackedMap*> together;
  std::vector<Operation> operations;
  for (auto& [id, map] : maps_) {
    if (map.leaves() || !map.arrives() || map.arriving() > kFewMembers) continue;
    together.push_back(&map);
    operations.emplace_back(AddInterfaceMembers{map.name(), family_, map.Arrive()});
  }
  if (together.size() < 2) return;
  ++stats.kernel_calls;
  // What is refused is found out when each map is written alone.
  if (!kernel_.Execute(operations).ok()) return;
  for (const Operation& operation : operations) {
    for (const InterfaceMember& member : std::get<AddInterfaceMembers>(operation).members) {
      CountArrival(member, stats);
    }
  }
  for (TrackedMap* map : together) map->ConfirmArriving();
}

absl::Status MarkMaps::Leave(TrackedMap& map, ApplyStats& stats) {
  // The second attempt is for a set that somebody else made or destroyed since it was read.
  constexpr int kAttempts = 2;
  absl::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (map.knowledge() == TrackedMap::Knowledge::kUnknown) {
      FELIX_RETURN_IF_ERROR(Learn(map, stats));
    }
    if (!map.leaves()) return absl::OkStatus();
    const TrackedMap::Knowledge knowledge = map.knowledge();
    const std::string temporary = FreeTemporary();
    const std::vector<Operation> operations = map.Leave(temporary);
    ++stats.kernel_calls;
    status = kernel_.Execute(operations);
    present_.insert(map.name());
    if (status.ok()) {
      CountLeaving(operations, map.name(), stats);
      map.ConfirmLeaving();
      // No rule names a set that is new: members are there before the first one does.
      const bool is_new = knowledge == TrackedMap::Knowledge::kMissing ||
                          knowledge == TrackedMap::Knowledge::kOtherType;
      // What is refused comes up again in ApplyArriving.
      Failures refused;
      if (is_new && map.arrives()) Arrive(map, stats, refused);
      return status;
    }
    if (knowledge == TrackedMap::Knowledge::kUnfit) {
      // Neither its creation's failure nor anything later removed it for sure.
      present_.insert(temporary);
      doomed_.insert(temporary);
    }
    if (knowledge == TrackedMap::Knowledge::kOtherType && absl::IsFailedPrecondition(status)) {
      status = absl::FailedPreconditionError(
          fmt::format("set {} is of another type and something names it: {}", map.name(),
                      ToStd(status.message())));
    }
    status = Explain(map, std::move(status));
    map.Forget();
    if (!absl::IsNotFound(status) && !absl::IsAlreadyExists(status)) break;
  }
  return status;
}

absl::StatusOr<ApplyStats> MarkMaps::ApplyArriving() {
  ApplyStats stats;
  if (!listed_) FELIX_RETURN_IF_ERROR(List(stats));
  ArriveTogether(stats);
  Failures failures;
  for (auto& [id, map] : maps_) {
    if (!map.leaves() && map.arrives()) Arrive(map, stats, failures);
  }
  DestroyDoomed(stats, failures);
  FELIX_RETURN_IF_ERROR(failures.status());
  return stats;
}

void MarkMaps::Arrive(TrackedMap& map, ApplyStats& stats, Failures& failures) {
  const Operation operation = AddInterfaceMembers{map.name(), family_, map.Arrive()};
  ++stats.kernel_calls;
  absl::Status status = kernel_.Execute({&operation, 1});
  const std::vector<InterfaceMember>& members = std::get<AddInterfaceMembers>(operation).members;
  if (status.ok()) {
    for (const InterfaceMember& member : members) CountArrival(member, stats);
    map.ConfirmArriving();
  } else if (IsRefusal(status)) {
    ArriveOneByOne(map, members, stats, failures);
  } else {
    failures.Add(std::move(status));
    map.Forget();
  }
}

// A batch ends at the first member that is refused; those behind it are not to suffer from that.
void MarkMaps::ArriveOneByOne(TrackedMap& map, const std::vector<InterfaceMember>& members,
                              ApplyStats& stats, Failures& failures) {
  absl::Status refusal;
  int refusals = 0;
  for (const InterfaceMember& member : members) {
    if (refusals == kMaxRefusals) break;
    const Operation operation = AddInterfaceMembers{map.name(), family_, {member}};
    ++stats.kernel_calls;
    absl::Status status = kernel_.Execute({&operation, 1});
    if (status.ok()) {
      CountArrival(member, stats);
      map.ConfirmArrival(member);
    } else if (IsRefusal(status)) {
      ++refusals;
      if (refusal.ok()) refusal = Explain(map, status);
      failures.Add(refusals == 1 ? refusal : std::move(status));
    } else {
      failures.Add(std::move(status));
      map.Forget();
      return;
    }
  }
  if (absl::IsResourceExhausted(refusal) && map.HasOutgrownItsHash()) map.Rebuild();
}

// The kernel says of every set that takes no more that it is full.
absl::Status MarkMaps::Explain(const TrackedMap& map, absl::Status status) const {
  if (!absl::IsResourceExhausted(status) || map.size() >= options_.max_set_size) return status;
  const auto [address, interfaces] = map.MostShared();
  const std::string reason =
      map.HasOutgrownItsHash()
          ? std::string("its hash cannot grow, and is to be replaced")
          : fmt::format("the kernel takes at most {} interfaces of one address, and {} has {}",
                        InterfaceMember::kMaxInterfaces, address.ToString(), interfaces);
  return absl::ResourceExhaustedError(fmt::format("{}, at {} of {} members: {}",
                                                  ToStd(status.message()), map.size(),
                                                  options_.max_set_size, reason));
}

void MarkMaps::DestroyDoomed(ApplyStats& stats, Failures& failures) {
  doomed_.merge(refused_);
  refused_.clear();
  for (const std::string& name : doomed_) {
    ++stats.kernel_calls;
    const Operation operation = DestroySet{name};
    absl::Status status = kernel_.Execute({&operation, 1});
    if (status.ok() || absl::IsNotFound(status)) {
      stats.sets_destroyed += status.ok();
      present_.erase(name);
      continue;
    }
    ++stats.destroys_refused;
    refused_.insert(name);
    if (!absl::IsFailedPrecondition(status)) failures.Add(std::move(status));
  }
  doomed_.clear();
}

absl::StatusOr<std::vector<MapCounters>> MarkMaps::ReadCounters() {
  std::vector<MapCounters> all;
  for (const auto& [id, map] : maps_) {
    FELIX_ASSIGN_OR_RETURN(const std::optional<SetContent> content, kernel_.Read(map.name()));
    if (!content.has_value()) continue;
    MapCounters counters{id, {}};
    for (const InterfaceMember& member : content->interface_members) {
      if (!member.counters.has_value() || !map.Wants(member)) continue;
      counters.addresses.push_back({{member.interface, member.net.address()}, *member.counters});
    }
    std::sort(
        counters.addresses.begin(), counters.addresses.end(),
        [](const AddressCounters& a, const AddressCounters& b) { return a.address < b.address; });
    all.push_back(std::move(counters));
  }
  return all;
}

absl::StatusOr<std::vector<std::string>> MarkMaps::DryRun() {
  ApplyStats unused;
  if (!listed_) FELIX_RETURN_IF_ERROR(List(unused));
  std::vector<std::string> lines;
  const auto append = [&](const Operation& operation) {
    for (std::string& line : ToRestoreLines(operation)) lines.push_back(std::move(line));
  };
  for (auto& [id, map] : maps_) {
    if (map.knowledge() == TrackedMap::Knowledge::kUnknown) {
      if (const absl::Status status = Learn(map, unused); !status.ok()) {
        lines.push_back(fmt::format("# {}", ToStd(status.message())));
        continue;
      }
    }
    TrackedMap ahead = map;
    for (const Operation& operation : ahead.Leave(FreeTemporary())) append(operation);
    ahead.ConfirmLeaving();
    append(AddInterfaceMembers{map.name(), family_, ahead.Arrive()});
    // Its content is kept for a replacement at once; by the time of one it may count more.
    if (map.knowledge() == TrackedMap::Knowledge::kUnfit) map.Forget();
  }
  for (const std::string& name : doomed_) append(DestroySet{name});
  return lines;
}

}  // namespace felix::ipset
