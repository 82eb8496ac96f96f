// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"

#include "compiler/ir/desired_state.h"
#include "iptables/encoded_rule.h"
#include "iptables/planner.h"
#include "model/address.h"

namespace felix::iptables {

// What one table of one family should hold, as rules and as bytes. Owns both; a chain is encoded
// again only if it changed, or if a set that it names got another number.
class DesiredEncoder {
 public:
  DesiredEncoder(model::IpFamily family, ir::Table table) : family_(family), table_(table) {}

  // Takes the delta's keys of this table and family. True if that changed what the kernel should
  // hold; provenance, which the kernel does not hold, does not count.
  bool Stage(const ir::DesiredDelta& delta);
  void Clear();

  // Brings encoded() up to date; asks `index_of` once for every set in use. Errors name the chain
  // and the rule; what was encoded so far is kept, and the next call goes on from there.
  absl::Status Encode(const SetIndexResolver& index_of);
  // As of the last successful Encode().
  [[nodiscard]] const DesiredTable& encoded() const { return encoded_; }
  [[nodiscard]] std::size_t rule_count() const;

 private:
  using SetNumbers = absl::btree_map<std::string, std::uint16_t>;  // by id

  bool StageChain(const ir::ChainKey& key, const ir::Chain* chain);
  bool StageHook(const ir::HookKey& key, const std::vector<ir::Rule>* rules);
  void FindMovedSets(const SetIndexResolver& index_of);
  absl::Status EncodeChain(const std::string& name, const SetIndexResolver& index_of);
  absl::Status EncodeHooks(const SetIndexResolver& index_of);
  absl::Status EncodeRules(const std::vector<ir::Rule>& rules, const std::string& chain,
                           std::optional<ir::BaseChain> base, const SetIndexResolver& index_of,
                           std::vector<EncodedRule>& out);

  model::IpFamily family_;
  ir::Table table_;
  absl::btree_map<std::string, ir::Chain> chains_;
  absl::btree_map<ir::HookKey, std::vector<ir::Rule>> hooks_;
  absl::btree_set<std::string> stale_;  // chains to encode
  // Which numbers are in the bytes of which encoded chain.
  absl::btree_map<std::string, SetNumbers> sets_in_;
  DesiredTable encoded_;
};

}  // namespace felix::iptables
