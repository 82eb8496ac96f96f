// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "absl/status/statusor.h"

#include "model/selector.h"

namespace felix::model {

// Reads Calico's selector language into a syntax tree that keeps the source's nesting. Parentheses
// around a single operand leave no trace. The tree is at most a few times as deep as the source's
// parentheses, of which 256 levels are allowed, so walks over it may recurse. Errors:
// kInvalidArgument with the 1-based byte column and what was expected there.
[[nodiscard]] absl::StatusOr<SelectorNode> ParseSelector(std::string_view text);

}  // namespace felix::model
