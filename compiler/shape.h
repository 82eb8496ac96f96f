// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "compiler/names.h"
#include "model/policy.h"

namespace felix::compiler {

// The policies of one tier that govern a direction, in order. Never empty.
struct TierInForce {
  std::string name;
  model::TierDefaultAction default_action = model::TierDefaultAction::kDeny;
  std::vector<model::PolicyId> policies;

  friend auto operator<=>(const TierInForce&, const TierInForce&) = default;
};

// What a container is subject to in one direction: the ordered policies and profiles. Containers
// with the same list have the same shape, and share its chain; a shape is named by its content, not
// by who uses it or by what the policies say.
struct Shape {
  Direction direction = Direction::kIngress;
  std::vector<TierInForce> tiers;
  std::vector<std::string> profiles;  // in the endpoint's order, duplicates and all

  // Unambiguous text of the content.
  [[nodiscard]] std::string ToString() const;
  [[nodiscard]] std::string ChainName() const { return ShapeChainName(ToString(), direction); }

  friend auto operator<=>(const Shape&, const Shape&) = default;
};

}  // namespace felix::compiler
