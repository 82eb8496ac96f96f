// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "compiler/ir/desired_state.h"
#include "iptables/encoded_rule.h"
#include "model/address.h"

namespace felix::iptables {

// Positions count from zero in the chain as the operations before have left it.
struct CreateChain {
  std::string chain;
  bool operator==(const CreateChain&) const = default;
};
struct InsertRule {
  std::string chain;
  std::size_t position = 0;
  EncodedRule rule;
  bool operator==(const InsertRule&) const = default;
};
struct ReplaceRule {
  std::string chain;
  std::size_t position = 0;
  EncodedRule rule;
  bool operator==(const ReplaceRule&) const = default;
};
struct DeleteRule {
  std::string chain;
  std::size_t position = 0;
  bool operator==(const DeleteRule&) const = default;
};
struct FlushChain {
  std::string chain;
  bool operator==(const FlushChain&) const = default;
};
// The chain is empty and nothing refers to it any more.
struct DeleteChain {
  std::string chain;
  bool operator==(const DeleteChain&) const = default;
};
using Operation =
    std::variant<CreateChain, InsertRule, ReplaceRule, DeleteRule, FlushChain, DeleteChain>;

// How one table is to change, in one commit: chains come first, then contents, then hooks, then
// removals, so that after every single operation all references are good.
struct Transaction {
  std::vector<Operation> operations;

  [[nodiscard]] bool empty() const { return operations.empty(); }
  bool operator==(const Transaction&) const = default;
};

// One line per operation, for dry runs and failures. Sets are named by `id_of`, or by their number
// where it does not know them.
[[nodiscard]] std::string Print(const Transaction& transaction, model::IpFamily family,
                                const SetIdResolver& id_of = {});

}  // namespace felix::iptables
