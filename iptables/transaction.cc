// SPDX-License-Identifier: Apache-2.0
#include "iptables/transaction.h"

#include <utility>

#include "fmt/format.h"

#include "compiler/ir/print.h"
#include "iptables/rule_codec.h"
#include "model/base/overloaded.h"

namespace felix::iptables {
namespace {

std::string PrintRule(const EncodedRule& rule, model::IpFamily family, const SetIdResolver& id_of) {
  const SetIdResolver tolerant = [&](std::uint16_t index) -> absl::StatusOr<std::string> {
    if (id_of) {
      if (auto id = id_of(index); id.ok()) return id;
    }
    return fmt::format("#{}", index);
  };
  const auto decoded = Decode(rule, family, tolerant);
  return decoded.ok() ? ir::Print(*decoded, family) : fmt::format("rule to {}", rule.target);
}

}  // namespace

std::string Print(const Transaction& transaction, model::IpFamily family,
                  const SetIdResolver& id_of) {
  std::string out;
  const auto line = [&](std::string text) { out += std::move(text) + "\n"; };
  for (const Operation& operation : transaction.operations) {
    std::visit(Overloaded{
                   [&](const CreateChain& op) { line(fmt::format("create chain {}", op.chain)); },
                   [&](const InsertRule& op) {
                     line(fmt::format("insert {}[{}] {}", op.chain, op.position,
                                      PrintRule(op.rule, family, id_of)));
                   },
                   [&](const ReplaceRule& op) {
                     line(fmt::format("replace {}[{}] {}", op.chain, op.position,
                                      PrintRule(op.rule, family, id_of)));
                   },
                   [&](const DeleteRule& op) {
                     line(fmt::format("delete {}[{}]", op.chain, op.position));
                   },
                   [&](const FlushChain& op) { line(fmt::format("flush chain {}", op.chain)); },
                   [&](const DeleteChain& op) { line(fmt::format("delete chain {}", op.chain)); },
               },
               operation);
  }
  return out;
}

}  // namespace felix::iptables
