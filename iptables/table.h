// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "iptables/desired_encoder.h"
#include "iptables/encoded_rule.h"
#include "iptables/kernel_table.h"
#include "iptables/planner.h"
#include "iptables/transaction.h"
#include "model/address.h"

namespace felix::iptables {

struct ApplyStats {
  int commits = 0;  // 0: the kernel held what was wanted
  int retries = 0;  // attempts that another writer undid
  std::size_t rules_written = 0;
  std::size_t rules_deleted = 0;  // replaced rules count as written only
  std::size_t chains_created = 0;
  std::size_t chains_deleted = 0;
  std::size_t rules_desired = 0;  // all rules of ours in this table
  std::chrono::microseconds duration{0};
};

// Keeps one table of one family as desired. Owns the desired state of that table; borrows the
// kernel's side, which must live longer. Nothing reaches the kernel before Apply(), and Apply()
// does not call it at all unless something was staged or a resync was asked for since the last
// success. An Apply() reads, plans and commits under one lock; it writes only what differs, in one
// commit or none. After a failure the table stays dirty, and the next Apply() starts afresh.
class Table {
 public:
  struct Retry {
    int attempts = 10;                         // in all, when other writers interfere
    std::chrono::milliseconds first_pause{1};  // doubled each time; the lock is free meanwhile
  };

  Table(model::IpFamily family, ir::Table table, KernelTable& kernel, SetIndexResolver index_of,
        HookPlacement placement = HookPlacement::kInsert)
      : Table(family, table, kernel, std::move(index_of), placement, Retry()) {}
  Table(model::IpFamily family, ir::Table table, KernelTable& kernel, SetIndexResolver index_of,
        HookPlacement placement, Retry retry);

  // Takes its own keys out of the delta. What is so already does not make the table dirty.
  void Stage(const ir::DesiredDelta& delta);
  // Wants nothing of ours in the table, hooks included: for clean-up.
  void RemoveEverything();
  // Something may have changed the kernel, or a set was made again: the next Apply() compares.
  void Resync() { dirty_ = true; }
  [[nodiscard]] bool dirty() const { return dirty_; }
  [[nodiscard]] model::IpFamily family() const { return family_; }
  [[nodiscard]] ir::Table table() const { return table_; }

  // Errors name the table: those of KernelTable and TableSession; kInvalidArgument for a rule that
  // cannot be encoded; the resolver's own for a set that is not there; kAborted when all attempts
  // met other writers.
  absl::StatusOr<ApplyStats> Apply();
  // What Apply() would do now. Locks and reads, writes nothing, changes no state.
  absl::StatusOr<Transaction> DryRun();

 private:
  absl::Status ApplyOnce(ApplyStats& stats);
  absl::Status Named(const absl::Status& status) const;

  model::IpFamily family_;
  ir::Table table_;
  KernelTable& kernel_;
  SetIndexResolver index_of_;
  HookPlacement placement_;
  Retry retry_;
  DesiredEncoder desired_;
  bool dirty_ = true;  // a new process does not know what the kernel holds
};

}  // namespace felix::iptables
