// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "felix/replay/answer.h"
#include "felix/replay/cluster.h"
#include "felix/replay/judge.h"

namespace felix::replay {

// Something in a cluster's policy that is hardly what its author meant.
struct Finding {
  std::string check;   // "shadowed", "selects-nobody": a word for scripts
  std::string object;  // "gnp/web ingress[2]"
  std::string message;
  friend auto operator<=>(const Finding&, const Finding&) = default;
};

// All findings, sorted: rules that can never match or stand behind one that takes all they would,
// selectors that select nobody and port names that nobody has, policies that govern nobody or are
// in a tier that is not there, profiles that endpoints name and nobody made (they deny), endpoints
// that are not in force, and what the datastore's reader refuses.
[[nodiscard]] std::vector<Finding> FindFaults(const Cluster& cluster, const Judge& judge);

// The status is kDiffers if there is any.
[[nodiscard]] Answer Lint(const Cluster& cluster, const Judge& judge, Output output);

// Whether every flow that `later` matches is one that `earlier` matches; false if in doubt.
[[nodiscard]] bool TakesAllOf(const model::PolicyRule& earlier, const model::PolicyRule& later);
// Why no flow can match, or nothing if one might.
[[nodiscard]] std::string WhyNever(const model::PolicyRule& rule);

}  // namespace felix::replay
