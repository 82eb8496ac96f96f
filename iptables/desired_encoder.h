// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"

#include "compiler/ir/desired_state.h"
#include "iptables/encoded_rule.h"
#include "iptables/planner.h"
#include "model/address.h"

namespace felix::iptables {

// A chain that is kept closed: instead of its rules it holds one that drops everything.
struct ClosedChain {
  std::string owner;    // the policy or profile; the chain's own name if it has no single owner
  absl::Status reason;  // why the rules cannot be in the kernel
};
using ClosedChains = absl::btree_map<std::string, ClosedChain>;  // by chain

// True for chains that may be closed alone: of a policy, a profile, an endpoint or a shape, in a
// table that may drop. Closing the chains above them would cut off the host itself.
[[nodiscard]] bool IsClosable(std::string_view chain, ir::Table table);
[[nodiscard]] EncodedRule DropRule(model::IpFamily family);

// What one table of one family should hold, as rules and as bytes. Owns both; a chain is encoded
// again only if it changed, or if a set that it names got another number. A closable chain that
// cannot be encoded is closed; one that the kernel refuses can be closed until something of it
// changes.
class DesiredEncoder {
 public:
  DesiredEncoder(model::IpFamily family, ir::Table table) : family_(family), table_(table) {}

  enum class Change : std::uint8_t {
    kNone,          // the kernel should hold what it should hold before
    kOnlyRemovals,  // of chains to which no other chain goes
    kContent,
  };

  // Takes the delta's keys of this table and family. Provenance, which the kernel does not hold,
  // is no change.
  Change Stage(const ir::DesiredDelta& delta);
  void Clear();

  // Closes the chains that name one of these sets, by id, and opens those that no longer do. The
  // value says why. True if that changed what the kernel should hold.
  bool SetUnusableSets(absl::btree_map<std::string, std::string> reasons);

  // Brings encoded() up to date; asks `index_of` once for every set in use. Errors name the chain
  // and the rule; what was encoded so far is kept, and the next call goes on from there. Errors of
  // a closable chain close it instead, except for kCancelled.
  absl::Status Encode(const SetIndexResolver& index_of);
  // Closes a chain of encoded() that the kernel refuses.
  void Close(const std::string& chain, absl::Status reason);
  // Lets the next Encode() give all closed chains another chance. True if there are any.
  bool Reopen();
  [[nodiscard]] const ClosedChains& closed() const { return closed_; }
  // False while another Encode() may bring something better: a missing set may be there then.
  [[nodiscard]] bool complete() const { return stale_.empty(); }
  // As of the last successful Encode().
  [[nodiscard]] const DesiredTable& encoded() const { return encoded_; }
  // Chains of encoded() that may differ from what they were at the last ForgetTouched(), built-in
  // ones included; those that are gone, too.
  [[nodiscard]] const absl::btree_set<std::string>& touched() const { return touched_; }
  void ForgetTouched() { touched_.clear(); }
  [[nodiscard]] std::size_t rule_count() const;

 private:
  using SetNumbers = absl::btree_map<std::string, std::uint16_t>;  // by id

  bool StageChain(const ir::ChainKey& key, const ir::Chain* chain);
  bool StageHook(const ir::HookKey& key, const std::vector<ir::Rule>* rules);
  [[nodiscard]] bool IsReferredTo(const absl::btree_set<std::string>& chains) const;
  void FindMovedSets(const SetIndexResolver& index_of);
  absl::Status EncodeOrClose(const std::string& name, const SetIndexResolver& index_of);
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
  ClosedChains closed_;
  absl::btree_map<std::string, std::string> unusable_sets_;  // why, by id
  DesiredTable encoded_;
  absl::btree_set<std::string> touched_;
};

}  // namespace felix::iptables
