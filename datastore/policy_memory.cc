// SPDX-License-Identifier: Apache-2.0
#include "datastore/policy_memory.h"

namespace felix::datastore {

void PolicyMemory::Note(const model::PolicyId& id, const PolicyParts& parts) {
  PolicyParts& known = parts_[id];
  if (parts.tier) known.tier = parts.tier;
  if (parts.order) known.order = parts.order;
  if (parts.selector) known.selector = parts.selector;
  if (parts.types) known.types = parts.types;
}

model::BrokenPolicy PolicyMemory::Recall(const model::PolicyId& id) const {
  model::BrokenPolicy broken;
  const auto it = parts_.find(id);
  if (it == parts_.end()) return broken;
  const PolicyParts& known = it->second;
  if (known.tier) broken.tier = *known.tier;
  if (known.order) broken.order = *known.order;
  broken.selector = known.selector;
  if (known.types) {
    broken.ingress_applies = known.types->ingress;
    broken.egress_applies = known.types->egress;
  }
  return broken;
}

}  // namespace felix::datastore
