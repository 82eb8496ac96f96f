// SPDX-License-Identifier: Apache-2.0
#include "felix/dataplane.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "ipset/set_name.h"
#include "iptables/left_overs.h"
#include "iptables/transaction.h"
#include "model/base/strings.h"

namespace felix {
namespace {

std::string_view FamilyName(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? "ipv4" : "ipv6";
}

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

struct Dataplane::KeptTable {
  std::unique_ptr<iptables::KernelTable> kernel;
  std::unique_ptr<iptables::Table> table;
};

struct Dataplane::Family {
  Family(model::IpFamily f, HostKernel& kernel, const ipset::RegistryOptions& options)
      : family(f), sets(f, kernel.sets(), options) {}

  model::IpFamily family;
  ipset::Registry sets;
  absl::btree_set<ir::SetKey> failed_sets;
  absl::btree_map<ir::Table, KeptTable> tables;
};

Dataplane::Dataplane(const Clock& clock, HostKernel& kernel, const DataplaneOptions& options)
    : clock_(clock), kernel_(kernel), options_(options) {
  for (const model::IpFamily family : model::kIpFamilies) {
    families_.push_back(std::make_unique<Family>(family, kernel, options.sets));
    KeepTable(*families_.back(), ir::Table::kFilter);
  }
}

Dataplane::~Dataplane() = default;

bool Dataplane::IsOn(const Family& family) const {
  return options_.ipv6_support || family.family == model::IpFamily::kV4;
}

void Dataplane::KeepTable(Family& family, ir::Table table) {
  if (family.tables.contains(table)) return;
  KeptTable kept;
  kept.kernel = kernel_.MakeTable(family.family, table);
  const auto index_of = [this, &family](const ir::SetKey& key) -> absl::StatusOr<std::uint16_t> {
    if (family.failed_sets.contains(key)) {
      return absl::CancelledError(fmt::format("waits for set {}", ipset::KernelSetName(key)));
    }
    return kernel_.SetIndex(ipset::KernelSetName(key));
  };
  kept.table = std::make_unique<iptables::Table>(family.family, table, *kept.kernel, index_of,
                                                 options_.placement);
  if (table == ir::Table::kNat) {
    kept.table->SetLeftOverRules([this, &family](const iptables::EncodedRule& rule) {
      if (rule.target != "MASQUERADE") return false;
      const auto set = kernel_.SetIndex(std::string(iptables::kOldMasqueradeSet));
      return iptables::IsOldMasquerade(rule, family.family,
                                       set.ok() ? std::optional(*set) : std::nullopt);
    });
  }
  family.tables.emplace(table, std::move(kept));
}

void Dataplane::KeepPresentTables() {
  look_for_tables_ = false;
  for (const std::unique_ptr<Family>& family : families_) {
    if (!IsOn(*family)) continue;
    const std::vector<ir::Table> present = kernel_.PresentTables(family->family);
    for (const ir::Table table : present) KeepTable(*family, table);
    if (only_present_tables_ &&
        std::find(present.begin(), present.end(), ir::Table::kFilter) == present.end()) {
      family->tables.erase(ir::Table::kFilter);
    }
  }
}

void Dataplane::Stage(const ir::DesiredDelta& delta) {
  departures_.Stage(delta);
  for (const std::unique_ptr<Family>& family : families_) {
    absl::btree_set<ir::Table> tables;
    InsertTables(delta.chains, family->family, tables);
    InsertTables(delta.hooks, family->family, tables);
    for (const ir::Table table : tables) KeepTable(*family, table);
    family->sets.Stage(delta);
    for (auto& [name, kept] : family->tables) kept.table->Stage(delta);
  }
}

void Dataplane::SetOptions(const DataplaneOptions& options, const ir::DesiredState& desired) {
  const bool rebuild = options.placement != options_.placement;
  look_for_tables_ = true;
  options_.ipv6_support = options.ipv6_support;
  options_.placement = options.placement;
  options_.sets.max_set_size = options.sets.max_set_size;
  for (const std::unique_ptr<Family>& family : families_) {
    family->sets.SetMaxSetSize(options.sets.max_set_size);
  }
  if (!rebuild) return;
  // A table cannot change where its hooks go; another one over the same state can.
  ir::DesiredDelta everything = ir::Diff({}, desired);
  for (const std::unique_ptr<Family>& family : families_) {
    absl::btree_set<ir::Table> tables;
    for (const auto& [name, kept] : family->tables) tables.insert(name);
    family->tables.clear();
    for (const ir::Table table : tables) {
      KeepTable(*family, table);
      family->tables.at(table).table->Stage(everything);
    }
  }
}

void Dataplane::CloseForQuarantinedSets(Family& family) {
  absl::btree_map<std::string, std::string> reasons;
  for (const auto& [id, status] : family.sets.quarantined()) {
    reasons.emplace(id, std::string(status.message()));
  }
  for (auto& [name, kept] : family.tables) kept.table->SetUnusableSets(reasons);
}

void Dataplane::ResyncTables() {
  look_for_tables_ = true;
  for (const std::unique_ptr<Family>& family : families_) {
    for (auto& [name, kept] : family->tables) {
      kept.table->Resync();
      kept.table->RetryClosed();
    }
  }
}

void Dataplane::ResyncTable(const TableId& table) {
  for (const std::unique_ptr<Family>& family : families_) {
    if (family->family != table.family) continue;
    const auto kept = family->tables.find(table.table);
    if (kept != family->tables.end()) kept->second.table->Resync();
  }
}

void Dataplane::ResyncSets() {
  for (const std::unique_ptr<Family>& family : families_) family->sets.Resync();
}

void Dataplane::RemoveEverything() {
  only_present_tables_ = true;
  options_.ipv6_support = true;
  KeepPresentTables();
  for (const std::unique_ptr<Family>& family : families_) {
    family->sets.RemoveEverything();
    for (auto& [name, kept] : family->tables) kept.table->RemoveEverything();
  }
}

bool Dataplane::dirty() const {
  for (const std::unique_ptr<Family>& family : families_) {
    if (!IsOn(*family)) continue;
    if (family->sets.dirty()) return true;
    for (const auto& [name, kept] : family->tables) {
      if (kept.table->dirty()) return true;
    }
  }
  return false;
}

absl::StatusOr<std::vector<std::string>> Dataplane::DryRun() {
  if (look_for_tables_) KeepPresentTables();
  std::vector<std::string> lines;
  for (const std::unique_ptr<Family>& family : families_) {
    if (!IsOn(*family)) continue;
    for (auto& [name, kept] : family->tables) {
      absl::StatusOr<iptables::Transaction> plan = kept.table->DryRun();
      if (!plan.ok()) return plan.status();
      const std::string printed = iptables::Print(*plan, family->family);
      for (const absl::string_view line : absl::StrSplit(printed, '\n', absl::SkipEmpty())) {
        lines.push_back(
            fmt::format("{} {}: {}", FamilyName(family->family), ir::TableName(name), ToStd(line)));
      }
    }
    absl::StatusOr<std::vector<std::string>> plan = family->sets.DryRun();
    if (!plan.ok()) return plan.status();
    for (const std::string& line : *plan) {
      lines.push_back(fmt::format("{} set: {}", FamilyName(family->family), line));
    }
  }
  return lines;
}

ApplyReport Dataplane::Apply() {
  if (look_for_tables_) KeepPresentTables();
  ApplyReport report;
  ForgetFlows(report);
  for (const std::unique_ptr<Family>& family : families_) {
    if (IsOn(*family)) ApplyFamily(*family, report);
  }
  // One after the other, since the kernel's sets are read in portions for one of them at a time.
  for (const std::unique_ptr<Family>& family : families_) {
    if (!IsOn(*family) || !family->sets.verify_pending()) continue;
    VerifySets(*family, report);
    break;
  }
  for (const std::unique_ptr<Family>& family : families_) {
    if (IsOn(*family) && family->sets.verify_pending()) report.unfinished = true;
  }
  for (const std::unique_ptr<Family>& family : families_) {
    for (std::string& damage : family->sets.TakeDamage()) {
      report.damage.push_back(std::move(damage));
    }
  }
  return report;
}

void Dataplane::ForgetFlows(ApplyReport& report) {
  for (const std::unique_ptr<Family>& family : families_) {
    const absl::btree_set<model::IpAddress> addresses = departures_.Of(family->family);
    if (addresses.empty()) continue;
    if (IsOn(*family)) {
      const auto removed = kernel_.ForgetFlows(family->family, addresses);
      if (!removed.ok()) {
        // Holding back the rules would leave more open than these connections do.
        report.failures.push_back({fmt::format("end the {} connections of addresses that left",
                                               FamilyName(family->family)),
                                   removed.status()});
        continue;
      }
      report.flows_removed += *removed;
    }
    departures_.Forget(addresses);
  }
}

void Dataplane::ApplyFamily(Family& family, ApplyReport& report) {
  const Clock::TimePoint start = clock_.Now();
  ApplyUpserts(family, report);
  const Clock::TimePoint sets_ready = clock_.Now();
  // There is more than one apply should take; rules come when all their sets are there.
  if (family.sets.upserts_pending()) {
    report.unfinished = true;
    report.sets_time += sets_ready - start;
    return;
  }
  const bool tables_are_good = ApplyTables(family, report);
  const Clock::TimePoint tables_ready = clock_.Now();
  ReportClosed(family, report);
  // A set must not lose what rules that are still there expect of it.
  if (tables_are_good) ApplyRemovals(family, report);
  report.tables_time += tables_ready - sets_ready;
  report.sets_time += (sets_ready - start) + (clock_.Now() - tables_ready);
}

void Dataplane::ApplyUpserts(Family& family, ApplyReport& report) {
  const bool tables_change = std::any_of(family.tables.begin(), family.tables.end(),
                                         [](const auto& t) { return t.second.table->dirty(); });
  family.failed_sets.clear();
  if (!family.sets.dirty()) return;
  const absl::StatusOr<ipset::ApplyStats> stats = family.sets.ApplyUpserts(tables_change);
  // Rules wait for a set that failed; for one that cannot be had they would wait for ever.
  for (const ir::SetKey& key : family.sets.failed_sets()) {
    if (!family.sets.quarantined().contains(key.id)) family.failed_sets.insert(key);
  }
  CloseForQuarantinedSets(family);
  if (!stats.ok()) {
    report.failures.push_back(
        {fmt::format("write the {} sets", FamilyName(family.family)), stats.status()});
    if (absl::IsPermissionDenied(stats.status()) || absl::IsUnavailable(stats.status())) {
      ++report.hard_failures;
    }
    return;
  }
  Count(*stats, report);
  // A set that was made again has another number, which the rules that name it must learn.
  if (stats->sets_created == 0) return;
  for (auto& [name, kept] : family.tables) kept.table->Recheck();
}

bool Dataplane::ApplyTables(Family& family, ApplyReport& report) {
  bool all_good = true;
  const bool sets_must_go = family.sets.removals_pending();
  for (auto& [name, kept] : family.tables) {
    // A set cannot go while a chain names it, be it one that nobody reaches.
    if (sets_must_go && kept.table->has_left_overs()) kept.table->Recheck();
    if (!kept.table->dirty()) continue;
    const absl::StatusOr<iptables::ApplyStats> stats = kept.table->Apply();
    if (stats.ok()) {
      ++report.tables_applied;
      Count(*stats, report);
      for (const std::string& line : stats->drift) {
        report.drift.push_back(
            fmt::format("{} {}: {}", FamilyName(family.family), ir::TableName(name), line));
      }
      if (!kept.table->dirty()) continue;
      // Chains are closed for a set that is not there: find out what holds of sets, and try again.
      family.sets.Resync();
      report.failures.push_back({fmt::format("write all chains of the {} {} table",
                                             FamilyName(family.family), ir::TableName(name)),
                                 absl::NotFoundError("a set is missing")});
      continue;
    }
    all_good = false;
    if (absl::IsCancelled(stats.status())) {
      ++report.waiting;
      continue;
    }
    // A set that was there is not: somebody else removed it, so nothing known of sets holds.
    if (absl::IsNotFound(stats.status())) family.sets.Resync();
    report.failures.push_back(
        {fmt::format("write the {} {} table", FamilyName(family.family), ir::TableName(name)),
         WithoutName(stats.status(), family.family, name)});
    if (absl::IsUnavailable(stats.status())) {
      ++report.locked_out;
    } else if (family.family == model::IpFamily::kV4 ||
               !absl::IsFailedPrecondition(stats.status())) {
      // A host whose kernel knows no IPv6 filter has nothing to be given up for.
      ++report.hard_failures;
    }
  }
  return all_good;
}

void Dataplane::ReportClosed(Family& family, ApplyReport& report) {
  for (const auto& [name, kept] : family.tables) {
    const std::string table = fmt::format("{} {}", FamilyName(family.family), ir::TableName(name));
    for (const auto& [chain, closed] : kept.table->closed()) {
      report.closed.push_back({.table = table,
                               .chain = chain,
                               .owner = closed.owner,
                               .reason = std::string(closed.reason.message())});
    }
  }
}

void Dataplane::ApplyRemovals(Family& family, ApplyReport& report) {
  if (!family.sets.removals_pending()) return;
  const absl::StatusOr<ipset::ApplyStats> stats = family.sets.ApplyRemovals();
  if (!stats.ok()) {
    report.failures.push_back(
        {fmt::format("clear the {} sets", FamilyName(family.family)), stats.status()});
    return;
  }
  Count(*stats, report);
  report.unfinished = report.unfinished || family.sets.removals_pending();
}

void Dataplane::VerifySets(Family& family, ApplyReport& report) {
  const absl::StatusOr<ipset::ApplyStats> stats = family.sets.Verify();
  if (!stats.ok()) {
    report.failures.push_back(
        {fmt::format("compare the {} sets", FamilyName(family.family)), stats.status()});
    return;
  }
  Count(*stats, report);
}

}  // namespace felix
