// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"

#include "felix/replay/answer.h"
#include "felix/replay/ends.h"
#include "felix/replay/judge.h"

namespace felix::replay {

// Why a flow is allowed or denied: everything that both hosts ask of it, in order, what does not
// match and why, what decides, and which kernel rules that became. The answer's status is kDiffers
// if it is denied.
[[nodiscard]] absl::StatusOr<Answer> Explain(const Judge& judge, const FlowRequest& request,
                                             Output output);

}  // namespace felix::replay
