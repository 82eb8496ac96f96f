// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "compiler/ir/desired_state.h"

namespace felix::ipset {

// All sets and mark maps of both families as `ipset restore` reads them, made and filled as the
// engine makes them where there are none.
[[nodiscard]] std::string RestoreText(const ir::DesiredState& state, std::uint32_t max_members);

}  // namespace felix::ipset
