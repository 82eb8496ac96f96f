// SPDX-License-Identifier: Apache-2.0
#include "felix/rules_report.h"

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/print.h"
#include "felix/json_line.h"

namespace felix {
namespace {

void WriteRule(const ir::Rule& rule, model::IpFamily family, ir::Table table,
               std::string_view chain, JsonLine& json) {
  json.BeginObject();
  json.Field("family", family == model::IpFamily::kV4 ? "ipv4" : "ipv6");
  json.Field("table", ir::TableName(table));
  json.Field("chain", chain);
  ir::Rule bare = rule;
  const ir::Provenance from = std::exchange(bare.provenance, {});
  json.Field("rule", ir::Print(bare, family));
  json.Field("owner", from.owner);
  if (from.direction) {
    json.Field("direction", *from.direction == ir::Direction::kIngress ? "ingress" : "egress");
  }
  if (from.rule_index >= 0) json.Field("index", static_cast<std::uint64_t>(from.rule_index));
  json.EndObject();
}

}  // namespace

std::string RulesText(const ir::DesiredState& state) {
  return ir::Print(state);
}

std::string RulesJson(const ir::DesiredState& state) {
  JsonLine json;
  json.BeginObject();
  json.Key("rules").BeginArray();
  for (const auto& [key, rules] : state.hooks) {
    for (const ir::Rule& rule : rules) {
      WriteRule(rule, key.family, key.table, ir::BaseChainName(key.base), json);
    }
  }
  for (const auto& [key, chain] : state.chains) {
    for (const ir::Rule& rule : chain.rules) {
      WriteRule(rule, key.family, key.table, key.name, json);
    }
  }
  json.EndArray();
  json.EndObject();
  return json.Text();
}

}  // namespace felix
