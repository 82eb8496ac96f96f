// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"

#include "compiler/id_set.h"
#include "compiler/key_numbers.h"
#include "compiler/label_index.h"
#include "compiler/policy_order.h"
#include "compiler/shape.h"
#include "compiler/stats.h"
#include "model/policy.h"
#include "model/update.h"

namespace felix::compiler {

// Which policies govern which labels, and in which order. Knows all policies but only the labels of
// local endpoints, so a policy that selects nobody here costs its filing and nothing more.
class PolicyResolver : private LabelIndex::Listener {
 public:
  explicit PolicyResolver(Stats& stats) : stats_(stats), index_(*this) {}
  ~PolicyResolver() override;
  PolicyResolver(const PolicyResolver&) = delete;
  PolicyResolver& operator=(const PolicyResolver&) = delete;

  // The policy as it is in force; null: it is not. Only its selector, tier, order, types and
  // layers matter.
  void SetPolicy(const model::PolicyId& id, const model::Policy* policy);
  void SetTier(const model::TierId& id, const model::Tier* tier);

  ClassId AcquireClass(const model::LabelSet& labels) { return index_.AcquireClass(labels); }
  void ReleaseClass(ClassId id) {
    resolved_.clear();
    index_.ReleaseClass(id);
  }

  // Classes whose ordered policies may have changed since the last call. May name classes that have
  // been released.
  [[nodiscard]] absl::btree_set<ClassId> TakeDirtyClasses();

  // The tiers of one layer in force for these labels, in order. What the policies of a tier did not
  // decide before the normal layer, they leave to it.
  [[nodiscard]] std::vector<TierInForce> Resolve(ClassId labels, Direction direction,
                                                 PolicyLayer layer = PolicyLayer::kNormal);

  [[nodiscard]] const PassStats& label_index_stats() const { return index_.stats(); }

 private:
  using PolicyNumber = KeyNumbers::Number;
  struct Entry {
    SelectorId selector = 0;
    model::AtomId tier = 0;  // with a reference
    std::optional<double> order;
    bool ingress_applies = false;
    bool egress_applies = false;
    PolicyLayers layers = 0;
    // Worked out when the policy first matches somebody here.
    std::unique_ptr<PolicyPosition> position;
  };

  void OnMatch(SelectorId, ClassId labels, bool) override { dirty_.Insert(labels); }
  void MarkClassesOf(SelectorId selector);
  void RemovePolicy(std::string_view key);
  [[nodiscard]] model::PolicyId IdOf(PolicyNumber number) const;
  const PolicyPosition& PositionOfEntry(PolicyNumber number);
  [[nodiscard]] const model::Tier* FindTier(std::string_view name) const;
  [[nodiscard]] std::vector<TierInForce> ResolveAnew(ClassId labels, Direction direction,
                                                     PolicyLayer layer);

  Stats& stats_;
  LabelIndex index_;
  absl::btree_map<std::string, model::Tier> tiers_;
  KeyNumbers numbers_;
  std::vector<Entry> policies_;              // by number
  std::vector<IdSet> policies_of_selector_;  // by selector
  absl::flat_hash_map<model::AtomId, IdSet> policies_of_tier_;
  IdSet dirty_;
  // What was asked for since the last change: endpoints of one class ask the same.
  absl::flat_hash_map<std::tuple<ClassId, Direction, PolicyLayer>, std::vector<TierInForce>>
      resolved_;
};

}  // namespace felix::compiler
