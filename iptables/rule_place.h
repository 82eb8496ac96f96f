// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "absl/status/status.h"

#include "compiler/ir/desired_state.h"
#include "compiler/ir/rule.h"

namespace felix::iptables {

// Whether the kernel takes a rule in this place: kInvalidArgument if its target or one of its
// matches belongs to other tables, or to other base chains than `base`. A chain of ours (no `base`)
// is judged by its table alone; what base chains lead to it the kernel finds out.
absl::Status CheckPlace(const ir::Rule& rule, ir::Table table, std::optional<ir::BaseChain> base);

}  // namespace felix::iptables
