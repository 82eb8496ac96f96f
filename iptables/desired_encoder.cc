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

}  // namespace

bool DesiredEncoder::Stage(const ir::DesiredDelta& delta) {
  bool changed = false;
  const auto mine = [&](const auto& key) { return key.family == family_ && key.table == table_; };
  for (const auto& key : delta.removed_chains) {
    if (mine(key)) changed = StageChain(key, nullptr) || changed;
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
  return changed;
}

bool DesiredEncoder::StageChain(const ir::ChainKey& key, const ir::Chain* chain) {
  const auto it = chains_.find(key.name);
  if (chain == nullptr) {
    if (it == chains_.end()) return false;
    sets_in_.erase(key.name);
    chains_.erase(it);
    encoded_.chains.erase(key.name);
    stale_.erase(key.name);
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
  chains_.clear();
  hooks_.clear();
  stale_.clear();
  sets_in_.clear();
  encoded_ = {};
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
  while (!stale_.empty()) {
    const std::string name = *stale_.begin();
    FELIX_RETURN_IF_ERROR(EncodeChain(name, once));
    stale_.erase(name);
  }
  return EncodeHooks(once);
}

absl::Status DesiredEncoder::EncodeChain(const std::string& name,
                                         const SetIndexResolver& index_of) {
  SetNumbers numbers;
  const SetIndexResolver remembering = [&](const ir::SetKey& key) -> absl::StatusOr<std::uint16_t> {
    FELIX_ASSIGN_OR_RETURN(const std::uint16_t index, index_of(key));
    numbers.insert_or_assign(key.id, index);
    return index;
  };
  std::vector<EncodedRule> rules;
  FELIX_RETURN_IF_ERROR(
      EncodeRules(chains_.at(name).rules, name, std::nullopt, remembering, rules));
  encoded_.chains.insert_or_assign(name, std::move(rules));
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
