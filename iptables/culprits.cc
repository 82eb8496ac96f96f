// SPDX-License-Identifier: Apache-2.0
#include "iptables/culprits.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/container/btree_map.h"

#include "iptables/rule_codec.h"

namespace felix::iptables {
namespace {

using ByName = absl::btree_map<std::string, const KernelChain*>;

ByName OurChains(const TableContent& content) {
  ByName chains;
  for (const KernelChain& chain : content.chains) {
    if (!chain.is_builtin && IsOurChainName(chain.name)) chains.emplace(chain.name, &chain);
  }
  return chains;
}

}  // namespace

Attempt CulpritSearch::Try(const Names& more, const Write& write) {
  Names opened = innocent_;
  opened.insert(opened.end(), more.begin(), more.end());
  Attempt attempt = write(opened, culprits_);
  if (attempt.status.ok()) innocent_ = std::move(opened);
  return attempt;
}

absl::Status CulpritSearch::Run(Names candidates, Attempt first, const Write& write) {
  Names pending = std::move(candidates);
  Attempt last = std::move(first);
  while (!last.status.ok()) {
    if (!last.refused || culprits_.size() >= kMaxCulprits) return last.status;
    if (culprits_.size() == 1 && innocent_.empty() && !pending.empty()) {
      // Not one attempt went well so far: it may be the fault of none.
      const Attempt without_any = Try({}, write);
      if (!without_any.status.ok() && !without_any.refused) return without_any.status;
      if (without_any.refused) pending.clear();
    }
    if (pending.empty()) {
      culprits_.clear();
      return last.status;
    }
    if (absl::Status status = FindOne(pending, last.status, write); !status.ok()) return status;
    last = Try(pending, write);
  }
  return absl::OkStatus();
}

absl::Status CulpritSearch::FindOne(Names& pending, absl::Status reason, const Write& write) {
  Names suspects = std::move(pending);
  pending.clear();
  while (suspects.size() > 1) {
    const auto middle = suspects.begin() + static_cast<std::ptrdiff_t>(suspects.size() / 2);
    Names left(suspects.begin(), middle);
    Names right(middle, suspects.end());
    Attempt attempt = Try(left, write);
    if (attempt.status.ok()) {
      suspects = std::move(right);
      continue;
    }
    if (!attempt.refused) return attempt.status;
    reason = std::move(attempt.status);
    pending.insert(pending.end(), right.begin(), right.end());
    suspects = std::move(left);
  }
  culprits_.push_back({.chain = suspects.front(), .reason = std::move(reason)});
  return absl::OkStatus();
}

CulpritSearch::Names Suspects(const TableContent& actual, const DesiredTable& desired,
                              const std::function<bool(const std::string& chain)>& may_be_closed) {
  const ByName chains = OurChains(actual);
  CulpritSearch::Names names;
  for (const auto& [name, rules] : desired.chains) {
    if (!may_be_closed(name)) continue;
    const auto it = chains.find(name);
    const bool same = it != chains.end() &&
                      std::equal(it->second->rules.begin(), it->second->rules.end(), rules.begin(),
                                 rules.end(), [](const KernelRule& have, const EncodedRule& want) {
                                   return have.rule == want;
                                 });
    if (!same) names.push_back(name);
  }
  return names;
}

DesiredTable HoldBack(const TableContent& actual, DesiredTable desired,
                      const absl::btree_set<std::string>& held_back, const EncodedRule& drop) {
  const ByName chains = OurChains(actual);
  std::vector<std::string> todo(held_back.begin(), held_back.end());
  while (!todo.empty()) {
    const std::string name = std::move(todo.back());
    todo.pop_back();
    std::vector<EncodedRule> rules;
    const auto it = chains.find(name);
    if (it == chains.end()) {
      rules.push_back(drop);
    } else {
      for (const KernelRule& have : it->second->rules) rules.push_back(have.rule);
    }
    for (const EncodedRule& rule : rules) {
      if (rule.is_jump && chains.contains(rule.target) && !desired.chains.contains(rule.target)) {
        todo.push_back(rule.target);
      }
    }
    desired.chains.insert_or_assign(name, std::move(rules));
  }
  return desired;
}

}  // namespace felix::iptables
