// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "compiler/ir/desired_state.h"

namespace felix::ir {

// Canonical text for goldens, debug output and error messages: close to what iptables-save prints,
// but it is not meant to be loaded. Provenance follows a rule as `# owner[index]`.
[[nodiscard]] std::string Print(const Rule& rule, model::IpFamily family);
[[nodiscard]] std::string Print(const DesiredState& state);

}  // namespace felix::ir
