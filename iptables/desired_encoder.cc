// SPDX-License-Identifier: Apache-2.0
#include "iptables/desired_encoder.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"

#include "compiler/ir/print.h"
#include "iptables/rule_codec.h"
#include "iptables/rule_place.h"
#include "model/base/check.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::iptables {
namespace {

bool SameInKernel(const std::vector<ir::Rule>& a, const std::vector<ir::Rule>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ir::Rule& x, const ir::Rule& y) {
                      return x.action == y.action && x.matches == y.matches;
                    });
}

bool NamesOneOf(const ir::Chain& chain, const absl::btree_set<std::string>& set_ids) {
  for (const ir::Rule& rule : chain.rules) {
    for (const ir::Match& match : rule.matches) {
      const auto* set = std::get_if<ir::SetMatch>(&match);
      if (set != nullptr && set_ids.contains(set->set_id)) return true;
    }
    const auto* map = std::get_if<ir::MapSet>(&rule.action);
    if (map != nullptr && set_ids.contains(map->set_id)) return true;
  }
  return false;
}

bool StartsWithOneOf(std::string_view name, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// Rules of a policy or profile say whose they are; in other chains the word says what for.
std::string OwnerOf(const std::string& name, const ir::Chain& chain) {
  if (!StartsWithOneOf(name, {"cali-pi-", "cali-po-", "cali-pri-", "cali-pro-"})) return name;
  for (const ir::Rule& rule : chain.rules) {
    if (!rule.provenance.owner.empty()) return rule.provenance.owner;
  }
  return name;
}

}  // namespace

bool IsClosable(std::string_view chain, ir::Table table) {
  return table != ir::Table::kNat &&
         StartsWithOneOf(chain, {"cali-pi-", "cali-po-", "cali-pri-", "cali-pro-", "cali-fw-",
                                 "cali-tw-", "cali-si-", "cali-se-"});
}

EncodedRule DropRule(model::IpFamily family) {
  const ir::Rule drop{.matches = {}, .action = ir::Drop{}, .provenance = {}};
  absl::StatusOr<EncodedRule> rule =
      iptables::Encode(drop, family, [](const ir::SetKey&) -> absl::StatusOr<std::uint16_t> {
        return absl::InternalError("a rule without sets");
      });
  FELIX_CHECK(rule.ok(), "a bare verdict can be encoded");
  return *std::move(rule);
}

DesiredEncoder::Change DesiredEncoder::Stage(const ir::DesiredDelta& delta) {
  bool changed = false;
  absl::btree_set<std::string> removed;
  const auto mine = [&](const auto& key) { return key.family == family_ && key.table == table_; };
  for (const auto& key : delta.removed_chains) {
    if (mine(key) && StageChain(key, nullptr)) removed.insert(key.name);
  }
  for (const auto& [key, chain] : delta.chains) {
    if (mine(key)) changed = StageChain(key, &chain) || changed;
  }
  for (const auto& key : delta.removed_hooks) {
    if (mine(key)) changed = StageHook(key, nullptr) || changed;
  }
  for (const auto& [key, rules] : delta.hooks) {
    if (mine(key)) changed = StageHook(key, &rules) || changed;
  }
  if (changed) return Change::kContent;
  if (removed.empty()) return Change::kNone;
  return IsReferredTo(removed) ? Change::kContent : Change::kOnlyRemovals;
}

bool DesiredEncoder::IsReferredTo(const absl::btree_set<std::string>& chains) const {
  const auto refers = [&](const ir::Rule& rule) {
    if (const auto* jump = std::get_if<ir::Jump>(&rule.action)) return chains.contains(jump->chain);
    const auto* go = std::get_if<ir::Goto>(&rule.action);
    return go != nullptr && chains.contains(go->chain);
  };
  const auto any_refers = [&](const std::vector<ir::Rule>& rules) {
    return std::any_of(rules.begin(), rules.end(), refers);
  };
  return std::any_of(chains_.begin(), chains_.end(),
                     [&](const auto& entry) { return any_refers(entry.second.rules); }) ||
         std::any_of(hooks_.begin(), hooks_.end(),
                     [&](const auto& entry) { return any_refers(entry.second); });
}

