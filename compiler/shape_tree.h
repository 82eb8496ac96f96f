// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/container/btree_map.h"

#include "compiler/ir/rule.h"
#include "compiler/marks.h"
#include "compiler/names.h"

namespace felix::compiler {

// The tree that leads a packet to its shape's chain by the number in its mark: each node tells four
// ways apart, so that the rules a packet meets grow with the logarithm of the number of shapes. A
// number that no shape has is dropped. Gives all chains of the tree, the root among them; a
// function of its arguments.
[[nodiscard]] absl::btree_map<std::string, ir::Chain> RenderShapeTree(
    Direction direction, const std::map<std::uint32_t, std::string>& chains, const Marks& marks);

}  // namespace felix::compiler
