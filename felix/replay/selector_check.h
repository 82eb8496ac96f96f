// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "felix/replay/answer.h"

namespace felix::replay {

// Whether a selector selects something with these labels ("a=b,c=d"), or where it cannot be read.
// The status is kDiffers if it does not select, and kUnusable if it does not parse.
// Errors: the labels are not of that form.
[[nodiscard]] absl::StatusOr<Answer> CheckSelector(const std::string& selector,
                                                   const std::string& labels, Output output);

}  // namespace felix::replay
