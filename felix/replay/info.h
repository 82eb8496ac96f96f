// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"

#include "felix/replay/answer.h"
#include "felix/replay/cluster.h"

namespace felix::replay {

// What is inside of an input: objects by kind and host, what is refused and why, and how the
// history goes.
[[nodiscard]] absl::StatusOr<Answer> Info(const InputRequest& request, Output output);

}  // namespace felix::replay
