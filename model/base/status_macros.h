// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Leaves the function with the status of `expression` unless that is OK.
#define FELIX_RETURN_IF_ERROR(expression)                                                  \
  do {                                                                                     \
    if (absl::Status felix_status = (expression); !felix_status.ok()) return felix_status; \
  } while (false)

#define FELIX_STATUS_CONCAT_(a, b) a##b
#define FELIX_STATUS_CONCAT(a, b) FELIX_STATUS_CONCAT_(a, b)

// Assigns the value of a StatusOr, or leaves the function with its status.
#define FELIX_ASSIGN_OR_RETURN(target, expression) \
  FELIX_ASSIGN_OR_RETURN_(FELIX_STATUS_CONCAT(felix_statusor_, __LINE__), target, expression)
#define FELIX_ASSIGN_OR_RETURN_(temporary, target, expression) \
  auto temporary = (expression);                               \
  if (!temporary.ok()) return std::move(temporary).status();   \
  target = *std::move(temporary)
