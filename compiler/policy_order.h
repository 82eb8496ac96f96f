// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
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

// What a tier does with what none of its policies decided; a missing tier denies.
[[nodiscard]] model::TierDefaultAction DefaultActionOf(const model::Tier* tier);

// A policy in force for workloads, or none: staged kinds, untracked and pre-DNAT policies do not
// concern them.
[[nodiscard]] bool GovernsWorkloads(const model::PolicyId& id, const model::Policy& policy);

// The policy that stands in for a broken one when the operator wants that: deny, in its place.
// None without a selector: nothing is known of what it covered.
[[nodiscard]] std::optional<model::Policy> DenyingStandIn(const model::BrokenPolicy& broken);

}  // namespace felix::compiler
