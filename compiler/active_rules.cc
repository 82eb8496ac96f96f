// SPDX-License-Identifier: Apache-2.0
#include "compiler/active_rules.h"

#include <utility>

#include "compiler/fault.h"
#include "model/base/check.h"

namespace felix::compiler {
namespace {

std::string OwnerName(const std::variant<model::PolicyId, std::string>& owner) {
  if (const auto* policy = std::get_if<model::PolicyId>(&owner)) return policy->ToString();
  return "profile/" + std::get<std::string>(owner);
}

ir::ChainKey KeyOf(const RenderContext& context, ir::Table table, std::string name) {
  return {.family = context.family, .table = table, .name = std::move(name)};
}

}  // namespace

ActiveRules::ActiveRules(std::vector<RenderContext> contexts, Lookup lookup, SetMembers& members,
                         Emitter& emitter, Stats& stats)
    : contexts_(std::move(contexts)),
      lookup_(std::move(lookup)),
      members_(members),
      emitter_(emitter),
      stats_(stats) {}

void ActiveRules::Use(const OwnerKey& key, bool more) {
  std::uint32_t& users = rules_[key].users;
  FELIX_CHECK(more || users > 0, "rules lost more users than they had");
  users += more ? 1U : ~0U;
  if (users == (more ? 1U : 0U)) dirty_rules_.insert(key);
}

void ActiveRules::UseAll(const Shape& shape, bool more) {
  const ir::Table table = TableOf(shape.kind);
  for (const TierInForce& tier : shape.tiers) {
    for (const model::PolicyId& policy : tier.policies) Use({policy, shape.direction, table}, more);
  }
  // A profile listed twice is used twice, which is as good as once.
  for (const std::string& profile : shape.profiles) Use({profile, shape.direction, table}, more);
}

void ActiveRules::AcquireShape(const Shape& shape) {
  ++stats_.active_rules.updates_in;
  if (++shapes_[shape] > 1) return;
  dirty_shapes_.insert(shape);
  UseAll(shape, true);
}

void ActiveRules::ReleaseShape(const Shape& shape) {
  ++stats_.active_rules.updates_in;
  const auto found = shapes_.find(shape);
  FELIX_CHECK(found != shapes_.end(), "released a shape that nobody uses");
  if (--found->second > 0) return;
  UseAll(shape, false);
  dirty_shapes_.insert(shape);
  shapes_.erase(found);
}

void ActiveRules::Mark(const Owner& owner) {
  ++stats_.active_rules.updates_in;
  bool used = false;
  for (const Direction direction : {Direction::kIngress, Direction::kEgress}) {
    for (const ir::Table table : {ir::Table::kRaw, ir::Table::kMangle, ir::Table::kFilter}) {
      if (table != ir::Table::kFilter && IsPlanted(Fault::kRulesStaleOutsideOfFilter)) continue;
      const OwnerKey key(owner, direction, table);
      if (!rules_.contains(key)) continue;
      dirty_rules_.insert(key);
      used = true;
    }
  }
  if (!used) ++stats_.active_rules.suppressed;
}

void ActiveRules::MarkPolicy(const model::PolicyId& id) {
  Mark(id);
}

void ActiveRules::MarkProfile(const std::string& name) {
  Mark(name);
}

ir::ChainKey ActiveRules::ChainKeyOf(const OwnerKey& key, const RenderContext& context) const {
  const auto& [owner, direction, table] = key;
  if (const auto* policy = std::get_if<model::PolicyId>(&owner)) {
    return KeyOf(context, table, PolicyChainName(*policy, direction));
  }
  return KeyOf(context, table, ProfileChainName(std::get<std::string>(owner), direction));
}

void ActiveRules::RenderRules(const OwnerKey& key, Rendered& rendered) {
  const auto& [owner, direction, table] = key;
  ++stats_.policies_rendered;
  ++stats_.active_rules.recomputed;
  std::vector<std::vector<SetMembers::SetNumber>> sets(contexts_.size());
  for (std::size_t i = 0; i < contexts_.size(); ++i) {
    RenderContext context = contexts_[i];
    context.table = table;
    SetDefinitions named;
    ir::Chain chain;
    if (const auto* policy = std::get_if<model::PolicyId>(&owner)) {
      const std::optional<model::Policy> value = lookup_.policy(*policy);
      if (!value.has_value() && !rendered.sets.empty()) return;
      FELIX_CHECK(value.has_value(), "a policy is in force that does not exist");
      chain = RenderPolicy(*policy, value->tier, direction,
                           direction == Direction::kIngress ? value->ingress : value->egress,
                           context, named);
    } else {
      const auto& profile = std::get<std::string>(owner);
      const auto rules = lookup_.profile(profile, direction);
      chain = rules.has_value() ? RenderProfile(profile, direction, *rules, context, named)
                                : RenderDenyAll("profile/" + profile + " does not exist", context);
    }
    emitter_.SetChain(ChainKeyOf(key, contexts_[i]), OwnerName(owner), std::move(chain));
    sets[i].reserve(named.size());
    for (const auto& [id, definition] : named) {
      sets[i].push_back(members_.Demand(context.family, id, definition));
    }
  }
  std::swap(rendered.sets, sets);
  if (IsPlanted(Fault::kSetNeverReleased)) sets.clear();
  // After the new demands, so that a set named before and after keeps its members.
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (const SetMembers::SetNumber set : sets[i]) members_.Undemand(contexts_[i].family, set);
  }
}

bool ActiveRules::IsOutdated(const Shape& shape) const {
  for (const TierInForce& tier : shape.tiers) {
    for (const model::PolicyId& policy : tier.policies) {
      if (!lookup_.policy(policy).has_value()) return true;
    }
  }
  return false;
}

void ActiveRules::FlushRules(const OwnerKey& key) {
  const auto found = rules_.find(key);
  if (found == rules_.end()) return;
  ++stats_.active_rules.emitted;
  if (found->second.users > 0) {
    RenderRules(key, found->second);
    return;
  }
  for (std::size_t i = 0; i < found->second.sets.size(); ++i) {
    emitter_.RemoveChain(ChainKeyOf(key, contexts_[i]), OwnerName(std::get<Owner>(key)));
    for (const SetMembers::SetNumber set : found->second.sets[i]) {
      members_.Undemand(contexts_[i].family, set);
    }
  }
  rules_.erase(found);
}

void ActiveRules::FlushShape(const Shape& shape) {
  const bool live = shapes_.contains(shape);
  const std::string text = shape.ToString();
  const std::string name = ShapeChainName(text, shape.direction);
  for (const RenderContext& context : contexts_) {
    const ir::ChainKey key = KeyOf(context, TableOf(shape.kind), name);
    if (live) {
      emitter_.SetChain(key, text, RenderShape(shape, context));
    } else {
      emitter_.RemoveChain(key, text);
    }
  }
  ++stats_.active_rules.emitted;
  if (!live) return;
  ++stats_.shapes_rendered;
  ++stats_.active_rules.recomputed;
}

void ActiveRules::Flush() {
  for (const Shape& shape : dirty_shapes_) FlushShape(shape);
  dirty_shapes_.clear();
  for (const OwnerKey& key : dirty_rules_) FlushRules(key);
  dirty_rules_.clear();
}

}  // namespace felix::compiler
