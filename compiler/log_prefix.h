// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "model/policy.h"

namespace felix::compiler {

// What a rule that logs puts before each line: the configured text, its placeholders filled in, and
// ": ". The kernel keeps 29 bytes, so the rest is cut; control characters become underscores.
// Profiles have no tier.
[[nodiscard]] std::string PolicyLogPrefix(std::string_view configured, const model::PolicyId& id,
                                          std::string_view tier);
[[nodiscard]] std::string ProfileLogPrefix(std::string_view configured, std::string_view name);

}  // namespace felix::compiler
