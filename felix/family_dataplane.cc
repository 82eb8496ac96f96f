// SPDX-License-Identifier: Apache-2.0
#include "felix/family_dataplane.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "ipset/set_name.h"
#include "iptables/left_overs.h"
#include "iptables/transaction.h"
#include "model/base/strings.h"

namespace felix {
namespace {

// The table says which it is, and so do we.
absl::Status WithoutName(const absl::Status& status, model::IpFamily family, ir::Table table) {
  std::string_view message = ToStd(status.message());
  const std::string name = fmt::format("{} table {}: ", FamilyName(family), ir::TableName(table));
  if (message.starts_with(name)) message.remove_prefix(name.size());
  return {status.code(), ToAbsl(message)};
}

template <typename Map>
void InsertTables(const Map& keyed, model::IpFamily family, absl::btree_set<ir::Table>& tables) {
  for (const auto& [key, value] : keyed) {
    if (key.family == family) tables.insert(key.table);
  }
}

void Count(const ipset::ApplyStats& stats, ApplyReport& report) {
  report.sets_created += stats.sets_created;
  report.sets_destroyed += stats.sets_destroyed;
  report.sets_swapped += stats.sets_swapped;
  report.members_added += stats.members_added;
  report.members_removed += stats.members_removed;
  report.destroys_refused += stats.destroys_refused;
}

void Count(const iptables::ApplyStats& stats, ApplyReport& report) {
  report.commits += static_cast<std::uint64_t>(stats.commits);
  report.rules_written += stats.rules_written;
  report.rules_deleted += stats.rules_deleted;
  report.chains_created += stats.chains_created;
  report.chains_deleted += stats.chains_deleted;
}

}  // namespace

std::string_view FamilyName(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? "ipv4" : "ipv6";
}

FamilyDataplane::FamilyDataplane(model::IpFamily family, const Clock& clock, HostKernel& kernel,
                                 const ipset::RegistryOptions& sets,
                                 iptables::HookPlacement placement)
    : family_(family),
      clock_(clock),
      kernel_(kernel),
      placement_(placement),
      sets_(family, kernel.sets(), sets),
      maps_(family, kernel.sets(), {.max_set_size = sets.max_set_size}) {
  KeepTable(ir::Table::kFilter);
}

void FamilyDataplane::KeepTable(ir::Table table) {
  if (tables_.contains(table)) return;
  KeptTable kept;
  kept.kernel = kernel_.MakeTable(family_, table);
  const auto index_of = [this](const ir::SetKey& key) -> absl::StatusOr<std::uint16_t> {
    if (failed_sets_.contains(key)) {
      return absl::CancelledError(fmt::format("waits for set {}", ipset::KernelSetName(key)));
    }
    return kernel_.SetIndex(ipset::KernelSetName(key));
  };
  kept.table =
      std::make_unique<iptables::Table>(family_, table, *kept.kernel, index_of, placement_);
  if (table == ir::Table::kNat) {
    kept.table->SetLeftOverRules([this](const iptables::EncodedRule& rule) {
      if (rule.target != "MASQUERADE") return false;
      const auto set = kernel_.SetIndex(std::string(iptables::kOldMasqueradeSet));
      return iptables::IsOldMasquerade(rule, family_,
                                       set.ok() ? std::optional(*set) : std::nullopt);
    });
  }
  tables_.emplace(table, std::move(kept));
}

void FamilyDataplane::Stage(const ir::DesiredDelta& delta) {
  absl::btree_set<ir::Table> tables;
  InsertTables(delta.chains, family_, tables);
  InsertTables(delta.hooks, family_, tables);
  for (const ir::Table table : tables) KeepTable(table);
  StageMove(delta);
  sets_.Stage(delta);
  maps_.Stage(delta);
  for (auto& [name, kept] : tables_) kept.table->Stage(delta);
}

void FamilyDataplane::StageMove(const ir::DesiredDelta& delta) {
  const ir::HookKey judge{.family = family_,
                          .table = ir::Table::kMangle,
                          .base = ir::BaseChain::kForward,
                          .position = ir::HookPosition::kFirst};
  if (delta.hooks.contains(judge) && !judges_in_mangle_) {
    judges_in_mangle_ = true;
    move_ = Move::kToMangle;
  } else if (delta.removed_hooks.contains(judge)) {
    judges_in_mangle_ = false;
    move_ = Move::kToFilter;
  }
}

void FamilyDataplane::Rebuild(iptables::HookPlacement placement,
                              const ir::DesiredDelta& everything) {
  placement_ = placement;
  absl::btree_set<ir::Table> tables;
  for (const auto& [name, kept] : tables_) tables.insert(name);
  tables_.clear();
  for (const ir::Table table : tables) {
    KeepTable(table);
    tables_.at(table).table->Stage(everything);
  }
}

void FamilyDataplane::ResyncTables() {
  for (auto& [name, kept] : tables_) {
    kept.table->Resync();
    kept.table->RetryClosed();
  }
}

void FamilyDataplane::ResyncTable(ir::Table table) {
  const auto kept = tables_.find(table);
  if (kept != tables_.end()) kept->second.table->Resync();
}

void FamilyDataplane::ResyncSets() {
  sets_.Resync();
  maps_.Resync();
}

void FamilyDataplane::RemoveEverything() {
  sets_.RemoveEverything();
  maps_.RemoveEverything();
  for (auto& [name, kept] : tables_) kept.table->RemoveEverything();
}

bool FamilyDataplane::dirty() const {
  return sets_.dirty() || maps_.dirty() ||
         std::any_of(tables_.begin(), tables_.end(),
                     [](const auto& entry) { return entry.second.table->dirty(); });
}

absl::Status FamilyDataplane::DryRun(std::vector<std::string>& lines) {
  for (auto& [name, kept] : tables_) {
    absl::StatusOr<iptables::Transaction> plan = kept.table->DryRun();
    if (!plan.ok()) return plan.status();
    const std::string printed = iptables::Print(*plan, family_);
    for (const absl::string_view line : absl::StrSplit(printed, '\n', absl::SkipEmpty())) {
      lines.push_back(
          fmt::format("{} {}: {}", FamilyName(family_), ir::TableName(name), ToStd(line)));
    }
  }
  for (const absl::StatusOr<std::vector<std::string>>& plan : {sets_.DryRun(), maps_.DryRun()}) {
    if (!plan.ok()) return plan.status();
    for (const std::string& line : *plan) {
      lines.push_back(fmt::format("{} set: {}", FamilyName(family_), line));
    }
  }
  return absl::OkStatus();
}

void FamilyDataplane::Apply(ApplyReport& report) {
  const Clock::TimePoint start = clock_.Now();
  failed_sets_.clear();
  ApplyLeaving(report);
  ApplyUpserts(report);
  const Clock::TimePoint sets_ready = clock_.Now();
  // There is more than one apply should take; rules come when all their sets are there.
  if (sets_.upserts_pending()) {
    report.unfinished = true;
    report.sets_time += sets_ready - start;
    return;
  }
  const bool tables_are_good = ApplyTables(report);
  const Clock::TimePoint tables_ready = clock_.Now();
  ReportClosed(report);
  ApplyArriving(report);
  // A set must not lose what rules that are still there expect of it.
  if (tables_are_good) ApplyRemovals(report);
  report.tables_time += tables_ready - sets_ready;
  report.sets_time += (sets_ready - start) + (clock_.Now() - tables_ready);
}

void FamilyDataplane::ApplyUpserts(ApplyReport& report) {
  const bool tables_change = std::any_of(tables_.begin(), tables_.end(),
                                         [](const auto& t) { return t.second.table->dirty(); });
  if (!sets_.dirty()) return;
  const absl::StatusOr<ipset::ApplyStats> stats = sets_.ApplyUpserts(tables_change);
  // Rules wait for a set that failed; for one that cannot be had they would wait for ever.
  for (const ir::SetKey& key : sets_.failed_sets()) {
    if (!sets_.quarantined().contains(key.id)) failed_sets_.insert(key);
  }
  CloseForQuarantinedSets();
  if (!stats.ok()) {
    report.failures.push_back(
        {fmt::format("write the {} sets", FamilyName(family_)), stats.status()});
    if (absl::IsPermissionDenied(stats.status()) || absl::IsUnavailable(stats.status())) {
      ++report.hard_failures;
    }
    return;
  }
  Count(*stats, report);
  // A set that was made again has another number, which the rules that name it must learn.
  if (stats->sets_created == 0) return;
  for (auto& [name, kept] : tables_) kept.table->Recheck();
}

bool FamilyDataplane::ApplyTables(ApplyReport& report) {
  bool all_good = true;
  const auto apply = [&](ir::Table name) {
    const auto kept = tables_.find(name);
    if (kept == tables_.end()) return true;
    const bool good = ApplyTable(name, kept->second, report) && !kept->second.table->dirty();
    all_good = all_good && good;
    return good;
  };
  // While judging moves from one table to the other, the new one judges before the old one stops.
  const Move move = move_;
  const ir::Table first = move == Move::kToMangle ? ir::Table::kMangle : ir::Table::kFilter;
  const ir::Table second = move == Move::kToMangle ? ir::Table::kFilter : ir::Table::kMangle;
  bool moved = true;
  if (move != Move::kNone) {
    if (!apply(first)) {
      moved = false;
    } else {
      moved = apply(second);
    }
  }
  std::vector<ir::Table> names;
  for (const auto& [name, kept] : tables_) names.push_back(name);
  for (const ir::Table name : names) {
    if (move == Move::kNone || (name != first && name != second)) apply(name);
  }
  if (moved) move_ = Move::kNone;
  return all_good;
}

bool FamilyDataplane::ApplyTable(ir::Table name, KeptTable& kept, ApplyReport& report) {
  // A set cannot go while a chain names it, be it one that nobody reaches.
  if (sets_.removals_pending() && kept.table->has_left_overs()) kept.table->Recheck();
  if (!kept.table->dirty()) return true;
  const absl::StatusOr<iptables::ApplyStats> stats = kept.table->Apply();
  if (stats.ok()) {
    ++report.tables_applied;
    Count(*stats, report);
    for (const std::string& line : stats->drift) {
      report.drift.push_back(
          fmt::format("{} {}: {}", FamilyName(family_), ir::TableName(name), line));
    }
    if (!kept.table->dirty()) return true;
    // Chains are closed for a set that is not there: find out what holds of sets, and try again.
    ResyncSets();
    report.failures.push_back({fmt::format("write all chains of the {} {} table",
                                           FamilyName(family_), ir::TableName(name)),
                               absl::NotFoundError("a set is missing")});
    return true;
  }
  if (absl::IsCancelled(stats.status())) {
    ++report.waiting;
    return false;
  }
  // A set that was there is not: somebody else removed it, so nothing known of sets holds.
  if (absl::IsNotFound(stats.status())) ResyncSets();
  report.failures.push_back(
      {fmt::format("write the {} {} table", FamilyName(family_), ir::TableName(name)),
       WithoutName(stats.status(), family_, name)});
  if (absl::IsUnavailable(stats.status())) {
    ++report.locked_out;
  } else if (family_ == model::IpFamily::kV4 || !absl::IsFailedPrecondition(stats.status())) {
    // A host whose kernel knows no IPv6 filter has nothing to be given up for.
    ++report.hard_failures;
  }
  return false;
}

void FamilyDataplane::ApplyLeaving(ApplyReport& report) {
  if (!maps_.has_leaving()) return;
  const absl::StatusOr<ipset::ApplyStats> stats = maps_.ApplyLeaving();
  for (const ir::SetKey& key : maps_.failed_maps()) failed_sets_.insert(key);
  if (!stats.ok()) {
    ReportMapFailure("take containers out of", stats.status(), report);
    return;
  }
  Count(*stats, report);
  if (stats->sets_created == 0) return;
  for (auto& [name, kept] : tables_) kept.table->Recheck();
}

void FamilyDataplane::ApplyArriving(ApplyReport& report) {
  if (!maps_.has_arriving()) return;
  // The mark of an element may lead to rules that are not there yet.
  const auto mangle = tables_.find(ir::Table::kMangle);
  if (mangle != tables_.end() && mangle->second.table->dirty()) return;
  const absl::StatusOr<ipset::ApplyStats> stats = maps_.ApplyArriving();
  if (!stats.ok()) {
    ReportMapFailure("put containers into", stats.status(), report);
    return;
  }
  Count(*stats, report);
}

void FamilyDataplane::ReportMapFailure(std::string_view act, const absl::Status& status,
                                       ApplyReport& report) const {
  report.failures.push_back(
      {fmt::format("{} the {} maps of endpoints", act, FamilyName(family_)), status});
  if (absl::IsPermissionDenied(status) || absl::IsUnavailable(status)) ++report.hard_failures;
}

void FamilyDataplane::ReportClosed(ApplyReport& report) {
  for (const auto& [name, kept] : tables_) {
    const std::string table = fmt::format("{} {}", FamilyName(family_), ir::TableName(name));
    for (const auto& [chain, closed] : kept.table->closed()) {
      report.closed.push_back({.table = table,
                               .chain = chain,
                               .owner = closed.owner,
                               .reason = std::string(closed.reason.message())});
    }
  }
}

void FamilyDataplane::ApplyRemovals(ApplyReport& report) {
  if (!sets_.removals_pending()) return;
  const absl::StatusOr<ipset::ApplyStats> stats = sets_.ApplyRemovals();
  if (!stats.ok()) {
    report.failures.push_back(
        {fmt::format("clear the {} sets", FamilyName(family_)), stats.status()});
    return;
  }
  Count(*stats, report);
  report.unfinished = report.unfinished || sets_.removals_pending();
}

void FamilyDataplane::CloseForQuarantinedSets() {
  absl::btree_map<std::string, std::string> reasons;
  for (const auto& [id, status] : sets_.quarantined()) {
    reasons.emplace(id, std::string(status.message()));
  }
  for (auto& [name, kept] : tables_) kept.table->SetUnusableSets(reasons);
}

void FamilyDataplane::Verify(ApplyReport& report) {
  const absl::StatusOr<ipset::ApplyStats> stats = sets_.Verify();
  if (!stats.ok()) {
    report.failures.push_back(
        {fmt::format("compare the {} sets", FamilyName(family_)), stats.status()});
    return;
  }
  Count(*stats, report);
}

void FamilyDataplane::TakeDamage(ApplyReport& report) {
  for (std::vector<std::string> damages : {sets_.TakeDamage(), maps_.TakeDamage()}) {
    for (std::string& damage : damages) report.damage.push_back(std::move(damage));
  }
}

}  // namespace felix
