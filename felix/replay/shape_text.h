// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "compiler/marks.h"
#include "compiler/shape_numbers.h"
#include "felix/replay/firewall_text.h"

namespace felix::replay {

// Which numbers the shapes have in a firewall with ChainLayout=Shared, by direction, as felix finds
// them in the kernel when it starts: what is compiled with them differs from that firewall only
// where it has to. Where the families differ, the number is nobody's.
[[nodiscard]] std::array<compiler::NumbersByChain, 2> ShapeNumbersOf(const FirewallText& text,
                                                                     const compiler::Marks& marks);

}  // namespace felix::replay
