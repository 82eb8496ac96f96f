// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ir/desired_state.h"
#include "compiler/ir/rule.h"
#include "compiler/marks.h"
#include "compiler/options.h"
#include "compiler/rule_sets.h"
#include "model/rule.h"

namespace felix::compiler {

// What rendering a rule needs to know beside the rule.
struct RenderContext {
  const Options& options;
  Marks marks;
  model::IpFamily family = model::IpFamily::kV4;
  ir::Table table = ir::Table::kFilter;
};

// What denying is in that table: only the filter table can refuse, the others drop.
[[nodiscard]] ir::Action DenyIn(const RenderContext& context);

// What a rule's verdict becomes.
enum class RuleOwner : std::uint8_t { kPolicy, kProfile };

// Where a rule comes from.
struct RuleOrigin {
  RuleOwner owner = RuleOwner::kPolicy;
  ir::Provenance provenance;
  std::string log_prefix;  // of a rule that logs, as the kernel takes it
};

// Renders one rule of a policy or profile for one family and table. A rule that cannot match in
// this family renders nothing; it is never rendered without one of its conditions. Appends the
// rules to `rules` and the sets they name to `sets`. The number of rules grows with the sum of the
// lists in the rule, not with their product: at most a handful of copies for short lists of nets,
// one rule per 15 ports, one per named port.
void RenderRule(const model::PolicyRule& rule, const RuleOrigin& origin,
                const RenderContext& context, std::vector<ir::Rule>& rules, SetDefinitions& sets);

}  // namespace felix::compiler
