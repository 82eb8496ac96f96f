// SPDX-License-Identifier: Apache-2.0
#include "iptables/drift.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

#include "fmt/format.h"

#include "model/base/overloaded.h"

namespace felix::iptables {
namespace {

struct Repair {
  std::string chain;
  bool is_builtin = false;
  bool made = false;     // was missing
  bool removed = false;  // is not ours to keep
  std::size_t put_back = 0;
  std::size_t taken_away = 0;
  std::size_t replaced = 0;
};

std::string Describe(const Repair& repair) {
  if (repair.made) return fmt::format("chain {} was deleted", repair.chain);
  if (repair.removed) return fmt::format("chain {} was added", repair.chain);
  const std::string_view what = repair.is_builtin ? "our rules in" : "rules of chain";
  if (repair.replaced != 0 || (repair.put_back != 0 && repair.taken_away != 0)) {
    return fmt::format("{} {} were changed or moved", what, repair.chain);
  }
  if (repair.put_back != 0) {
    return fmt::format("{} {} were deleted: {}", what, repair.chain, repair.put_back);
  }
  return fmt::format("rules were added to {}: {}", repair.chain, repair.taken_away);
}

bool IsBuiltin(const TableContent& content, const std::string& name) {
  const auto found = std::find_if(content.chains.begin(), content.chains.end(),
                                  [&](const KernelChain& chain) { return chain.name == name; });
  return found != content.chains.end() && found->is_builtin;
}

}  // namespace

std::vector<std::string> DescribeDrift(const Transaction& repair, const TableContent& found,
                                       std::size_t most) {
  std::vector<Repair> repairs;
  const auto of = [&](const std::string& chain) -> Repair* {
    const auto known = std::find_if(repairs.begin(), repairs.end(),
                                    [&](const Repair& other) { return other.chain == chain; });
    if (known != repairs.end()) return &*known;
    if (repairs.size() >= most) return nullptr;
    repairs.push_back(Repair{.chain = chain, .is_builtin = IsBuiltin(found, chain)});
    return &repairs.back();
  };
  std::size_t unnamed = 0;
  for (const Operation& operation : repair.operations) {
    const std::string& chain =
        std::visit([](const auto& op) -> const std::string& { return op.chain; }, operation);
    Repair* const one = of(chain);
    if (one == nullptr) {
      ++unnamed;
      continue;
    }
    std::visit(Overloaded{[&](const CreateChain&) { one->made = true; },
                          [&](const InsertRule&) { ++one->put_back; },
                          [&](const ReplaceRule&) { ++one->replaced; },
                          [&](const DeleteRule&) { ++one->taken_away; },
                          [&](const FlushChain&) { one->removed = true; },
                          [&](const DeleteChain&) { one->removed = true; }},
               operation);
  }
  std::vector<std::string> lines;
  for (const Repair& one : repairs) lines.push_back(Describe(one));
  if (unnamed != 0) lines.push_back(fmt::format("{} more operations to repair it", unnamed));
  return lines;
}

}  // namespace felix::iptables
