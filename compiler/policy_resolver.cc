// SPDX-License-Identifier: Apache-2.0
#include "compiler/policy_resolver.h"

#include <algorithm>
#include <utility>

#include "compiler/fault.h"
#include "model/packed.h"

namespace felix::compiler {

PolicyResolver::~PolicyResolver() {
  for (const Entry& entry : policies_) {
    if (entry.tier != 0) model::atoms::Release({&entry.tier, 1});
  }
}

const model::Tier* PolicyResolver::FindTier(std::string_view name) const {
  const auto found = tiers_.find(std::string(name));
  return found == tiers_.end() ? nullptr : &found->second;
}

void PolicyResolver::MarkClassesOf(SelectorId selector) {
  for (const ClassId labels : index_.ClassesOf(selector)) dirty_.Insert(labels);
}

model::PolicyId PolicyResolver::IdOf(PolicyNumber number) const {
  model::PolicyId id;
  model::ReadKey(numbers_.KeyOf(number), id);
  return id;
}

void PolicyResolver::RemovePolicy(std::string_view key) {
  const std::optional<PolicyNumber> number = numbers_.Find(key);
  if (!number.has_value()) return;
  const Entry entry = std::exchange(policies_[*number], Entry{});
  numbers_.Release(*number);
  policies_of_selector_[entry.selector].Erase(*number);
  const auto in_tier = policies_of_tier_.find(entry.tier);
  in_tier->second.Erase(*number);
  if (in_tier->second.empty()) policies_of_tier_.erase(in_tier);
  model::atoms::Release({&entry.tier, 1});
  MarkClassesOf(entry.selector);
  index_.ReleaseSelector(entry.selector);
}

void PolicyResolver::SetPolicy(const model::PolicyId& id, const model::Policy* policy) {
  ++stats_.policy_resolver.updates_in;
  resolved_.clear();
  std::string key;
  model::AppendKey(id, key);
  if (policy == nullptr) {
    RemovePolicy(key);
    return;
  }
  Entry entry;
  entry.order = policy->order;
  entry.ingress_applies = policy->ingress_applies;
  entry.egress_applies = policy->egress_applies;
  entry.layers = LayersOf(*policy);
  entry.tier = model::atoms::Acquire(policy->tier);
  // Before the old version goes, so that an unchanged selector keeps its matches.
  entry.selector = index_.AcquireSelector(policy->selector);
  if (const auto number = numbers_.Find(key); number.has_value()) {
    const Entry& old = policies_[*number];
    if (old.selector == entry.selector && old.tier == entry.tier && old.order == entry.order &&
        old.ingress_applies == entry.ingress_applies &&
        old.egress_applies == entry.egress_applies && old.layers == entry.layers) {
      index_.ReleaseSelector(entry.selector);
      model::atoms::Release({&entry.tier, 1});
      return;
    }
    RemovePolicy(key);
  }
  const PolicyNumber number = numbers_.Take(key).first;
  if (number >= policies_.size()) policies_.resize(number + 1);
  if (entry.selector >= policies_of_selector_.size()) {
    policies_of_selector_.resize(entry.selector + 1);
  }
  policies_of_selector_[entry.selector].Insert(number);
  policies_of_tier_[entry.tier].Insert(number);
  MarkClassesOf(entry.selector);
  policies_[number] = std::move(entry);
}

void PolicyResolver::SetTier(const model::TierId& id, const model::Tier* tier) {
  ++stats_.policy_resolver.updates_in;
  resolved_.clear();
  if (tier != nullptr) {
    tiers_.insert_or_assign(id.name, *tier);
  } else {
    tiers_.erase(id.name);
  }
  const auto policies = policies_of_tier_.find(model::atoms::Find(id.name));
  if (policies == policies_of_tier_.end()) return;
  for (const PolicyNumber number : policies->second) {
    Entry& entry = policies_[number];
    entry.position.reset();
    if (!IsPlanted(Fault::kTierChangeUnheard)) MarkClassesOf(entry.selector);
  }
}

absl::btree_set<ClassId> PolicyResolver::TakeDirtyClasses() {
  const IdSet dirty = std::exchange(dirty_, {});
  return {dirty.begin(), dirty.end()};
}

const PolicyPosition& PolicyResolver::PositionOfEntry(PolicyNumber number) {
  Entry& entry = policies_[number];
  if (entry.position == nullptr) {
    const std::string_view tier = model::atoms::TextOf(entry.tier);
    entry.position = std::make_unique<PolicyPosition>(
        PositionOf(IdOf(number), tier, entry.order, FindTier(tier)));
  }
  return *entry.position;
}

std::vector<TierInForce> PolicyResolver::Resolve(ClassId labels, Direction direction,
                                                 PolicyLayer layer) {
  const auto [resolved, is_new] = resolved_.try_emplace({labels, direction, layer});
  if (is_new) resolved->second = ResolveAnew(labels, direction, layer);
  return resolved->second;
}

std::vector<TierInForce> PolicyResolver::ResolveAnew(ClassId labels, Direction direction,
                                                     PolicyLayer layer) {
  ++stats_.policy_resolver.recomputed;
  std::vector<std::pair<const PolicyPosition*, PolicyNumber>> policies;
  for (const SelectorId selector : index_.SelectorsOf(labels)) {
    if (selector >= policies_of_selector_.size()) continue;
    for (const PolicyNumber number : policies_of_selector_[selector]) {
      const Entry& entry = policies_[number];
      if ((entry.layers & LayerBit(layer)) == 0) continue;
      const bool applies =
          direction == Direction::kIngress ? entry.ingress_applies : entry.egress_applies;
      if (applies || IsPlanted(Fault::kPolicyTypesIgnored)) {
        policies.emplace_back(&PositionOfEntry(number), number);
      }
    }
  }
  std::sort(policies.begin(), policies.end(),
            [](const auto& a, const auto& b) { return *a.first < *b.first; });
  std::vector<TierInForce> tiers;
  for (const auto& [position, number] : policies) {
    if (tiers.empty() || tiers.back().name != position->tier) {
      tiers.push_back({.name = position->tier,
                       .default_action = DefaultActionOf(FindTier(position->tier), layer),
                       .policies = {}});
    }
    tiers.back().policies.push_back(IdOf(number));
  }
  return tiers;
}

}  // namespace felix::compiler
