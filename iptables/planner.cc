// SPDX-License-Identifier: Apache-2.0
#include "iptables/planner.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "fmt/format.h"

#include "iptables/entry_bytes.h"
#include "iptables/rule_codec.h"
#include "iptables/sequence_diff.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::iptables {
namespace {

using Wanted = std::vector<const EncodedRule*>;

void AddTo(Wanted& wanted, const std::vector<EncodedRule>& rules) {
  for (const EncodedRule& rule : rules) wanted.push_back(&rule);
}

// Numbers for rules, equal exactly for equal rules.
class Interned {
 public:
  std::uint32_t Of(const EncodedRule& rule) {
    const auto next = static_cast<std::uint32_t>(numbers_.size());
    return numbers_.try_emplace({ToAbsl(rule.bytes), rule.is_jump}, next).first->second;
  }

 private:
  absl::flat_hash_map<std::pair<absl::string_view, bool>, std::uint32_t> numbers_;
};

class Planner {
 public:
  Planner(const TableContent& actual, const DesiredTable& desired, HookPlacement placement,
          const RuleTest& is_left_over)
      : actual_(actual), desired_(desired), placement_(placement), is_left_over_(is_left_over) {
    for (const KernelChain& chain : actual.chains) by_name_.emplace(ToAbsl(chain.name), &chain);
  }

  absl::StatusOr<Transaction> Run() {
    for (const auto& [name, rules] : desired_.chains) {
      FELIX_RETURN_IF_ERROR(CheckChain(name, rules));
    }
    for (const auto& [base, rules] : desired_.hooks) {
      FELIX_RETURN_IF_ERROR(CheckHook(base, rules));
    }
    for (const auto& [name, rules] : desired_.chains) {
      if (Find(name) == nullptr) Emit(CreateChain{name});
    }
    for (const auto& [name, rules] : desired_.chains) PlanChain(name, rules);
    for (const KernelChain& chain : actual_.chains) {
      if (!IsOurs(chain)) PlanForeignChain(chain);
    }
    std::vector<const KernelChain*> unwanted;
    for (const KernelChain& chain : actual_.chains) {
      if (IsUnwanted(chain)) unwanted.push_back(&chain);
    }
    PlanRemovals(unwanted);
    return std::move(transaction_);
  }

  absl::StatusOr<Transaction> RunFor(const absl::btree_set<std::string>& chains) {
    std::vector<std::pair<const std::string*, const std::vector<EncodedRule>*>> wanted;
    std::vector<const KernelChain*> foreign;
    std::vector<const KernelChain*> unwanted;
    for (const std::string& name : chains) {
      if (const auto it = desired_.chains.find(name); it != desired_.chains.end()) {
        FELIX_RETURN_IF_ERROR(CheckChain(name, it->second));
        wanted.emplace_back(&it->first, &it->second);
      } else if (const KernelChain* chain = Find(name); chain != nullptr) {
        if (!IsOurs(*chain)) foreign.push_back(chain);
        if (IsUnwanted(*chain)) unwanted.push_back(chain);
      }
      if (const auto hook = desired_.hooks.find(name); hook != desired_.hooks.end()) {
        FELIX_RETURN_IF_ERROR(CheckHook(name, hook->second));
      }
    }
    for (const auto& [name, rules] : wanted) {
      if (Find(*name) == nullptr) Emit(CreateChain{*name});
    }
    for (const auto& [name, rules] : wanted) PlanChain(*name, *rules);
    for (const KernelChain* chain : foreign) PlanForeignChain(*chain);
    PlanRemovals(unwanted);
    return std::move(transaction_);
  }

 private:
  void Emit(Operation operation) { transaction_.operations.push_back(std::move(operation)); }

  [[nodiscard]] const KernelChain* Find(std::string_view name) const {
    const auto it = by_name_.find(ToAbsl(name));
    return it == by_name_.end() ? nullptr : it->second;
  }

  static bool IsOurs(const KernelChain& chain) {
    return !chain.is_builtin && IsOurChainName(chain.name);
  }

  [[nodiscard]] bool IsUnwanted(const KernelChain& chain) const {
    return IsOurs(chain) && !desired_.chains.contains(chain.name);
  }

  [[nodiscard]] absl::Status CheckChain(const std::string& name,
                                        const std::vector<EncodedRule>& rules) const {
    if (!IsOurChainName(name) || name.size() > kMaxTargetNameLength) {
      return absl::InvalidArgumentError(
          fmt::format("chain name '{}' is not one of ours or longer than {} bytes", name,
                      kMaxTargetNameLength));
    }
    return CheckJumps(name, rules);
  }

  [[nodiscard]] absl::Status CheckHook(const std::string& base, const HookRules& rules) const {
    const KernelChain* chain = Find(base);
    if (chain == nullptr || !chain->is_builtin) {
      return absl::InvalidArgumentError(fmt::format("the table has no chain {} to hook", base));
    }
    FELIX_RETURN_IF_ERROR(CheckJumps(base, rules.first));
    return CheckJumps(base, rules.last);
  }

  absl::Status CheckJumps(std::string_view from, const std::vector<EncodedRule>& rules) const {
    for (const EncodedRule& rule : rules) {
      if (!rule.is_jump || desired_.chains.contains(rule.target)) continue;
      const KernelChain* target = Find(rule.target);
      if (target == nullptr || target->is_builtin || IsOurs(*target)) {
        return absl::InvalidArgumentError(
            fmt::format("chain {} jumps to missing chain {}", from, rule.target));
      }
    }
    return absl::OkStatus();
  }

