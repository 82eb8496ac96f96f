// SPDX-License-Identifier: Apache-2.0
#include "felix/dataplane.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "fmt/format.h"

#include "model/base/status_macros.h"

namespace felix {

Dataplane::Dataplane(const Clock& clock, HostKernel& kernel, const DataplaneOptions& options)
    : clock_(clock), kernel_(kernel), options_(options) {
  for (const model::IpFamily family : model::kIpFamilies) {
    families_.push_back(
        std::make_unique<FamilyDataplane>(family, clock, kernel, options.sets, options.placement));
  }
}

Dataplane::~Dataplane() = default;

bool Dataplane::IsOn(const FamilyDataplane& family) const {
  return options_.ipv6_support || family.family() == model::IpFamily::kV4;
}

void Dataplane::KeepPresentTables() {
  look_for_tables_ = false;
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    if (!IsOn(*family)) continue;
    const std::vector<ir::Table> present = kernel_.PresentTables(family->family());
    for (const ir::Table table : present) family->KeepTable(table);
    if (only_present_tables_ &&
        std::find(present.begin(), present.end(), ir::Table::kFilter) == present.end()) {
      family->ForgetTable(ir::Table::kFilter);
    }
  }
}

void Dataplane::Stage(const ir::DesiredDelta& delta) {
  departures_.Stage(delta);
  for (const std::unique_ptr<FamilyDataplane>& family : families_) family->Stage(delta);
}

void Dataplane::SetOptions(const DataplaneOptions& options, const ir::DesiredState& desired) {
  const bool rebuild = options.placement != options_.placement;
  look_for_tables_ = true;
  options_.ipv6_support = options.ipv6_support;
  options_.placement = options.placement;
  options_.sets.max_set_size = options.sets.max_set_size;
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    family->SetMaxSetSize(options.sets.max_set_size);
  }
  if (!rebuild) return;
  // A table cannot change where its hooks go; another one over the same state can.
  const ir::DesiredDelta everything = ir::Diff({}, desired);
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    family->Rebuild(options.placement, everything);
  }
}

void Dataplane::ResyncTables() {
  look_for_tables_ = true;
  for (const std::unique_ptr<FamilyDataplane>& family : families_) family->ResyncTables();
}

void Dataplane::ResyncTable(const TableId& table) {
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    if (family->family() == table.family) family->ResyncTable(table.table);
  }
}

void Dataplane::ResyncSets() {
  for (const std::unique_ptr<FamilyDataplane>& family : families_) family->ResyncSets();
}

void Dataplane::RemoveEverything() {
  only_present_tables_ = true;
  options_.ipv6_support = true;
  KeepPresentTables();
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    family->RemoveEverything();
  }
}

bool Dataplane::dirty() const {
  return std::any_of(families_.begin(), families_.end(),
                     [this](const auto& family) { return IsOn(*family) && family->dirty(); });
}

absl::StatusOr<std::vector<std::string>> Dataplane::DryRun() {
  if (look_for_tables_) KeepPresentTables();
  std::vector<std::string> lines;
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    if (IsOn(*family)) FELIX_RETURN_IF_ERROR(family->DryRun(lines));
  }
  return lines;
}

ApplyReport Dataplane::Apply() {
  if (look_for_tables_) KeepPresentTables();
  ApplyReport report;
  ForgetFlows(report);
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    if (IsOn(*family)) family->Apply(report);
  }
  // One after the other, since the kernel's sets are read in portions for one of them at a time.
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    if (!IsOn(*family) || !family->verify_pending()) continue;
    family->Verify(report);
    break;
  }
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    if (IsOn(*family) && family->verify_pending()) report.unfinished = true;
  }
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    family->TakeDamage(report);
  }
  return report;
}

bool Dataplane::FlowsCanWait(ApplyReport& report) {
  const bool returned = departures_.TakeReturns();
  if (departures_.empty()) return true;
  const Clock::TimePoint now = clock_.Now();
  if (!flows_due_) flows_due_ = now + kFlowsPause;
  const bool elements_tell =
      std::all_of(families_.begin(), families_.end(),
                  [this](const auto& family) { return !IsOn(*family) || family->elements_tell(); });
  if (elements_tell && !returned && now < *flows_due_) {
    report.due_in = *flows_due_ - now;
    return true;
  }
  flows_due_.reset();
  return false;
}

void Dataplane::ForgetFlows(ApplyReport& report) {
  if (FlowsCanWait(report)) return;
  for (const std::unique_ptr<FamilyDataplane>& family : families_) {
    const absl::btree_set<model::IpAddress> addresses = departures_.Of(family->family());
    if (addresses.empty()) continue;
    if (IsOn(*family)) {
      const auto removed = kernel_.ForgetFlows(family->family(), addresses);
      if (!removed.ok()) {
        // Holding back the rules would leave more open than these connections do.
        report.failures.push_back({fmt::format("end the {} connections of addresses that left",
                                               FamilyName(family->family())),
                                   removed.status()});
        continue;
      }
      report.flows_removed += *removed;
    }
    departures_.Forget(addresses);
  }
}

}  // namespace felix
