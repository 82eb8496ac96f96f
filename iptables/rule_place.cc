// SPDX-License-Identifier: Apache-2.0
#include "iptables/rule_place.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <variant>

#include "fmt/format.h"

#include "model/base/overloaded.h"

namespace felix::iptables {
namespace {

using ir::BaseChain;
using ir::Table;

class Place {
 public:
  Place(Table table, std::optional<BaseChain> base) : table_(table), base_(base) {}

  // The word is what the tools call it.
  [[nodiscard]] absl::Status Only(std::string_view word, std::initializer_list<Table> tables,
                                  std::initializer_list<BaseChain> bases) const {
    if (std::find(tables.begin(), tables.end(), table_) == tables.end()) {
      return absl::InvalidArgumentError(
          fmt::format("{} has no place in table {}", word, ir::TableName(table_)));
    }
    if (base_ && std::find(bases.begin(), bases.end(), *base_) == bases.end()) {
      return absl::InvalidArgumentError(
          fmt::format("{} has no place in chain {}", word, ir::BaseChainName(*base_)));
    }
    return absl::OkStatus();
  }

 private:
  Table table_;
  std::optional<BaseChain> base_;
};

absl::Status CheckAction(const ir::Action& action, const Place& place) {
  return std::visit(
      Overloaded{
          [&](const ir::Reject&) {
            return place.Only("REJECT", {Table::kFilter},
                              {BaseChain::kInput, BaseChain::kForward, BaseChain::kOutput});
          },
          [&](const ir::NoTrack&) {
            return place.Only("CT", {Table::kRaw}, {BaseChain::kPrerouting, BaseChain::kOutput});
          },
          [&](const ir::Masquerade&) {
            return place.Only("MASQUERADE", {Table::kNat}, {BaseChain::kPostrouting});
          },
          [&](const ir::SourceNat&) {
            return place.Only("SNAT", {Table::kNat}, {BaseChain::kPostrouting, BaseChain::kInput});
          },
          [&](const ir::DestinationNat&) {
            return place.Only("DNAT", {Table::kNat}, {BaseChain::kPrerouting, BaseChain::kOutput});
          },
          [&](const ir::MapSet&) {
            return place.Only("SET --map-set", {Table::kMangle},
                              {BaseChain::kPrerouting, BaseChain::kInput, BaseChain::kForward,
                               BaseChain::kOutput, BaseChain::kPostrouting});
          },
          [](const auto&) { return absl::OkStatus(); },
      },
      action);
}

absl::Status CheckMatch(const ir::Match& match, const Place& place) {
  if (std::holds_alternative<ir::ReversePathMatch>(match)) {
    return place.Only("rpfilter", {Table::kRaw, Table::kMangle}, {BaseChain::kPrerouting});
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPlace(const ir::Rule& rule, Table table, std::optional<BaseChain> base) {
  const Place place(table, base);
  for (const ir::Match& match : rule.matches) {
    if (absl::Status status = CheckMatch(match, place); !status.ok()) return status;
  }
  return CheckAction(rule.action, place);
}

}  // namespace felix::iptables
