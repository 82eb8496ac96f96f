// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "iptables/culprits.h"
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
  // What others had changed, if the table was compared for no other reason.
  std::vector<std::string> drift;
  std::chrono::microseconds duration{0};
};

// Keeps one table of one family as desired. Owns the desired state of that table; borrows the
// kernel's side, which must live longer. Nothing reaches the kernel before Apply(), and Apply()
// does not call it at all unless something was staged or a resync was asked for since the last
// success, or a chain is closed because a set is not there. An Apply() reads, plans and commits
// under one lock; it writes only what differs, in one commit or none. If the kernel's side can tell
// that the table is as the last Apply() left it, only the chains that were staged since are looked
// at. After a failure the table stays dirty, and the next Apply() starts afresh.
//
// Chains that are wanted no more are out of every packet's reach as soon as the rules that went to
// them are gone. Alone they are no reason to write: they go with the next commit, or at a resync.
//
// One bad chain does not hold up the others. A chain of a policy, profile, endpoint or shape that
// cannot be encoded, or that turns out to be why the kernel refuses the table, is closed: it drops
// everything until it or its sets change or RetryClosed() is called. All else is written. If the
// kernel refuses what cannot be closed, it keeps what it has.
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
  // Further rules in built-in chains that are ours to remove: an older version left them.
  void SetLeftOverRules(RuleTest is_left_over) { is_left_over_ = std::move(is_left_over); }
  // Closes the chains that name these sets (by id, with the reason), until told otherwise.
  void SetUnusableSets(absl::btree_map<std::string, std::string> reasons);
  // The next Apply() tries all closed chains again.
  void RetryClosed() { StageIf(desired_.Reopen()); }
  // Why chains are closed, as of the last Apply().
  [[nodiscard]] const ClosedChains& closed() const { return desired_.closed(); }
  // Something may have changed the kernel: the next Apply() reads and compares.
  void Resync() { dirty_ = must_read_ = true; }
  // A set was made again, or chains that nobody wants must go now: the next Apply() sees to it.
  void Recheck() { dirty_ = true; }
  [[nodiscard]] bool dirty() const { return dirty_; }
  // True if chains of ours that nobody wants wait in the kernel for the next commit.
  [[nodiscard]] bool has_left_overs() const { return has_left_overs_; }
  [[nodiscard]] model::IpFamily family() const { return family_; }
  [[nodiscard]] ir::Table table() const { return table_; }

  // Errors name the table: those of KernelTable and TableSession; for a chain that cannot be closed
  // kInvalidArgument for a rule that cannot be encoded and the resolver's own for a set that is not
  // there; the resolver's kCancelled for any chain; kAborted when all attempts met other writers.
  absl::StatusOr<ApplyStats> Apply();
  // What Apply() would do now. Locks and reads, writes nothing, changes no state.
  absl::StatusOr<Transaction> DryRun();

 private:
  // What to write, given what the kernel holds.
  using Target = std::function<DesiredTable(const TableContent& actual)>;

  void StageIf(bool changed);
  // Tries again while other writers interfere. Without a target: all that is desired.
  Attempt Write(const Target& target, ApplyStats& stats);
  Attempt WriteOnce(const Target& target, ApplyStats& stats);
  absl::StatusOr<std::unique_ptr<TableSession>> OpenFor(const Target& target);
  absl::StatusOr<Transaction> PlanFor(const Target& target, const TableSession& session) const;
  absl::Status WriteAllButCulprits(const Attempt& first, ApplyStats& stats);
  absl::Status Named(const absl::Status& status) const;

  model::IpFamily family_;
  ir::Table table_;
  KernelTable& kernel_;
  SetIndexResolver index_of_;
  HookPlacement placement_;
  Retry retry_;
  RuleTest is_left_over_;
  DesiredEncoder desired_;
  bool staged_ = true;  // there is more to do than to undo what others did
  bool dirty_ = true;   // a new process does not know what the kernel holds
  bool must_read_ = true;
  bool has_left_overs_ = false;
  // Of a table that holds all of desired_, except what was touched since. Zero: not known.
  std::uint64_t revision_ = 0;
  CulpritSearch::Names suspects_;  // of the last attempt that was refused
};

}  // namespace felix::iptables
