// SPDX-License-Identifier: Apache-2.0
#include "iptables/table.h"

#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "fmt/format.h"

#include "iptables/drift.h"
#include "model/base/overloaded.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::iptables {
namespace {

void Count(const Transaction& transaction, const TableContent& before, ApplyStats& stats) {
  absl::flat_hash_map<absl::string_view, std::size_t> sizes;
  const auto size_of = [&](const std::string& name) {
    if (sizes.empty()) {
      for (const KernelChain& chain : before.chains) {
        sizes[ToAbsl(chain.name)] = chain.rules.size();
      }
    }
    return sizes[ToAbsl(name)];
  };
  for (const Operation& operation : transaction.operations) {
    std::visit(
        Overloaded{[&](const CreateChain&) { ++stats.chains_created; },
                   [&](const InsertRule&) { ++stats.rules_written; },
                   [&](const ReplaceRule&) { ++stats.rules_written; },
                   [&](const DeleteRule&) { ++stats.rules_deleted; },
                   // Only left-over chains are flushed, and nothing else is done to them before.
                   [&](const FlushChain& op) { stats.rules_deleted += size_of(op.chain); },
                   [&](const DeleteChain&) { ++stats.chains_deleted; }},
        operation);
  }
}

}  // namespace

Table::Table(model::IpFamily family, ir::Table table, KernelTable& kernel,
             SetIndexResolver index_of, HookPlacement placement, Retry retry)
    : family_(family),
      table_(table),
      kernel_(kernel),
      index_of_(std::move(index_of)),
      placement_(placement),
      retry_(retry),
      desired_(family, table) {}

void Table::Stage(const ir::DesiredDelta& delta) {
  switch (desired_.Stage(delta)) {
    case DesiredEncoder::Change::kNone:
      return;
    case DesiredEncoder::Change::kOnlyRemovals:
      has_left_overs_ = true;
      return;
    case DesiredEncoder::Change::kContent:
      StageIf(true);
      return;
  }
}

void Table::StageIf(bool changed) {
  staged_ = staged_ || changed;
  dirty_ = dirty_ || changed;
}

void Table::RemoveEverything() {
  desired_.Clear();
  StageIf(true);
}

void Table::SetUnusableSets(absl::btree_map<std::string, std::string> reasons) {
  StageIf(desired_.SetUnusableSets(std::move(reasons)));
}

absl::StatusOr<ApplyStats> Table::Apply() {
  ApplyStats stats;
  stats.rules_desired = desired_.rule_count();
  if (!dirty_) return stats;
  const auto start = std::chrono::steady_clock::now();
  if (const auto encoded = desired_.Encode(index_of_); !encoded.ok()) return Named(encoded);
  const Attempt attempt = Write({}, stats);
  const absl::Status status =
      attempt.refused ? WriteAllButCulprits(attempt, stats) : attempt.status;
  if (!status.ok()) return Named(status);
  dirty_ = !desired_.complete();
  must_read_ = false;
  has_left_overs_ = false;
  staged_ = false;
  stats.duration = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);
  return stats;
}

Attempt Table::Write(const Target& target, ApplyStats& stats) {
  auto pause = retry_.first_pause;
  Attempt attempt = WriteOnce(target, stats);
  for (int tried = 1; absl::IsAborted(attempt.status) && tried < retry_.attempts; ++tried) {
    ++stats.retries;
    std::this_thread::sleep_for(pause);
    pause *= 2;
    attempt = WriteOnce(target, stats);
  }
  return attempt;
}

absl::StatusOr<std::unique_ptr<TableSession>> Table::OpenFor(const Target& target) {
  if (target || revision_ == 0) return kernel_.Open();
  const absl::btree_set<std::string> named = NamedBy(desired_.touched(), desired_.encoded());
  return kernel_.OpenKnown({.revision = revision_,
                            .chains = desired_.touched(),
                            .named = named,
                            .must_read = must_read_});
}

absl::StatusOr<Transaction> Table::PlanFor(const Target& target,
                                           const TableSession& session) const {
  const TableContent& actual = session.content();
  if (target) return Plan(actual, target(actual), placement_, is_left_over_);
  if (!session.is_excerpt()) return Plan(actual, desired_.encoded(), placement_, is_left_over_);
  return PlanChains(desired_.touched(), actual, desired_.encoded(), placement_, is_left_over_);
}

Attempt Table::WriteOnce(const Target& target, ApplyStats& stats) {
  auto session = OpenFor(target);
  if (!session.ok()) return {.status = session.status(), .refused = false};
  const TableContent& actual = (*session)->content();
  const auto transaction = PlanFor(target, **session);
  absl::Status status = transaction.status();
  if (status.ok() && !transaction->empty()) {
    status = (*session)->Commit(*transaction);
    if (status.ok()) {
      ++stats.commits;
      Count(*transaction, actual, stats);
      if (!staged_ && !has_left_overs_) stats.drift = DescribeDrift(*transaction, actual);
    }
  }
  revision_ = 0;
  if (status.ok()) {
    // What a target leaves out is not there.
    if (target) return {};
    revision_ = (*session)->revision();
    desired_.ForgetTouched();
    return {};
  }
  if ((*session)->is_excerpt()) {
    session->reset();
    return WriteOnce(target, stats);
  }
  const bool is_refusal =
      !absl::IsAborted(status) && !absl::IsPermissionDenied(status) && !absl::IsUnavailable(status);
  if (is_refusal && !target) {
    suspects_ = Suspects(actual, desired_.encoded(), [this](const std::string& chain) {
      return IsClosable(chain, table_) && !desired_.closed().contains(chain);
    });
  }
  return {.status = std::move(status), .refused = is_refusal};
}

absl::Status Table::WriteAllButCulprits(const Attempt& first, ApplyStats& stats) {
  const EncodedRule drop = DropRule(family_);
  const CulpritSearch::Names suspects = std::move(suspects_);
  const auto write = [&](const CulpritSearch::Names& opened, const std::vector<Culprit>& closed) {
    absl::btree_set<std::string> held_back(suspects.begin(), suspects.end());
    for (const std::string& chain : opened) held_back.erase(chain);
    for (const Culprit& culprit : closed) held_back.erase(culprit.chain);
    const auto target = [&](const TableContent& actual) {
      DesiredTable desired = desired_.encoded();
      for (const Culprit& culprit : closed) desired.chains[culprit.chain] = {drop};
      return HoldBack(actual, std::move(desired), held_back, drop);
    };
    return Write(target, stats);
  };
  CulpritSearch search;
  absl::Status status = search.Run(suspects, first, write);
  for (const Culprit& culprit : search.culprits()) desired_.Close(culprit.chain, culprit.reason);
  return status;
}

absl::StatusOr<Transaction> Table::DryRun() {
  if (const auto encoded = desired_.Encode(index_of_); !encoded.ok()) return Named(encoded);
  const auto session = kernel_.Open();
  if (!session.ok()) return Named(session.status());
  auto transaction = Plan((*session)->content(), desired_.encoded(), placement_, is_left_over_);
  if (!transaction.ok()) return Named(transaction.status());
  return transaction;
}

absl::Status Table::Named(const absl::Status& status) const {
  return absl::Status(
      status.code(),
      ToAbsl(fmt::format("{} table {}: {}", family_ == model::IpFamily::kV4 ? "ipv4" : "ipv6",
                         ir::TableName(table_), ToStd(status.message()))));
}

}  // namespace felix::iptables
