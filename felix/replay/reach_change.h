// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "felix/replay/judge.h"

namespace felix::replay {

// A pair of workloads between which a kind of flow came to be allowed, or denied.
struct ReachChange {
  std::string from;  // ids
  std::string to;
  std::string flow;  // "tcp/80"
  bool opens = false;
};

struct ReachComparison {
  std::vector<ReachChange> changes;        // by flow, then by pair
  std::vector<std::string> flows;          // that were compared
  std::string left_out;                    // why not all was compared; empty: all was
  bool leaves_out_host_endpoints = false;  // see Judge
};

// What changed between two states of a cluster for workloads that are in both, on every protocol
// and port that a rule of either names, and on one that none names.
[[nodiscard]] ReachComparison CompareReach(const Judge& before, const Judge& after);

}  // namespace felix::replay
