// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "felix/replay/answer.h"
#include "felix/replay/cluster.h"
#include "felix/replay/ends.h"

namespace felix::replay {

// What is to be so: "deny(shop/web, shop/db, tcp, 5432)", or allow. Both ends must be there.
struct Condition {
  bool allowed = false;
  FlowRequest flow;
};
// Errors: the text is not of that form.
[[nodiscard]] absl::StatusOr<Condition> ParseCondition(const std::string& text);

// Since which step of the history the condition holds that holds at its end, and what that step
// changed. Halves the history, so that of several changes back and forth it finds one, as git
// bisect does. The status is kDiffers if the condition does not hold at the end.
// Errors: the input cannot be read twice, or has no history.
[[nodiscard]] absl::StatusOr<Answer> Bisect(const InputRequest& request, const std::string& when,
                                            Output output);

}  // namespace felix::replay
