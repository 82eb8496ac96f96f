// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "iptables/kernel_table.h"

namespace felix::testing {

// A table as a fresh network namespace has it: built-in chains, policy ACCEPT, no rules.
iptables::TableContent EmptyTable(ir::Table table);

// Does one operation as strictly as libiptc and the kernel do. kInvalidArgument: a jump to a
// missing chain, a chain that exists already or not at all, a name of more than 31 bytes, a
// position behind the end, deleting a chain that is built in, in use or not empty.
absl::Status Execute(const iptables::Operation& operation, iptables::TableContent& table);

// The chain of that name; ends the process if there is none.
iptables::KernelChain& ChainOf(iptables::TableContent& table, std::string_view name);

// A table in memory that refuses what the kernel refuses: stale sessions (kAborted), two sessions
// at a time (kUnavailable, as if the lock's time were over), and what Execute() refuses; all of a
// transaction or nothing. Faults can be planned.
class FakeKernelTable final : public iptables::KernelTable {
 public:
  explicit FakeKernelTable(ir::Table table) : content_(EmptyTable(table)) {}

  absl::StatusOr<std::unique_ptr<iptables::TableSession>> Open() override;
  // An excerpt if nothing changed since that revision. What was not asked for is not in it.
  absl::StatusOr<std::unique_ptr<iptables::TableSession>> OpenKnown(
      const iptables::KnownTable& known) override;

  // What other programs do; makes open sessions stale.
  void ChangeUnlocked(const std::function<void(iptables::TableContent&)>& change);
  [[nodiscard]] const iptables::TableContent& content() const { return content_; }

  // The next `count` commits find the table changed; the next opens, the lock held.
  void AbortCommits(int count) { aborts_ = count; }
  void FailOpens(int count, absl::Status status);
  // The next commit of a complete session fails like this, and those of excerpts before it.
  void FailCommit(absl::Status status) { commit_failure_ = std::move(status); }
  // Every commit that would lead to a content of which `refuses` gives an errno fails with it.
  void RefuseWith(std::function<int(const iptables::TableContent&)> refuses) {
    refuses_ = std::move(refuses);
  }
  // Runs once, between the next Open() and its Commit().
  void InterfereOnce(std::function<void(iptables::TableContent&)> change) {
    interference_ = std::move(change);
  }

  [[nodiscard]] int opens() const { return opens_; }
  [[nodiscard]] int excerpts() const { return excerpts_; }
  // Chains whose rules the last excerpt showed.
  [[nodiscard]] const absl::btree_set<std::string>& shown() const { return shown_; }
  [[nodiscard]] bool was_told_to_read() const { return was_told_to_read_; }
  [[nodiscard]] int commits() const { return commits_; }  // successful ones
  [[nodiscard]] int refused_commits() const { return refused_commits_; }

 private:
  class Session;

  iptables::TableContent content_;
  std::uint64_t generation_ = 0;
  bool locked_ = false;
  int aborts_ = 0;
  int failing_opens_ = 0;
  absl::Status open_failure_;
  absl::Status commit_failure_;
  std::function<int(const iptables::TableContent&)> refuses_;
  std::function<void(iptables::TableContent&)> interference_;
  int refused_commits_ = 0;
  int opens_ = 0;
  int excerpts_ = 0;
  absl::btree_set<std::string> shown_;
  bool was_told_to_read_ = false;
  int commits_ = 0;
};

}  // namespace felix::testing
