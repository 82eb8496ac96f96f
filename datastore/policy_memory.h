// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/container/flat_hash_map.h"

#include "datastore/v3_policy.h"
#include "model/policy.h"

namespace felix::datastore {

// Remembers, per policy, the last legible tier, order, selector and types, so that a policy which
// becomes invalid can still be denied where it applied. Never forgets a policy: one that is deleted
// and comes back broken is still the same policy to whoever wrote it.
class PolicyMemory {
 public:
  // Takes note of what this version of the policy says.
  void Note(const model::PolicyId& id, const PolicyParts& parts);
  // What is known of a policy whose latest version was noted: its own words where legible, older
  // ones otherwise.
  [[nodiscard]] model::BrokenPolicy Recall(const model::PolicyId& id) const;

 private:
  absl::flat_hash_map<model::PolicyId, PolicyParts> parts_;
};

}  // namespace felix::datastore
