// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"

#include "compiler/label_index.h"
#include "compiler/policy_order.h"
#include "compiler/shape.h"
#include "model/policy.h"
#include "model/update.h"

namespace felix::compiler {

// Which policies govern which labels, and in which order. Knows all policies but only the labels of
// local endpoints, so a policy that selects nobody here costs its filing and nothing more.
class PolicyResolver : private LabelIndex::Listener {
 public:
  PolicyResolver() : index_(*this) {}

  // The policy as it is in force; null: it is not. Only its selector, tier, order, types and
  // layers matter.
  void SetPolicy(const model::PolicyId& id, const model::Policy* policy);
  void SetTier(const model::TierId& id, const model::Tier* tier);

  ClassId AcquireClass(const model::LabelSet& labels) { return index_.AcquireClass(labels); }
  void ReleaseClass(ClassId id) { index_.ReleaseClass(id); }

  // Classes whose ordered policies may have changed since the last call. May name classes that have
  // been released.
  [[nodiscard]] absl::btree_set<ClassId> TakeDirtyClasses();

  // The tiers of one layer in force for these labels, in order. What the policies of a tier did not
  // decide before the normal layer, they leave to it.
  [[nodiscard]] std::vector<TierInForce> Resolve(ClassId labels, Direction direction,
                                                 PolicyLayer layer = PolicyLayer::kNormal) const;

  [[nodiscard]] std::uint64_t evaluations() const { return index_.evaluations(); }

 private:
  struct Entry {
    model::PolicyId id;
    SelectorId selector = 0;
    PolicyPosition position;
    std::optional<double> order;
    bool ingress_applies = false;
    bool egress_applies = false;
    PolicyLayers layers = 0;
  };

  void OnMatch(SelectorId, ClassId labels, bool) override { dirty_.insert(labels); }
  void MarkClassesOf(SelectorId selector);
  void RemovePolicy(const model::PolicyId& id);
  [[nodiscard]] const model::Tier* FindTier(const std::string& name) const;

  LabelIndex index_;
  absl::btree_map<std::string, model::Tier> tiers_;
  absl::flat_hash_map<model::PolicyId, Entry> policies_;
  absl::flat_hash_map<SelectorId, absl::btree_set<model::PolicyId>> policies_of_selector_;
  absl::flat_hash_map<std::string, absl::btree_set<model::PolicyId>> policies_of_tier_;
  absl::btree_set<ClassId> dirty_;
};

}  // namespace felix::compiler
