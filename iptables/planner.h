// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"

#include "iptables/encoded_rule.h"
#include "iptables/kernel_table.h"
#include "iptables/transaction.h"

namespace felix::iptables {

// Where hooks of position kFirst go: above the rules of others, or behind them.
enum class HookPlacement : std::uint8_t { kInsert, kAppend };

struct HookRules {
  std::vector<EncodedRule> first;
  std::vector<EncodedRule> last;

  bool operator==(const HookRules&) const = default;
};

// What one table should hold of ours, ready for the kernel.
struct DesiredTable {
  absl::btree_map<std::string, std::vector<EncodedRule>> chains;
  absl::btree_map<std::string, HookRules> hooks;  // by name of the built-in chain
};

// True for rules of ours in chains of others: those that go to a chain of ours, and tagged ones.
[[nodiscard]] bool IsOurHookRule(const EncodedRule& rule);

using RuleTest = std::function<bool(const EncodedRule&)>;

// The least change that makes `actual` hold `desired` and nothing else of ours. Rules that stay
// are not touched, so they keep their counters. Chains, rules and policies of others keep their
// content and their order; rules of ours that stand elsewhere among them move or go. A table that
// is as desired gives an empty transaction. Rules of which `is_left_over` holds are ours as well,
// where they stand in built-in chains. Pure; the same input gives the same output.
//
// Errors: kInvalidArgument for a desired chain whose name is not one of ours, for a jump to a chain
// that is neither desired nor somebody else's, and for a hook on a chain that the table lacks.
absl::StatusOr<Transaction> Plan(const TableContent& actual, const DesiredTable& desired,
                                 HookPlacement placement, const RuleTest& is_left_over = {});

// The same if all chains but these are known to be as desired: `actual` needs these with their
// rules, and of the others those to which NamedBy() says that these go.
absl::StatusOr<Transaction> PlanChains(const absl::btree_set<std::string>& chains,
                                       const TableContent& actual, const DesiredTable& desired,
                                       HookPlacement placement, const RuleTest& is_left_over = {});
// The chains to which the rules go that these chains, or hooks of that name, should hold.
[[nodiscard]] absl::btree_set<std::string> NamedBy(const absl::btree_set<std::string>& chains,
                                                   const DesiredTable& desired);

}  // namespace felix::iptables
