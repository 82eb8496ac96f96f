// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/policy.h"

namespace felix::compiler {

// An order of the API as it sorts: numbers ascending, no number after all of them.
struct OrderKey {
  bool absent = true;
  double value = 0;

  static OrderKey From(const std::optional<double>& order) {
    return {.absent = !order.has_value(), .value = order.value_or(0)};
  }
  friend bool operator==(const OrderKey&, const OrderKey&) = default;
  friend auto operator<=>(const OrderKey&, const OrderKey&) = default;
};

// Where a policy stands among all others: tiers that exist before tiers that do not, then the
// tier's order, its name, the policy's order, and Calico's tie-break text name/namespace/kind.
struct PolicyPosition {
  bool tier_is_missing = false;
  OrderKey tier_order;
  std::string tier;
  OrderKey order;
  std::string tie_break;

  friend bool operator==(const PolicyPosition&, const PolicyPosition&) = default;
  friend auto operator<=>(const PolicyPosition&, const PolicyPosition&) = default;
};

// `tier` is the policy's tier object, null if there is none.
[[nodiscard]] PolicyPosition PositionOf(const model::PolicyId& id, std::string_view tier_name,
                                        const std::optional<double>& order,
                                        const model::Tier* tier);

// Staged kinds are not in force for anybody.
[[nodiscard]] bool IsInForce(const model::PolicyId& id);

// The lists into which an endpoint's policies fall. Workloads have the normal one alone; untracked
// and pre-DNAT policies do not concern them, and what they forward is always asked for.
enum class PolicyLayer : std::uint8_t { kNormal, kForward, kUntracked, kPreDnat };
// One bit per layer, as PolicyLayer counts them.
using PolicyLayers = std::uint8_t;
[[nodiscard]] constexpr PolicyLayers LayerBit(PolicyLayer layer) {
  return static_cast<PolicyLayers>(1U << static_cast<unsigned>(layer));
}
// Normal policies that apply to forwarded traffic are in two.
[[nodiscard]] PolicyLayers LayersOf(const model::Policy& policy);

// What a tier does with what none of its policies in that layer decided; a missing tier denies, but
// untracked and pre-DNAT policies always leave the rest to the normal ones.
[[nodiscard]] model::TierDefaultAction DefaultActionOf(const model::Tier* tier,
                                                       PolicyLayer layer = PolicyLayer::kNormal);

// The policy that stands in for a broken one when the operator wants that: deny, in its place.
// None without a selector: nothing is known of what it covered.
[[nodiscard]] std::optional<model::Policy> DenyingStandIn(const model::BrokenPolicy& broken);

}  // namespace felix::compiler
