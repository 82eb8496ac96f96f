// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "compiler/ir/desired_state.h"
#include "compiler/options.h"
#include "model/store.h"

namespace felix::reference {

// Compiles a store from nothing, in straight lines: no indexes, no counts, no memory of what was.
// It shares the pure renderings of single rules and chains with the incremental compiler (what
// those mean is the oracle's to judge) and none of its bookkeeping.
[[nodiscard]] ir::DesiredState Compile(const model::Store& store, const compiler::Options& options);

}  // namespace felix::reference
