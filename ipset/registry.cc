// SPDX-License-Identifier: Apache-2.0
#include "ipset/registry.h"

#include <algorithm>
#include <array>
#include <iterator>
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

// A set that cannot be read twice in a row is replaced: another program may have made it in a
// form that this kernel does not list.
constexpr int kMaxFailedReads = 2;
// Sets that change by so many members at most are written together.
constexpr std::size_t kFewMembers = 100;

}  // namespace

Registry::Registry(model::IpFamily family, KernelSets& kernel, const RegistryOptions& options)
    : family_(family), kernel_(kernel), options_(options) {}

Target Registry::TargetOf(const Entry& entry) const {
  return Target{entry.name, family_, options_.max_set_size, &entry.desired};
}

std::string Registry::FreeTemporary() {
  while (present_.contains(TemporarySetName(family_, next_temporary_))) ++next_temporary_;
  return TemporarySetName(family_, next_temporary_);
}

bool Registry::dirty() const {
  return !listed_ || headers_due_ || !dirty_.empty() || removals_pending();
}

bool Registry::removals_pending() const {
  return !waiting_.empty() || !doomed_.empty();
}

absl::Status Registry::List(ApplyStats& stats) {
  ++stats.kernel_calls;
  FELIX_ASSIGN_OR_RETURN(const std::vector<std::string> names, kernel_.ListNames());
  present_.clear();
  doomed_.clear();
  waiting_.clear();
  dirty_.clear();
  for (const std::string& name : names) {
    if (IsOurs(family_, name)) present_.insert(name);
  }
  doomed_ = present_;
  absl::btree_map<std::string, std::string> holders;
  for (auto& [name, id] : holders_) {
    if (entries_.contains(id) || present_.contains(name)) holders.emplace(name, id);
  }
  holders_ = std::move(holders);
  for (auto& [id, entry] : entries_) {
    entry.known = !present_.contains(entry.name);
    entry.actual = {};
    const auto holder = holders_.find(entry.name);
    if (holder == holders_.end() || holder->second == id) doomed_.erase(entry.name);
    dirty_.insert(id);
  }
  listed_ = true;
  headers_due_ = false;
  verifying_ = false;
  reading_.reset();
  kernel_.EndPortions();
  return absl::OkStatus();
}

absl::Status Registry::Claim(const std::string& id, const Entry& entry) {
  const auto [it, inserted] = holders_.try_emplace(entry.name, id);
  if (it->second == id) return absl::OkStatus();
  return absl::AlreadyExistsError(
      fmt::format("set {}: set {} has the same name {} in the kernel", id, it->second, entry.name));
}

absl::Status Registry::Learn(Entry& entry, ApplyStats& stats) {
  if (entry.known) return absl::OkStatus();
  ++stats.kernel_calls;
  const absl::StatusOr<std::optional<SetContent>> content = kernel_.Read(entry.name);
  if (content.ok()) {
    entry.failed_reads = 0;
    entry.actual = Compare(*content, TargetOf(entry));
  } else {
    if (++entry.failed_reads < kMaxFailedReads) return content.status();
    entry.actual = {};
    entry.actual.presence = Presence::kUnfit;
  }
  entry.known = true;
  return absl::OkStatus();
}

// Names the first member, in their order, for which there is no room.
absl::Status Registry::CheckSize(const Entry& entry) const {
  if (entry.desired.members.size() <= options_.max_set_size) return absl::OkStatus();
  return absl::ResourceExhaustedError(fmt::format(
      "set {}: no room for member {}: at most {} may be", entry.name,
      entry.desired.members.At(options_.max_set_size).ToString(), options_.max_set_size));
}

absl::StatusOr<SetPlan> Registry::PlanEntry(const std::string& id, Entry& entry, Removals removals,
                                            ApplyStats& stats) {
  FELIX_RETURN_IF_ERROR(Claim(id, entry));
  FELIX_RETURN_IF_ERROR(CheckSize(entry));
  FELIX_RETURN_IF_ERROR(Learn(entry, stats));
  SetPlan plan = Plan(TargetOf(entry), entry.actual, removals, FreeTemporary());
  if (!plan.temporary.empty()) ++next_temporary_;
  return plan;
}

