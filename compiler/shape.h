// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ir/desired_state.h"
#include "compiler/names.h"
#include "compiler/policy_order.h"
#include "model/policy.h"

namespace felix::compiler {

// The policies of one tier that govern a direction, in order. Never empty.
struct TierInForce {
  std::string name;
  model::TierDefaultAction default_action = model::TierDefaultAction::kDeny;
  std::vector<model::PolicyId> policies;

  friend auto operator<=>(const TierInForce&, const TierInForce&) = default;
};

// Whose list a shape is, and where it is asked.
enum class ShapeKind : std::uint8_t {
  kWorkload,        // filter: what a container receives or sends
  kHost,            // filter: what the host itself receives or sends
  kHostTranslated,  // mangle: what the host sends, once its translation is known; egress only
  kForward,         // filter: what the host forwards
  kUntracked,       // raw: before connection tracking
  kPreDnat,         // mangle: before translation; ingress only
  // Only with ChainLayout=Shared, where all that containers forward is judged in one table.
  kSharedWorkload,   // mangle: what a container receives or sends
  kWorkloadForward,  // mangle: what the host forwards from or to a container
};
[[nodiscard]] ir::Table TableOf(ShapeKind kind);
// A container's list, or a host's list about what it forwards.
[[nodiscard]] bool IsOfWorkload(ShapeKind kind);
[[nodiscard]] bool IsOfForwarding(ShapeKind kind);
[[nodiscard]] PolicyLayer LayerOf(ShapeKind kind);
// Whether the endpoint's profiles are asked after its policies.
[[nodiscard]] bool HasProfiles(ShapeKind kind);

// What an endpoint is subject to in one direction and place: the ordered policies and profiles.
// Endpoints with the same list have the same shape, and share its chain; a shape is named by its
// content, not by who uses it or by what the policies say.
struct Shape {
  ShapeKind kind = ShapeKind::kWorkload;
  Direction direction = Direction::kIngress;
  std::vector<TierInForce> tiers;
  std::vector<std::string> profiles;  // in the endpoint's order, duplicates and all

  // Unambiguous text of the content.
  [[nodiscard]] std::string ToString() const;
  [[nodiscard]] std::string ChainName() const { return ShapeChainName(ToString(), direction); }

  friend auto operator<=>(const Shape&, const Shape&) = default;
};

}  // namespace felix::compiler
