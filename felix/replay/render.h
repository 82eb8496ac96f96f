// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "felix/replay/answer.h"
#include "felix/replay/cluster.h"

namespace felix::replay {

// What the three restore programs read.
struct RestoreFiles {
  std::string sets;  // ipset restore; before the others
  std::string v4;    // iptables-legacy-restore
  std::string v6;    // ip6tables-legacy-restore
};
[[nodiscard]] RestoreFiles MakeRestoreFiles(const ir::DesiredState& state, const Config& config);

// The firewall of one host. With a directory it is written there as `sets`, `v4` and `v6`, and the
// answer says what was written; that is the only thing that the program ever writes.
[[nodiscard]] absl::StatusOr<Answer> Render(const Cluster& cluster, const std::string& host,
                                            const std::string& output_directory, Output output);

}  // namespace felix::replay
