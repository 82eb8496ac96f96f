// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "felix/replay/answer.h"
#include "felix/replay/cluster.h"

namespace felix::replay {

// Takes one host through the whole history of an input, one step after the other as fast as it
// goes, and measures: how long each step takes to compile and, with `live`, to write to the kernel
// of a network namespace that is made for it and goes with the program. Live needs root; the
// machine's own rules are not touched. The digest is of the final rules and sets, so that two
// versions of the program can be compared.
// Errors: the input cannot be read; live is not possible here or the kernel refuses something.
[[nodiscard]] absl::StatusOr<Answer> Run(const InputRequest& request, const std::string& host,
                                         bool live, Output output);

}  // namespace felix::replay
