// SPDX-License-Identifier: Apache-2.0
#include "iptables/table.h"

#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "fmt/format.h"

#include "model/base/overloaded.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::iptables {
namespace {

void Count(const Transaction& transaction, const TableContent& before, ApplyStats& stats) {
  absl::flat_hash_map<absl::string_view, std::size_t> sizes;
  for (const KernelChain& chain : before.chains) sizes[ToAbsl(chain.name)] = chain.rules.size();
  for (const Operation& operation : transaction.operations) {
    std::visit(
        Overloaded{[&](const CreateChain&) { ++stats.chains_created; },
                   [&](const InsertRule&) { ++stats.rules_written; },
                   [&](const ReplaceRule&) { ++stats.rules_written; },
                   [&](const DeleteRule&) { ++stats.rules_deleted; },
                   // Only left-over chains are flushed, and nothing else is done to them before.
                   [&](const FlushChain& op) { stats.rules_deleted += sizes[ToAbsl(op.chain)]; },
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
  dirty_ = desired_.Stage(delta) || dirty_;
}

void Table::RemoveEverything() {
  desired_.Clear();
  dirty_ = true;
}

absl::StatusOr<ApplyStats> Table::Apply() {
  ApplyStats stats;
  stats.rules_desired = desired_.rule_count();
  if (!dirty_) return stats;
  const auto start = std::chrono::steady_clock::now();
  if (const auto encoded = desired_.Encode(index_of_); !encoded.ok()) return Named(encoded);
  auto pause = retry_.first_pause;
  absl::Status status = ApplyOnce(stats);
  while (absl::IsAborted(status) && stats.retries + 1 < retry_.attempts) {
    ++stats.retries;
    std::this_thread::sleep_for(pause);
    pause *= 2;
    status = ApplyOnce(stats);
  }
  if (!status.ok()) return Named(status);
  dirty_ = false;
  stats.duration = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);
  return stats;
}

absl::Status Table::ApplyOnce(ApplyStats& stats) {
  FELIX_ASSIGN_OR_RETURN(const auto session, kernel_.Open());
  FELIX_ASSIGN_OR_RETURN(const Transaction transaction,
                         Plan(session->content(), desired_.encoded(), placement_));
  if (transaction.empty()) return absl::OkStatus();
  FELIX_RETURN_IF_ERROR(session->Commit(transaction));
  ++stats.commits;
  Count(transaction, session->content(), stats);
  return absl::OkStatus();
}

absl::StatusOr<Transaction> Table::DryRun() {
  if (const auto encoded = desired_.Encode(index_of_); !encoded.ok()) return Named(encoded);
  const auto session = kernel_.Open();
  if (!session.ok()) return Named(session.status());
  auto transaction = Plan((*session)->content(), desired_.encoded(), placement_);
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
