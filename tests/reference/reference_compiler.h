// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "compiler/ir/desired_state.h"
#include "compiler/options.h"
#include "compiler/shape.h"
#include "model/store.h"

namespace felix::reference {

// Compiles a store from nothing, in straight lines: no indexes, no counts, no memory of what was.
// It shares the pure renderings of single rules and chains with the incremental compiler (what
// those mean is the oracle's to judge) and none of its bookkeeping.
[[nodiscard]] ir::DesiredState Compile(const model::Store& store, const compiler::Options& options);

// With ChainLayout=Shared it depends on what happened which shape has which number, and which ones
// nobody uses are still there: so that is an argument, by ingress and egress. All else is worked
// out from nothing.
using ShapesByNumber = std::array<std::map<std::uint32_t, compiler::Shape>, 2>;
[[nodiscard]] ir::DesiredState Compile(const model::Store& store, const compiler::Options& options,
                                       const ShapesByNumber& numbers);

}  // namespace felix::reference
