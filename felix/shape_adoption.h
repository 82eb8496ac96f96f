// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "absl/status/statusor.h"

#include "compiler/marks.h"
#include "compiler/shape_numbers.h"
#include "felix/host_kernel.h"

namespace felix {

// Which numbers the shapes have, by direction, that an earlier process left in the mangle tables:
// what the trees that ChainLayout=Shared asks for say about chains. With these a restart need not
// touch an element. Where the families differ, the number is nobody's. Reads each table once.
// Errors: those of KernelTable.
[[nodiscard]] absl::StatusOr<std::array<compiler::NumbersByChain, 2>> ReadShapeNumbers(
    HostKernel& kernel, const compiler::Marks& marks);

}  // namespace felix