bool DesiredEncoder::StageChain(const ir::ChainKey& key, const ir::Chain* chain) {
  const auto it = chains_.find(key.name);
  if (chain == nullptr) {
    if (it == chains_.end()) return false;
    sets_in_.erase(key.name);
    chains_.erase(it);
    encoded_.chains.erase(key.name);
    stale_.erase(key.name);
    closed_.erase(key.name);
    touched_.insert(key.name);
    return true;
  }
  if (it != chains_.end() && SameInKernel(it->second.rules, chain->rules)) {
    it->second = *chain;
    return false;
  }
  chains_[key.name] = *chain;
  stale_.insert(key.name);
  return true;
}

bool DesiredEncoder::StageHook(const ir::HookKey& key, const std::vector<ir::Rule>* rules) {
  const auto it = hooks_.find(key);
  if (rules == nullptr) {
    if (it == hooks_.end()) return false;
    hooks_.erase(it);
    return true;
  }
  if (it != hooks_.end() && SameInKernel(it->second, *rules)) {
    it->second = *rules;
    return false;
  }
  hooks_[key] = *rules;
  return true;
}

void DesiredEncoder::Clear() {
  for (const auto& [name, rules] : encoded_.chains) touched_.insert(name);
  for (const auto& [name, rules] : encoded_.hooks) touched_.insert(name);
  chains_.clear();
  hooks_.clear();
  stale_.clear();
  sets_in_.clear();
  closed_.clear();
  encoded_ = {};
}

bool DesiredEncoder::SetUnusableSets(absl::btree_map<std::string, std::string> reasons) {
  if (reasons == unusable_sets_) return false;
  absl::btree_set<std::string> changed;
  for (const auto& [id, reason] : reasons) {
    const auto known = unusable_sets_.find(id);
    if (known == unusable_sets_.end() || known->second != reason) changed.insert(id);
  }
  for (const auto& [id, reason] : unusable_sets_) {
    if (!reasons.contains(id)) changed.insert(id);
  }
  unusable_sets_ = std::move(reasons);
  const std::size_t before = stale_.size();
  for (const auto& [name, chain] : chains_) {
    if (NamesOneOf(chain, changed)) stale_.insert(name);
  }
  return stale_.size() != before;
}

void DesiredEncoder::Close(const std::string& chain, absl::Status reason) {
  encoded_.chains.at(chain) = {DropRule(family_)};
  touched_.insert(chain);
  closed_.insert_or_assign(
      chain, ClosedChain{.owner = OwnerOf(chain, chains_.at(chain)), .reason = std::move(reason)});
}

bool DesiredEncoder::Reopen() {
  for (const auto& [name, closed] : closed_) stale_.insert(name);
  return !closed_.empty();
}

void DesiredEncoder::FindMovedSets(const SetIndexResolver& index_of) {
  for (const auto& [chain, numbers] : sets_in_) {
    for (const auto& [id, number] : numbers) {
      const auto index = index_of(ir::SetKey{.family = family_, .id = id});
      // A missing set is an error only if the chain, encoded again, still asks for it.
      if (!index.ok() || *index != number) stale_.insert(chain);
    }
  }
}

absl::Status DesiredEncoder::Encode(const SetIndexResolver& index_of) {
  absl::flat_hash_map<std::string, std::uint16_t> asked;
  const SetIndexResolver once = [&](const ir::SetKey& key) -> absl::StatusOr<std::uint16_t> {
    if (const auto it = asked.find(key.id); it != asked.end()) return it->second;
    FELIX_ASSIGN_OR_RETURN(const std::uint16_t index, index_of(key));
    asked.emplace(key.id, index);
    return index;
  };
  FindMovedSets(once);
  const absl::btree_set<std::string> todo = stale_;
  for (const std::string& name : todo) FELIX_RETURN_IF_ERROR(EncodeOrClose(name, once));
  return EncodeHooks(once);
}