absl::Status Registry::Bring(const std::string& id, Entry& entry, Removals removals,
                             ApplyStats& stats) {
  // The second attempt is for a set that somebody else made, destroyed or made smaller since it was
  // read, or whose hash cannot grow any more, which happens to the kernel below the maximum too.
  constexpr int kAttempts = 2;
  absl::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (absl::IsResourceExhausted(status)) {
      FELIX_RETURN_IF_ERROR(Learn(entry, stats));
      if (entry.actual.presence == Presence::kMatching) entry.actual.presence = Presence::kUnfit;
    }
    FELIX_ASSIGN_OR_RETURN(const SetPlan plan, PlanEntry(id, entry, removals, stats));
    NoteTouched(entry, plan);
    status = absl::OkStatus();
    if (!plan.empty()) {
      ++stats.kernel_calls;
      status = kernel_.Execute(plan.operations);
    }
    if (status.ok()) {
      Confirm(entry, plan, stats);
      if (plan.leaves_removals) {
        waiting_.insert(id);
      } else {
        waiting_.erase(id);
      }
      return status;
    }
    Distrust(entry, plan);
    const bool outgrown = absl::IsResourceExhausted(status) && !plan.rebuilds;
    if (!absl::IsNotFound(status) && !absl::IsAlreadyExists(status) && !outgrown) break;
  }
  return status;
}

// What a container's start or stop changes is a member in each of several sets. Asking the kernel
// once for all of them takes half as long as asking for each.
void Registry::BringTogether(const std::vector<std::string>& ids, Removals removals,
                             ApplyStats& stats) {
  if (ids.size() < 2) return;
  struct Change {
    const std::string* id;
    Entry* entry;
    SetPlan plan;
  };
  std::vector<Change> changes;
  std::vector<Operation> operations;
  changes.reserve(ids.size());
  operations.reserve(ids.size());
  for (const std::string& id : ids) {
    Entry& entry = entries_.at(id);
    const Actual& actual = entry.actual;
    if (!entry.known || actual.presence != Presence::kMatching) continue;
    if (actual.to_add.size() + actual.to_remove.size() > kFewMembers) continue;
    if (!Claim(id, entry).ok() || !CheckSize(entry).ok()) continue;
    SetPlan plan = Plan(TargetOf(entry), actual, removals, {});
    if (plan.rebuilds) continue;
    NoteTouched(entry, plan);
    std::move(plan.operations.begin(), plan.operations.end(), std::back_inserter(operations));
    changes.push_back({&id, &entry, std::move(plan)});
  }
  if (changes.size() < 2) return;
  ++stats.kernel_calls;
  // Which one it was that failed, and what to do about it, is found out when each is written alone.
  if (!operations.empty() && !kernel_.Execute(operations).ok()) return;
  auto done = operations.begin();
  for (Change& change : changes) {
    for (Operation& operation : change.plan.operations) operation = std::move(*done++);
    Confirm(*change.entry, change.plan, stats);
    if (change.plan.leaves_removals) {
      waiting_.insert(*change.id);
    } else {
      waiting_.erase(*change.id);
    }
    change.entry->failures = 0;
    quarantined_.erase(*change.id);
    dirty_.erase(*change.id);
  }
}

void Registry::Confirm(Entry& entry, const SetPlan& plan, ApplyStats& stats) {
  std::size_t added = 0;
  std::size_t removed = 0;
  for (const Operation& operation : plan.operations) {
    std::visit(
        Overloaded{
            [&](const CreateSet& create) { stats.sets_created += create.name == entry.name; },
            [&](const AddMembers& add) { added += add.members.size(); },
            [&](const DeleteMembers& del) { removed += del.members.size(); },
            [&](const SwapSets&) { ++stats.sets_swapped; },
            [&](const DestroySet& destroy) { stats.sets_destroyed += destroy.name == entry.name; },
            [](const auto&) {},  // sets with interfaces have no entry
        },
        operation);
  }
  stats.members_added += added;
  stats.members_removed += removed;
  present_.insert(entry.name);
  if (plan.rebuilds) {
    entry.actual = {};
    entry.actual.presence = Presence::kMatching;
    entry.actual.size = added;
    return;
  }
  entry.actual.size += added;
  entry.actual.size -= removed;
  entry.actual.to_add.clear();
  if (!plan.leaves_removals) entry.actual.to_remove.clear();
}

void Registry::Distrust(Entry& entry, const SetPlan& plan) {
  entry.known = false;
  present_.insert(entry.name);
  if (plan.temporary.empty()) return;
  // Neither the kernel's refusal to make the temporary set nor anything later removed it for sure.
  present_.insert(plan.temporary);
  doomed_.insert(plan.temporary);
}

absl::StatusOr<ApplyStats> Registry::ApplyUpserts(bool tables_change) {
  ApplyStats stats;
  failed_sets_.clear();
  upserts_pending_ = false;
  if (!listed_ || headers_due_) {
    if (absl::Status status = listed_ ? CheckHeaders(stats) : List(stats); !status.ok()) {
      for (const auto& [id, entry] : entries_) failed_sets_.push_back({family_, id});
      return status;
    }
  }
  Failures failures;
  kernel_.SetPace(tables_change ? Pace::kShort : Pace::kBulk);
  UpsertDirty(tables_change ? Removals::kLater : Removals::kNow, stats, failures);
  kernel_.SetPace(Pace::kBulk);
  for (const std::string& id : dirty_) failed_sets_.push_back({family_, id});
  FELIX_RETURN_IF_ERROR(failures.status());
  return stats;
}

