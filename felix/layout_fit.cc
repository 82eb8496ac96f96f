// SPDX-License-Identifier: Apache-2.0
#include "felix/layout_fit.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/btree_set.h"
#include "fmt/format.h"

#include "compiler/endpoint_layout.h"
#include "compiler/ir/desired_state.h"
#include "compiler/marks.h"
#include "compiler/names.h"
#include "model/update.h"

namespace felix {
namespace {

using compiler::ChainLayout;
using compiler::Direction;

// Chains from which packets go to what containers are subject to: containers' own, and the trees.
bool LeadsToLists(std::string_view chain_name, Direction direction) {
  // As compiler::EndpointChainName begins.
  const std::string_view own = direction == Direction::kIngress ? "cali-tw-" : "cali-fw-";
  return chain_name.starts_with(own) || chain_name.starts_with(compiler::ShapeTreeName(direction));
}

std::size_t CountLists(const ir::DesiredState& state, Direction direction) {
  absl::btree_set<std::string> lists;  // both families have the same
  for (const auto& [key, chain] : state.chains) {
    if (!LeadsToLists(key.name, direction)) continue;
    for (const ir::Rule& rule : chain.rules) {
      const auto* target = std::get_if<ir::Goto>(&rule.action);
      if (target != nullptr && !LeadsToLists(target->chain, direction)) lists.insert(target->chain);
    }
  }
  return lists.size();
}

LayoutFit::Need NeedOf(const compiler::Graph& graph) {
  LayoutFit::Need need;
  for (const Direction direction : compiler::kDirections) {
    need.lists[compiler::Index(direction)] = CountLists(graph.desired(), direction);
  }
  const compiler::LayoutReport report = graph.layout_report();
  need.without_number = report.without_number.size();
  need.with_own_chains = report.with_own_chains;
  return need;
}

std::string_view NameOf(ChainLayout layout) {
  return layout == ChainLayout::kShared ? "Shared" : "PerContainer";
}

std::size_t MostLists(const LayoutFit::Need& need) {
  return *std::max_element(need.lists.begin(), need.lists.end());
}

std::string Verdict(const LayoutFit& fit) {
  const LayoutFit::Need& need = *fit.need;
  if (fit.numbers == 0) return "PerContainer fits, Shared does not: the mark mask has too few bits";
  if (!fit.SharedFits()) {
    return fmt::format(
        "more shapes than numbers: {} containers would have chains of their own with "
        "ChainLayout=Shared",
        need.without_number);
  }
  std::string text = fmt::format("Shared fits: {} of {}", MostLists(need), fit.numbers);
  if (need.with_own_chains != 0) {
    text += fmt::format(
        "; {} containers would have chains of their own, since elements cannot "
        "tell all of their addresses",
        need.with_own_chains);
  }
  return text;
}

}  // namespace

LayoutFit FitOf(const compiler::Options& options) {
  LayoutFit fit;
  fit.layout = options.chain_layout;
  fit.mark_mask = options.mark_mask;
  if (std::popcount(options.mark_mask) >= compiler::Marks::BitsNeeded(ChainLayout::kShared)) {
    fit.numbers = compiler::Marks::FromMask(options.mark_mask, ChainLayout::kShared).shape_count();
  }
  return fit;
}

LayoutFit FitOf(const compiler::Graph& graph) {
  LayoutFit fit = FitOf(graph.options());
  if (fit.numbers == 0 || fit.layout == ChainLayout::kShared) {
    fit.need = NeedOf(graph);
    return fit;
  }
  compiler::Options options = graph.options();
  options.chain_layout = ChainLayout::kShared;
  compiler::Graph shared(std::move(options));
  const std::vector<model::Update> updates = graph.store().Snapshot();
  shared.OnUpdates(updates);
  static_cast<void>(shared.Flush());
  fit.need = NeedOf(shared);
  return fit;
}

std::string LayoutText(const LayoutFit& fit) {
  std::string text = fmt::format("ChainLayout={}; IptablesMarkMask=0x{:08x} leaves ",
                                 NameOf(fit.layout), fit.mark_mask);
  text += fit.numbers == 0 ? fmt::format("no numbers for shapes: Shared needs {} bits of it\n",
                                         compiler::Marks::BitsNeeded(ChainLayout::kShared))
                           : fmt::format("numbers for {} shapes of each direction\n", fit.numbers);
  if (!fit.need.has_value()) return text;
  return text +
         fmt::format("containers of this host have {} distinct lists of ingress, {} of egress\n",
                     fit.need->lists[compiler::Index(Direction::kIngress)],
                     fit.need->lists[compiler::Index(Direction::kEgress)]) +
         Verdict(fit) + "\n";
}

void WriteLayout(const LayoutFit& fit, JsonLine& json) {
  json.BeginObject();
  json.Field("chain_layout", NameOf(fit.layout));
  json.Field("mark_mask", std::uint64_t{fit.mark_mask});
  json.Field("shared_numbers", std::uint64_t{fit.numbers});
  if (fit.need.has_value()) {
    json.Field("ingress_lists", fit.need->lists[compiler::Index(Direction::kIngress)]);
    json.Field("egress_lists", fit.need->lists[compiler::Index(Direction::kEgress)]);
    json.Flag("shared_fits", fit.SharedFits());
    json.Field("containers_without_number", fit.need->without_number);
    json.Field("containers_with_own_chains", fit.need->with_own_chains);
  }
  json.EndObject();
}

}  // namespace felix
