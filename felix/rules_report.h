// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "compiler/ir/desired_state.h"

namespace felix {

// What the kernel should hold, for people: sets and tables of each family as iptables-save would
// write them, each rule with the object, the direction and the rule of it that it came from.
[[nodiscard]] std::string RulesText(const ir::DesiredState& state);

// The same for programs, one line of JSON without a line end: {"rules": [{"family": "ipv4",
// "table": "filter", "chain": ..., "rule": ..., "owner": ..., "direction": "ingress", "index": 0},
// ...]}, in the order of the tables. Without "direction" or "index" the rule is there for what
// "owner" says.
[[nodiscard]] std::string RulesJson(const ir::DesiredState& state);

}  // namespace felix
