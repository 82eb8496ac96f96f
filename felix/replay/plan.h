// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "felix/replay/answer.h"
#include "felix/replay/cluster.h"
#include "felix/replay/firewall_text.h"
#include "felix/replay/reach_change.h"

namespace felix::replay {

// What would be done to get from one firewall to another.
struct FirewallDifference {
  std::string text;  // lines that begin with + - ~
  std::size_t added = 0;
  std::size_t changed = 0;
  std::size_t removed = 0;
  [[nodiscard]] bool empty() const { return added + changed + removed == 0; }
};
[[nodiscard]] FirewallDifference Compare(const FirewallText& before, const FirewallText& after);

// What a change of the datastore changes on one host, and which pairs of workloads it opens and
// closes. The status is kDiffers if anything changes.
[[nodiscard]] absl::StatusOr<Answer> PlanChange(const Cluster& before, const Cluster& after,
                                                const std::string& host, Output output);

// Texts of a kernel that somebody captured; those that are empty are not compared.
struct CapturedFiles {
  std::string v4;  // paths
  std::string v6;
  std::string sets;
  [[nodiscard]] bool empty() const { return v4.empty() && v6.empty() && sets.empty(); }
};
// What felix would change of that kernel.
[[nodiscard]] absl::StatusOr<Answer> PlanKernel(const CapturedFiles& captured,
                                                const Cluster& cluster, const std::string& host,
                                                Output output);

}  // namespace felix::replay
