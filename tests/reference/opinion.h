// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tests/reference/cluster_view.h"
#include "tests/support/packet.h"

namespace felix::reference {

// What some policies say of a packet, and which of them said it. kSilent: none of them decided.
struct Opinion {
  enum class Says : std::uint8_t { kAllow, kDeny, kSilent };
  Says says = Says::kSilent;
  std::string reason;

  [[nodiscard]] bool Allows() const { return says == Says::kAllow; }
  [[nodiscard]] bool Denies() const { return says == Says::kDeny; }
};

[[nodiscard]] Opinion AskTiers(const ClusterView& cluster, const std::vector<AppliedTier>& tiers,
                               Direction direction, const testing::Packet& packet);
// Never silent: what no profile allows is denied.
[[nodiscard]] Opinion AskProfiles(const ClusterView& cluster,
                                  const std::vector<std::string>& profiles, Direction direction,
                                  const testing::Packet& packet);
// Tiers first, then profiles.
[[nodiscard]] Opinion AskAll(const ClusterView& cluster, const std::vector<AppliedTier>& tiers,
                             const std::vector<std::string>& profiles, Direction direction,
                             const testing::Packet& packet);

}  // namespace felix::reference