  void PlanChain(const std::string& name, const std::vector<EncodedRule>& rules) {
    const KernelChain* chain = Find(name);
    Wanted wanted;
    AddTo(wanted, rules);
    if (chain == nullptr) {
      Append(name, 0, wanted);
    } else {
      PlanRun(name, 0, chain->rules, wanted);
    }
  }

  void Append(const std::string& chain, std::size_t position, const Wanted& wanted) {
    for (const EncodedRule* rule : wanted) Emit(InsertRule{chain, position++, *rule});
  }

  // Turns the run of rules that begins at `position` into `wanted`.
  void PlanRun(const std::string& chain, std::size_t position, std::span<const KernelRule> run,
               const Wanted& wanted) {
    const auto same = [](const KernelRule& have, const EncodedRule* want) {
      return have.rule == *want;
    };
    if (std::equal(run.begin(), run.end(), wanted.begin(), wanted.end(), same)) return;
    Interned interned;
    std::vector<std::uint32_t> from;
    std::vector<std::uint32_t> to;
    for (const KernelRule& have : run) from.push_back(interned.Of(have.rule));
    for (const EncodedRule* want : wanted) to.push_back(interned.Of(*want));
    auto kept = CommonSubsequence(from, to);
    kept.emplace_back(from.size(), to.size());
    std::size_t i = 0;
    std::size_t j = 0;
    for (const auto& [next_from, next_to] : kept) {
      while (i < next_from && j < next_to) {
        Emit(ReplaceRule{chain, position++, *wanted[j]});
        ++i;
        ++j;
      }
      for (; i < next_from; ++i) Emit(DeleteRule{chain, position});
      for (; j < next_to; ++j) Emit(InsertRule{chain, position++, *wanted[j]});
      ++position;
      ++i;
      ++j;
    }
  }

  void PlanForeignChain(const KernelChain& chain) {
    Wanted head;
    Wanted tail;
    if (const auto hook = desired_.hooks.find(chain.name);
        chain.is_builtin && hook != desired_.hooks.end()) {
      AddTo(placement_ == HookPlacement::kInsert ? head : tail, hook->second.first);
      AddTo(tail, hook->second.last);
    }
    const std::span<const KernelRule> rules = chain.rules;
    const auto is_foreign = [&](const KernelRule& rule) {
      if (IsOurHookRule(rule.rule)) return false;
      return !(is_left_over_ && chain.is_builtin && is_left_over_(rule.rule));
    };
    const auto first = static_cast<std::size_t>(
        std::find_if(rules.begin(), rules.end(), is_foreign) - rules.begin());
    if (first == rules.size()) {
      head.insert(head.end(), tail.begin(), tail.end());
      PlanRun(chain.name, 0, rules, head);
      return;
    }
    const auto behind = static_cast<std::size_t>(
        rules.rend() - std::find_if(rules.rbegin(), rules.rend(), is_foreign));
    // From the back to the front, so that positions in front stay what they are.
    PlanRun(chain.name, behind, rules.subspan(behind), tail);
    for (std::size_t i = behind; i-- > first;) {
      if (!is_foreign(rules[i])) Emit(DeleteRule{chain.name, i});
    }
    PlanRun(chain.name, 0, rules.first(first), head);
  }

  void PlanRemovals(const std::vector<const KernelChain*>& unwanted) {
    // They may refer to one another: empty all of them before the first goes.
    for (const KernelChain* chain : unwanted) {
      if (!chain->rules.empty()) Emit(FlushChain{chain->name});
    }
    for (const KernelChain* chain : unwanted) Emit(DeleteChain{chain->name});
  }

  const TableContent& actual_;
  const DesiredTable& desired_;
  HookPlacement placement_;
  const RuleTest& is_left_over_;
  absl::flat_hash_map<absl::string_view, const KernelChain*> by_name_;
  Transaction transaction_;
};

}  // namespace

bool IsOurHookRule(const EncodedRule& rule) {
  return rule.is_tagged || (rule.is_jump && IsOurChainName(rule.target));
}

absl::StatusOr<Transaction> Plan(const TableContent& actual, const DesiredTable& desired,
                                 HookPlacement placement, const RuleTest& is_left_over) {
  return Planner(actual, desired, placement, is_left_over).Run();
}

absl::btree_set<std::string> NamedBy(const absl::btree_set<std::string>& chains,
                                     const DesiredTable& desired) {
  absl::btree_set<std::string> named;
  const auto add = [&](const std::vector<EncodedRule>& rules) {
    for (const EncodedRule& rule : rules) {
      if (rule.is_jump) named.insert(rule.target);
    }
  };
  for (const std::string& name : chains) {
    if (const auto it = desired.chains.find(name); it != desired.chains.end()) add(it->second);
    if (const auto it = desired.hooks.find(name); it != desired.hooks.end()) {
      add(it->second.first);
      add(it->second.last);
    }
  }
  return named;
}

absl::StatusOr<Transaction> PlanChains(const absl::btree_set<std::string>& chains,
                                       const TableContent& actual, const DesiredTable& desired,
                                       HookPlacement placement, const RuleTest& is_left_over) {
  return Planner(actual, desired, placement, is_left_over).RunFor(chains);
}

}  // namespace felix::iptables
