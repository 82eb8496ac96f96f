// SPDX-License-Identifier: Apache-2.0
#include "felix/shape_adoption.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "fmt/format.h"

#include "compiler/endpoint_layout.h"
#include "compiler/names.h"
#include "ipset/kernel_sets.h"
#include "ipset/set_name.h"
#include "iptables/rule_codec.h"
#include "model/address.h"
#include "model/base/status_macros.h"

namespace felix {
namespace {

using Chains = std::map<std::uint32_t, std::optional<std::string>>;  // by number; none: in doubt

struct Leaf {
  std::uint32_t number = 0;
  std::string chain;
};

// The number that a rule of a tree leads to a shape, if it does.
std::optional<Leaf> LeafOf(const iptables::EncodedRule& encoded, model::IpFamily family,
                           const compiler::Marks& marks) {
  const auto no_sets = [](std::uint16_t) -> absl::StatusOr<std::string> {
    return absl::NotFoundError("no rule of a tree names a set");
  };
  const absl::StatusOr<ir::Rule> rule = iptables::Decode(encoded, family, no_sets);
  if (!rule.ok() || rule->matches.size() != 1) return std::nullopt;
  const auto* mark = std::get_if<ir::MarkMatch>(&rule->matches.front());
  const auto* target = std::get_if<ir::Goto>(&rule->action);
  if (mark == nullptr || target == nullptr) return std::nullopt;
  if (mark->mask != marks.shape || mark->negated) return std::nullopt;
  return Leaf{.number = marks.ShapeNumber(mark->value), .chain = target->chain};
}

void Note(const Leaf& leaf, Chains& chains) {
  const auto [known, is_new] = chains.try_emplace(leaf.number, leaf.chain);
  if (!is_new && known->second != leaf.chain) known->second.reset();
}

absl::Status ReadElements(ipset::KernelSets& sets, compiler::Direction direction,
                          const compiler::Marks& marks, compiler::AdoptedNumbers& numbers) {
  for (const model::IpFamily family : model::kIpFamilies) {
    FELIX_ASSIGN_OR_RETURN(
        const std::optional<ipset::SetContent> content,
        sets.Read(ipset::KernelSetName({family, compiler::ElementMapId(direction)})));
    if (!content.has_value()) continue;
    for (const ipset::InterfaceMember& member : content->interface_members) {
      if (member.mask != marks.element() || (member.mark & marks.known) == 0) continue;
      numbers.elements[{.interface_name = member.interface, .address = member.net.address()}] =
          marks.ShapeNumber(member.mark);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::array<compiler::AdoptedNumbers, 2>> ReadShapeNumbers(
    HostKernel& kernel, const compiler::Marks& marks) {
  std::array<Chains, 2> chains;
  for (const model::IpFamily family : model::kIpFamilies) {
    const std::vector<ir::Table> present = kernel.PresentTables(family);
    if (std::find(present.begin(), present.end(), ir::Table::kMangle) == present.end()) continue;
    const auto table = kernel.MakeTable(family, ir::Table::kMangle);
    FELIX_ASSIGN_OR_RETURN(const std::unique_ptr<iptables::TableSession> session, table->Open());
    for (const iptables::KernelChain& chain : session->content().chains) {
      for (const compiler::Direction direction : compiler::kDirections) {
        if (!chain.name.starts_with(compiler::ShapeTreeName(direction))) continue;
        for (const iptables::KernelRule& rule : chain.rules) {
          const std::optional<Leaf> leaf = LeafOf(rule.rule, family, marks);
          if (leaf.has_value()) Note(*leaf, chains[compiler::Index(direction)]);
        }
      }
    }
  }
  std::array<compiler::AdoptedNumbers, 2> numbers;
  for (const compiler::Direction direction : compiler::kDirections) {
    for (const auto& [number, chain] : chains[compiler::Index(direction)]) {
      // One in doubt is kept from all shapes: no chain has this name.
      numbers[compiler::Index(direction)].by_chain.emplace(
          chain.has_value() ? *chain : fmt::format("number {}", number), number);
    }
    FELIX_RETURN_IF_ERROR(
        ReadElements(kernel.sets(), direction, marks, numbers[compiler::Index(direction)]));
  }
  return numbers;
}

}  // namespace felix
