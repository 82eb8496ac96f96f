// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "iptables/encoded_rule.h"
#include "iptables/transaction.h"

namespace felix::iptables {

struct Counters {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Counters&) const = default;
};

struct KernelRule {
  EncodedRule rule;
  Counters counters;
};

struct KernelChain {
  std::string name;
  bool is_builtin = false;
  std::string policy;  // of built-in chains only; never ours to change
  std::vector<KernelRule> rules;
};

// One consistent reading of a table; chains in the kernel's order.
struct TableContent {
  std::vector<KernelChain> chains;
};

// One reading and at most one writing of a table, under the lock that the iptables tools respect.
// The lock ends with the object.
class TableSession {
 public:
  virtual ~TableSession() = default;
  [[nodiscard]] virtual const TableContent& content() const = 0;
  // All or nothing, and at most once. Counters of rules that stay are kept. Errors: kAborted, the
  // table changed since it was read: open another session; kInvalidArgument, an operation cannot
  // work (a jump to a missing chain, a loop) or the kernel refused a rule; kFailedPrecondition,
  // the kernel lacks a match, a target or a set.
  virtual absl::Status Commit(const Transaction& transaction) = 0;

  // Names what the table holds now, for a later OpenKnown(). Zero: it cannot be told later whether
  // the table is still the same.
  [[nodiscard]] virtual std::uint64_t revision() const { return 0; }
  // True: content() has only what was asked for.
  [[nodiscard]] virtual bool is_excerpt() const { return false; }
};

// What the opener of a session knows already.
struct KnownTable {
  std::uint64_t revision = 0;  // of an earlier session, when that ended
  // Chains whose rules are needed all the same, as far as they are there.
  const absl::btree_set<std::string>& chains;
  // Further chains of which is needed whether they are there.
  const absl::btree_set<std::string>& named;
  // The table must be read and compared, however sure it may seem that nobody changed it.
  bool must_read = false;
};

// One table of one family in the kernel.
class KernelTable {
 public:
  virtual ~KernelTable() = default;
  // Errors: kUnavailable, somebody else holds the lock for too long; kFailedPrecondition, the
  // kernel has no such table; kPermissionDenied; kAborted, the table changed while it was read.
  virtual absl::StatusOr<std::unique_ptr<TableSession>> Open() = 0;
  // As Open(), but the session may be an excerpt if the table still is what that revision names.
  // Then a failed Commit() says no more than that a complete session should judge.
  virtual absl::StatusOr<std::unique_ptr<TableSession>> OpenKnown(const KnownTable& known) {
    static_cast<void>(known);
    return Open();
  }
};

}  // namespace felix::iptables
