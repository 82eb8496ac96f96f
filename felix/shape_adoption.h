// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "absl/status/statusor.h"

#include "compiler/marks.h"
#include "compiler/shape_numbers.h"
#include "felix/host_kernel.h"

namespace felix {

// Which numbers the shapes have, by direction, that an earlier process left in the kernel: what the
// trees that ChainLayout=Shared asks for say about chains, and what the elements bear. With these a
// restart need not touch an element. Where the families differ, the number is nobody's. Reads each
// table and each map once. Errors: those of KernelTable and KernelSets.
[[nodiscard]] absl::StatusOr<std::array<compiler::AdoptedNumbers, 2>> ReadShapeNumbers(
    HostKernel& kernel, const compiler::Marks& marks);

}  // namespace felix
