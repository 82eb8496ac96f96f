// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/rule.h"
#include "tests/reference/cluster_view.h"
#include "tests/support/packet.h"

namespace felix::reference {

// Whether all that the rule asks holds for the packet, whatever the rule's action. A rule that does
// not exist for the packet's family matches nothing; neither does a rule with numeric ports but no
// protocol that has ports.
[[nodiscard]] bool Matches(const ClusterView& cluster, const model::PolicyRule& rule,
                           const testing::Packet& packet);

}  // namespace felix::reference
