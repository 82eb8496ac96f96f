// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_kernel_table.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "fmt/format.h"

#include "iptables/errno_status.h"
#include "model/base/check.h"
#include "model/base/overloaded.h"
#include "model/base/status_macros.h"

namespace felix::testing {
namespace {

using iptables::EncodedRule;
using iptables::KernelChain;
using iptables::KernelRule;
using iptables::TableContent;

constexpr std::size_t kMaxChainName = 31;

KernelChain* Find(TableContent& table, std::string_view name) {
  const auto it = std::find_if(table.chains.begin(), table.chains.end(),
                               [&](const KernelChain& chain) { return chain.name == name; });
  return it == table.chains.end() ? nullptr : &*it;
}

absl::Status Invalid(std::string_view why, std::string_view chain) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", why, chain));
}

absl::Status CheckTarget(const EncodedRule& rule, TableContent& table) {
  const KernelChain* target = Find(table, rule.target);
  if (rule.is_jump && target == nullptr) return Invalid("jump to missing chain", rule.target);
  if (rule.is_jump && target->is_builtin) return Invalid("jump to built-in chain", rule.target);
  return absl::OkStatus();
}

absl::Status Create(const std::string& name, TableContent& table) {
  if (name.empty() || name.size() > kMaxChainName) return Invalid("bad chain name", name);
  if (Find(table, name) != nullptr) return Invalid("chain exists", name);
  const auto place = std::find_if(
      table.chains.begin(), table.chains.end(),
      [&](const KernelChain& chain) { return !chain.is_builtin && chain.name > name; });
  table.chains.insert(place,
                      KernelChain{.name = name, .is_builtin = false, .policy = {}, .rules = {}});
  return absl::OkStatus();
}

absl::Status Delete(const std::string& name, TableContent& table) {
  KernelChain* chain = Find(table, name);
  if (chain == nullptr) return Invalid("no such chain", name);
  if (chain->is_builtin) return Invalid("chain is built in", name);
  for (const KernelChain& other : table.chains) {
    for (const KernelRule& rule : other.rules) {
      if (rule.rule.is_jump && rule.rule.target == name) return Invalid("chain is in use", name);
    }
  }
  if (!chain->rules.empty()) return Invalid("chain is not empty", name);
  table.chains.erase(table.chains.begin() + (chain - table.chains.data()));
  return absl::OkStatus();
}

// The chain, if it has a rule at `position`, or room for one with `size_is_valid`.
absl::StatusOr<KernelChain*> At(const std::string& name, std::size_t position, bool size_is_valid,
                                TableContent& table) {
  KernelChain* chain = Find(table, name);
  if (chain == nullptr) return Invalid("no such chain", name);
  if (position >= chain->rules.size() + (size_is_valid ? 1 : 0)) {
    return Invalid("position behind the end", name);
  }
  return chain;
}

std::vector<std::string_view> BuiltinChains(ir::Table table) {
  switch (table) {
    case ir::Table::kRaw:
      return {"PREROUTING", "OUTPUT"};
    case ir::Table::kMangle:
      return {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
    case ir::Table::kNat:
      return {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"};
    case ir::Table::kFilter:
      return {"INPUT", "FORWARD", "OUTPUT"};
  }
  FELIX_CHECK(false, "unknown table");
}

}  // namespace

iptables::TableContent EmptyTable(ir::Table table) {
  TableContent content;
  for (const std::string_view name : BuiltinChains(table)) {
    content.chains.push_back(KernelChain{
        .name = std::string(name), .is_builtin = true, .policy = "ACCEPT", .rules = {}});
  }
  return content;
}

iptables::KernelChain& ChainOf(iptables::TableContent& table, std::string_view name) {
  KernelChain* chain = Find(table, name);
  FELIX_CHECK(chain != nullptr, fmt::format("no chain {}", name));
  return *chain;
}

absl::Status Execute(const iptables::Operation& operation, iptables::TableContent& table) {
  return std::visit(
      Overloaded{
          [&](const iptables::CreateChain& op) { return Create(op.chain, table); },
          [&](const iptables::DeleteChain& op) { return Delete(op.chain, table); },
          [&](const iptables::FlushChain& op) -> absl::Status {
            KernelChain* chain = Find(table, op.chain);
            if (chain == nullptr) return Invalid("no such chain", op.chain);
            chain->rules.clear();
            return absl::OkStatus();
          },
          [&](const iptables::InsertRule& op) -> absl::Status {
            FELIX_ASSIGN_OR_RETURN(KernelChain * chain, At(op.chain, op.position, true, table));
            FELIX_RETURN_IF_ERROR(CheckTarget(op.rule, table));
            chain->rules.insert(chain->rules.begin() + static_cast<std::ptrdiff_t>(op.position),
                                KernelRule{.rule = op.rule, .counters = {}});
            return absl::OkStatus();
          },
          [&](const iptables::ReplaceRule& op) -> absl::Status {
            FELIX_ASSIGN_OR_RETURN(KernelChain * chain, At(op.chain, op.position, false, table));
            FELIX_RETURN_IF_ERROR(CheckTarget(op.rule, table));
            chain->rules[op.position] = KernelRule{.rule = op.rule, .counters = {}};
            return absl::OkStatus();
          },
          [&](const iptables::DeleteRule& op) -> absl::Status {
            FELIX_ASSIGN_OR_RETURN(KernelChain * chain, At(op.chain, op.position, false, table));
            chain->rules.erase(chain->rules.begin() + static_cast<std::ptrdiff_t>(op.position));
            return absl::OkStatus();
          },
      },
      operation);
}

class FakeKernelTable::Session final : public iptables::TableSession {
 public:
  // With `known`, an excerpt.
  explicit Session(FakeKernelTable& table, const iptables::KnownTable* known = nullptr)
      : table_(table),
        content_(table.content_),
        shown_(content_),
        generation_(table.generation_),
        is_excerpt_(known != nullptr) {
    table_.locked_ = true;
    if (known == nullptr) return;
    std::erase_if(shown_.chains, [&](KernelChain& chain) {
      if (known->chains.contains(chain.name)) return false;
      chain.rules.clear();
      return !known->named.contains(chain.name);
    });
  }
  ~Session() override { table_.locked_ = false; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] const TableContent& content() const override { return shown_; }
  [[nodiscard]] std::uint64_t revision() const override { return table_.generation_ + 1; }
  [[nodiscard]] bool is_excerpt() const override { return is_excerpt_; }

  absl::Status Commit(const iptables::Transaction& transaction) override {
    FELIX_CHECK(!std::exchange(committed_, true), "a session commits once");
    TableContent next = content_;
    for (const iptables::Operation& operation : transaction.operations) {
      FELIX_RETURN_IF_ERROR(Execute(operation, next));
    }
    if (auto change = std::exchange(table_.interference_, {})) table_.ChangeUnlocked(change);
    if (table_.aborts_ > 0) {
      --table_.aborts_;
      return absl::AbortedError("committing: the table changed");
    }
    if (generation_ != table_.generation_) return absl::AbortedError("committing: stale session");
    if (!table_.commit_failure_.ok()) {
      if (is_excerpt_) return table_.commit_failure_;
      return std::exchange(table_.commit_failure_, absl::OkStatus());
    }
    if (const int error = table_.refuses_ ? table_.refuses_(next) : 0; error != 0) {
      ++table_.refused_commits_;
      return iptables::CommitFailure(error);
    }
    table_.content_ = std::move(next);
    ++table_.generation_;
    ++table_.commits_;
    return absl::OkStatus();
  }

 private:
  FakeKernelTable& table_;
  TableContent content_;
  TableContent shown_;
  std::uint64_t generation_;
  bool is_excerpt_;
  bool committed_ = false;
};

absl::StatusOr<std::unique_ptr<iptables::TableSession>> FakeKernelTable::Open() {
  ++opens_;
  if (failing_opens_ > 0) {
    --failing_opens_;
    return open_failure_;
  }
  if (locked_) return absl::UnavailableError("the lock is held by another session");
  return std::make_unique<Session>(*this);
}

absl::StatusOr<std::unique_ptr<iptables::TableSession>> FakeKernelTable::OpenKnown(
    const iptables::KnownTable& known) {
  if (known.revision != generation_ + 1 || failing_opens_ > 0 || locked_) return Open();
  ++opens_;
  ++excerpts_;
  shown_ = known.chains;
  was_told_to_read_ = known.must_read;
  return std::make_unique<Session>(*this, &known);
}

void FakeKernelTable::ChangeUnlocked(const std::function<void(iptables::TableContent&)>& change) {
  change(content_);
  ++generation_;
}

void FakeKernelTable::FailOpens(int count, absl::Status status) {
  failing_opens_ = count;
  open_failure_ = std::move(status);
}

}  // namespace felix::testing