absl::Status DesiredEncoder::EncodeOrClose(const std::string& name,
                                           const SetIndexResolver& index_of) {
  absl::Status status = EncodeChain(name, index_of);
  if (status.ok()) {
    closed_.erase(name);
    stale_.erase(name);
    return status;
  }
  if (absl::IsCancelled(status) || !IsClosable(name, table_)) return status;
  encoded_.chains.try_emplace(name);
  sets_in_.erase(name);
  // A set may come back at any time, other reasons do not go away by themselves.
  if (!absl::IsNotFound(status)) stale_.erase(name);
  Close(name, std::move(status));
  return absl::OkStatus();
}

absl::Status DesiredEncoder::EncodeChain(const std::string& name,
                                         const SetIndexResolver& index_of) {
  SetNumbers numbers;
  const SetIndexResolver remembering = [&](const ir::SetKey& key) -> absl::StatusOr<std::uint16_t> {
    if (const auto it = unusable_sets_.find(key.id); it != unusable_sets_.end()) {
      return absl::FailedPreconditionError(
          fmt::format("set {} cannot be used: {}", key.id, it->second));
    }
    FELIX_ASSIGN_OR_RETURN(const std::uint16_t index, index_of(key));
    numbers.insert_or_assign(key.id, index);
    return index;
  };
  std::vector<EncodedRule> rules;
  FELIX_RETURN_IF_ERROR(
      EncodeRules(chains_.at(name).rules, name, std::nullopt, remembering, rules));
  encoded_.chains.insert_or_assign(name, std::move(rules));
  touched_.insert(name);
  if (numbers.empty()) {
    sets_in_.erase(name);
  } else {
    sets_in_.insert_or_assign(name, std::move(numbers));
  }
  return absl::OkStatus();
}

absl::Status DesiredEncoder::EncodeHooks(const SetIndexResolver& index_of) {
  absl::btree_map<std::string, HookRules> hooks;
  for (const auto& [key, rules] : hooks_) {
    const std::string name(ir::BaseChainName(key.base));
    HookRules& hook = hooks[name];
    auto& place = key.position == ir::HookPosition::kFirst ? hook.first : hook.last;
    FELIX_RETURN_IF_ERROR(EncodeRules(rules, name, key.base, index_of, place));
  }
  if (hooks == encoded_.hooks) return absl::OkStatus();
  for (const auto& [name, rules] : hooks) touched_.insert(name);
  for (const auto& [name, rules] : encoded_.hooks) touched_.insert(name);
  encoded_.hooks = std::move(hooks);
  return absl::OkStatus();
}

absl::Status DesiredEncoder::EncodeRules(const std::vector<ir::Rule>& rules,
                                         const std::string& chain,
                                         std::optional<ir::BaseChain> base,
                                         const SetIndexResolver& index_of,
                                         std::vector<EncodedRule>& out) {
  out.reserve(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    absl::StatusOr<EncodedRule> encoded = EncodedRule();
    if (const absl::Status place = CheckPlace(rules[i], table_, base); !place.ok()) {
      encoded = place;
    } else {
      encoded = base.has_value() ? EncodeHookRule(rules[i], family_, index_of)
                                 : iptables::Encode(rules[i], family_, index_of);
    }
    if (!encoded.ok()) {
      return absl::Status(
          encoded.status().code(),
          ToAbsl(fmt::format("encoding rule {} of chain {} ({}): {}", i, chain,
                             ir::Print(rules[i], family_), ToStd(encoded.status().message()))));
    }
    out.push_back(*std::move(encoded));
  }
  return absl::OkStatus();
}

std::size_t DesiredEncoder::rule_count() const {
  std::size_t count = 0;
  for (const auto& [name, chain] : chains_) count += chain.rules.size();
  for (const auto& [key, rules] : hooks_) count += rules.size();
  return count;
}

}  // namespace felix::iptables
