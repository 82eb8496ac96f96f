// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"

#include "compiler/ir/rule.h"
#include "felix/replay/address_book.h"
#include "felix/replay/cluster.h"
#include "felix/replay/rule_match.h"

namespace felix::replay {

// What was asked on the way to a decision, in order.
struct RuleNote {
  int index = 0;
  std::string rule;  // its summary
  bool matches = false;
  std::string why_not;
};
struct PolicyNote {
  std::string tier;   // empty: a profile
  std::string owner;  // "gnp/x", "profile/y"
  std::vector<RuleNote> rules;
  std::string end;  // what follows if nothing more of the tier is asked
};

// What one endpoint's host does with a flow in one direction.
struct SideDecision {
  bool allowed = true;
  std::string reason;                        // "gnp/x", "end of tier default", "endpoint is down"
  std::optional<ir::Provenance> decided_by;  // of a rule of a policy or profile
};

// Both ends of a flow. An end without a workload is an address that policy does not guard.
struct FlowEnds {
  const Workload* from = nullptr;
  const Workload* to = nullptr;
  AddressInfo source;
  AddressInfo destination;
};

// Decides what becomes of flows between workloads by the meaning of the policies, with no chains,
// marks or sets: tiers in their order, in each the policies in theirs, in each the first rule that
// matches; Pass goes on to the next tier, and behind the last the profiles have their say. The
// sender's host asks egress, the receiver's ingress, each with its own configuration. Host
// endpoints on the way, translations and what other programs filter are not asked. A judge belongs
// to one thread.
class Judge {
 public:
  // `make_options`: the configuration of a host; asked with no name for those that the store has
  // no configuration of.
  using MakeOptions = std::function<compiler::Options(const std::string& host)>;
  Judge(model::Store store, MakeOptions make_options);
  ~Judge();
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  [[nodiscard]] const AddressBook& book() const { return *book_; }
  [[nodiscard]] const compiler::Options& OptionsOf(const std::string& host) const;

  // Whose policies govern a workload in one direction; those with one number share all of them.
  [[nodiscard]] std::uint32_t ListOf(const Workload& workload, ir::Direction direction) const;
  // Policies alone, without what is wrong with the endpoints themselves.
  [[nodiscard]] SideDecision AskList(std::uint32_t list, const std::string& host, const Flow& flow,
                                     const AddressInfo& source, const AddressInfo& destination,
                                     std::vector<PolicyNote>* notes) const;
  // All that one side says. `notes` may be null.
  [[nodiscard]] SideDecision AskEgress(const FlowEnds& ends, const Flow& flow,
                                       std::vector<PolicyNote>* notes) const;
  [[nodiscard]] SideDecision AskIngress(const FlowEnds& ends, const Flow& flow,
                                        std::vector<PolicyNote>* notes) const;
  // What is wrong with the end whatever policies say; nothing if nothing is.
  [[nodiscard]] std::optional<SideDecision> JudgeEnd(const FlowEnds& ends, const Flow& flow,
                                                     ir::Direction direction) const;
  // The policy of that text, "gnp/x"; null if there is none.
  [[nodiscard]] const std::pair<const model::PolicyId, model::Policy>* FindPolicy(
      const std::string& text) const;
  [[nodiscard]] const model::Store& store() const { return store_; }
  // True if the host of one of them has host endpoints, whose policies may have a say in what comes
  // and goes; that is not asked. Null stands for no workload.
  [[nodiscard]] bool LeavesOutHostEndpoints(std::span<const Workload* const> workloads) const;
  // All rules of the policies and profiles that the list holds.
  void ForEachRule(std::uint32_t list,
                   const std::function<void(const model::PolicyRule&)>& visit) const;

 private:
  struct AppliedPolicy {
    model::PolicyId id;
    double order = 0;
    const model::Policy* policy = nullptr;  // null: a broken one, which denies
  };
  struct AppliedTier {
    std::string name;
    bool denies_at_end = true;
    std::vector<AppliedPolicy> policies;
  };
  struct List {
    ir::Direction direction = ir::Direction::kIngress;
    std::vector<AppliedTier> tiers;
    std::vector<std::string> profiles;
  };
  struct Asked;

  [[nodiscard]] std::vector<AppliedTier> TiersOf(std::uint32_t label_class, ir::Direction direction,
                                                 bool broken_deny) const;
  std::optional<model::RuleAction> FirstMatch(const Asked& asked,
                                              const std::vector<model::PolicyRule>& rules,
                                              std::string_view tier, const std::string& owner,
                                              SideDecision& decision) const;
  bool AskTiers(const Asked& asked, SideDecision& decision) const;
  void AskProfiles(const Asked& asked, SideDecision& decision) const;

  model::Store store_;
  MakeOptions make_options_;
  absl::btree_map<model::PolicyId, model::Policy> policies_;
  mutable absl::btree_map<std::string, compiler::Options> options_;
  std::unique_ptr<AddressBook> book_;
  absl::btree_set<std::string> hosts_with_endpoints_;
  mutable std::vector<List> lists_;
  mutable absl::btree_map<std::string, std::uint32_t> list_numbers_;
};

inline constexpr std::string_view kHostEndpointsNote =
    "note: policies of host endpoints on the way were not asked\n";

// Of that cluster, with each host's configuration. The cluster must outlive the judge.
[[nodiscard]] Judge JudgeOf(const Cluster& cluster);

}  // namespace felix::replay