// New sets come first, and nothing else happens until all of them are there: no rule names them
// yet, while members of others meet the rules that are in force, which is not to last longer than
// one apply. Sets that failed before come last, so that they hold up no others.
void Registry::UpsertDirty(Removals removals, ApplyStats& stats, Failures& failures) {
  const auto deadline = std::chrono::steady_clock::now() + options_.upsert_budget;
  enum Rank : std::uint8_t { kNew, kChanged, kFailed };
  std::array<std::vector<std::string>, 3> ids;
  for (const std::string& id : dirty_) {
    const Entry& entry = entries_.at(id);
    const bool is_new = entry.known && entry.actual.presence == Presence::kMissing;
    ids.at(entry.failures != 0 ? kFailed : is_new ? kNew : kChanged).push_back(id);
  }
  bool first = true;
  for (const Rank rank : {kNew, kChanged, kFailed}) {
    if (rank == kChanged) BringTogether(ids.at(rank), removals, stats);
    for (const std::string& id : ids.at(rank)) {
      if (!dirty_.contains(id)) continue;
      const bool patient = std::exchange(first, false) || rank == kChanged;
      if (!patient && std::chrono::steady_clock::now() >= deadline) {
        upserts_pending_ = rank == kNew;
        return;
      }
      if (absl::Status status = Bring(id, entries_.at(id), removals, stats); !status.ok()) {
        Fail(id, entries_.at(id), status);
        failures.Add(std::move(status));
        waiting_.erase(id);
        continue;
      }
      entries_.at(id).failures = 0;
      quarantined_.erase(id);
      dirty_.erase(id);
    }
  }
}

void Registry::Fail(const std::string& id, Entry& entry, const absl::Status& status) {
  ++entry.failures;
  if (CheckSize(entry).ok() && entry.failures < kFailuresToQuarantine) return;
  // The reason of the first time stays: members come and go, and a log need not repeat each.
  const auto [it, inserted] = quarantined_.try_emplace(id, status);
  if (!inserted && it->second.code() != status.code()) it->second = status;
}

absl::StatusOr<ApplyStats> Registry::ApplyRemovals() {
  ApplyStats stats;
  if (!listed_) FELIX_RETURN_IF_ERROR(List(stats));
  Failures failures;
  // Rules are written, if there were any; nobody waits for short messages.
  const std::vector<std::string> ids(waiting_.begin(), waiting_.end());
  for (const std::string& id : ids) {
    // A set that changed again belongs to the next ApplyUpserts.
    if (dirty_.contains(id)) continue;
    if (absl::Status status = Bring(id, entries_.at(id), Removals::kNow, stats); !status.ok()) {
      failures.Add(std::move(status));
      waiting_.erase(id);
      dirty_.insert(id);
    }
  }
  DestroyDoomed(stats, failures);
  FELIX_RETURN_IF_ERROR(failures.status());
  return stats;
}

void Registry::DestroyDoomed(ApplyStats& stats, Failures& failures) {
  const auto deadline = std::chrono::steady_clock::now() + options_.destroy_budget;
  bool first = true;
  const std::vector<std::string> names(doomed_.begin(), doomed_.end());
  for (const std::string& name : names) {
    if (!first && std::chrono::steady_clock::now() >= deadline) return;
    first = false;
    ++stats.kernel_calls;
    const std::array<Operation, 1> operations = {DestroySet{name}};
    absl::Status status = kernel_.Execute(operations);
    doomed_.erase(name);
    if (status.ok() || absl::IsNotFound(status)) {
      stats.sets_destroyed += status.ok();
      present_.erase(name);
      holders_.erase(name);
      continue;
    }
    ++stats.destroys_refused;
    if (!absl::IsFailedPrecondition(status)) failures.Add(std::move(status));
  }
}

absl::StatusOr<std::vector<std::string>> Registry::DryRun() {
  ApplyStats unused;
  if (!listed_) FELIX_RETURN_IF_ERROR(List(unused));
  std::vector<std::string> lines;
  absl::btree_set<std::string> ids = dirty_;
  ids.insert(waiting_.begin(), waiting_.end());
  for (const std::string& id : ids) {
    const auto plan = PlanEntry(id, entries_.at(id), Removals::kNow, unused);
    if (!plan.ok()) {
      lines.push_back(fmt::format("# {}", ToStd(plan.status().message())));
      continue;
    }
    for (const Operation& operation : plan->operations) {
      for (std::string& line : ToRestoreLines(operation)) lines.push_back(std::move(line));
    }
  }
  for (const std::string& name : doomed_) lines.push_back(fmt::format("destroy {}", name));
  return lines;
}

}  // namespace felix::ipset
