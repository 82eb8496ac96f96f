// SPDX-License-Identifier: Apache-2.0
#include "compiler/policy_resolver.h"

#include <algorithm>
#include <utility>

#include "compiler/fault.h"

namespace felix::compiler {

const model::Tier* PolicyResolver::FindTier(const std::string& name) const {
  const auto found = tiers_.find(name);
  return found == tiers_.end() ? nullptr : &found->second;
}

void PolicyResolver::MarkClassesOf(SelectorId selector) {
  const auto& classes = index_.ClassesOf(selector);
  dirty_.insert(classes.begin(), classes.end());
}

void PolicyResolver::RemovePolicy(const model::PolicyId& id) {
  const auto found = policies_.find(id);
  if (found == policies_.end()) return;
  const Entry entry = std::move(found->second);
  policies_.erase(found);
  const auto erase_from = [&](auto& map, const auto& key) {
    const auto users = map.find(key);
    users->second.erase(id);
    if (users->second.empty()) map.erase(users);
  };
  erase_from(policies_of_selector_, entry.selector);
  erase_from(policies_of_tier_, entry.position.tier);
  MarkClassesOf(entry.selector);
  index_.ReleaseSelector(entry.selector);
}

void PolicyResolver::SetPolicy(const model::PolicyId& id, const model::Policy* policy) {
  if (policy == nullptr) {
    RemovePolicy(id);
    return;
  }
  Entry entry;
  entry.id = id;
  entry.position = PositionOf(id, policy->tier, policy->order, FindTier(policy->tier));
  entry.order = policy->order;
  entry.ingress_applies = policy->ingress_applies;
  entry.egress_applies = policy->egress_applies;
  entry.layers = LayersOf(*policy);
  // Before the old version goes, so that an unchanged selector keeps its matches.
  entry.selector = index_.AcquireSelector(policy->selector);
  if (const auto found = policies_.find(id); found != policies_.end()) {
    const Entry& old = found->second;
    if (old.selector == entry.selector && old.position == entry.position &&
        old.ingress_applies == entry.ingress_applies &&
        old.egress_applies == entry.egress_applies && old.layers == entry.layers) {
      index_.ReleaseSelector(entry.selector);
      return;
    }
    RemovePolicy(id);
  }
  policies_of_selector_[entry.selector].insert(id);
  policies_of_tier_[entry.position.tier].insert(id);
  MarkClassesOf(entry.selector);
  policies_.emplace(id, std::move(entry));
}

void PolicyResolver::SetTier(const model::TierId& id, const model::Tier* tier) {
  if (tier != nullptr) {
    tiers_.insert_or_assign(id.name, *tier);
  } else {
    tiers_.erase(id.name);
  }
  const auto policies = policies_of_tier_.find(id.name);
  if (policies == policies_of_tier_.end()) return;
  for (const model::PolicyId& policy_id : policies->second) {
    Entry& entry = policies_.find(policy_id)->second;
    entry.position = PositionOf(policy_id, id.name, entry.order, tier);
    if (!IsPlanted(Fault::kTierChangeUnheard)) MarkClassesOf(entry.selector);
  }
}

absl::btree_set<ClassId> PolicyResolver::TakeDirtyClasses() {
  return std::exchange(dirty_, {});
}

std::vector<TierInForce> PolicyResolver::Resolve(ClassId labels, Direction direction,
                                                 PolicyLayer layer) const {
  std::vector<const Entry*> entries;
  for (const SelectorId selector : index_.SelectorsOf(labels)) {
    const auto policies = policies_of_selector_.find(selector);
    if (policies == policies_of_selector_.end()) continue;
    for (const model::PolicyId& id : policies->second) {
      const Entry& entry = policies_.find(id)->second;
      if ((entry.layers & LayerBit(layer)) == 0) continue;
      const bool applies =
          direction == Direction::kIngress ? entry.ingress_applies : entry.egress_applies;
      if (applies || IsPlanted(Fault::kPolicyTypesIgnored)) entries.push_back(&entry);
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry* a, const Entry* b) { return a->position < b->position; });
  std::vector<TierInForce> tiers;
  for (const Entry* entry : entries) {
    if (tiers.empty() || tiers.back().name != entry->position.tier) {
      tiers.push_back({.name = entry->position.tier,
                       .default_action = DefaultActionOf(FindTier(entry->position.tier), layer),
                       .policies = {}});
    }
    tiers.back().policies.push_back(entry->id);
  }
  return tiers;
}

}  // namespace felix::compiler
