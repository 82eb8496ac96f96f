// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"

#include "compiler/chain_renderer.h"
#include "compiler/ir/desired_state.h"
#include "compiler/rule_renderer.h"
#include "compiler/shape.h"

namespace felix::compiler {

// The lists that a host endpoint may have. Ingress goes from the network to the host, or is
// forwarded from that network; egress is the other way.
inline constexpr std::array<std::pair<ShapeKind, Direction>, 10> kHostShapes = {{
    {ShapeKind::kUntracked, Direction::kIngress},
    {ShapeKind::kUntracked, Direction::kEgress},
    {ShapeKind::kPreDnat, Direction::kIngress},
    {ShapeKind::kHost, Direction::kIngress},
    {ShapeKind::kHost, Direction::kEgress},
    {ShapeKind::kHostTranslated, Direction::kEgress},
    {ShapeKind::kForward, Direction::kIngress},
    {ShapeKind::kForward, Direction::kEgress},
    // Only with ChainLayout=Shared.
    {ShapeKind::kWorkloadForward, Direction::kIngress},
    {ShapeKind::kWorkloadForward, Direction::kEgress},
}};

// What a host endpoint asks of the traffic of its interface. Of the three kinds of list that other
// lists follow, one without policies is left out.
struct HostPolicies {
  std::string owner;  // "host endpoint <id>"
  std::vector<Shape> shapes;

  [[nodiscard]] const Shape* Find(ShapeKind kind, Direction direction) const;
  bool operator==(const HostPolicies&) const = default;
};

// Which interface of this host has which host endpoint, all conflicts settled.
struct HostLayout {
  absl::btree_map<std::string, HostPolicies> interfaces;
  std::optional<HostPolicies> wildcard;  // of all other interfaces; has no untracked lists

  [[nodiscard]] bool empty() const { return interfaces.empty() && !wildcard.has_value(); }
  bool operator==(const HostLayout&) const = default;
};

[[nodiscard]] HostTraits TraitsOf(const HostLayout& layout);

// All chains and hooks of the context's family that there are because of host endpoints, but for
// those that RenderStaticChains renders and the shapes: none if the layout is empty. The raw table
// is used only with untracked policies, mangle's PREROUTING with those and pre-DNAT ones.
[[nodiscard]] ir::DesiredState RenderHostEndpoints(const HostLayout& layout,
                                                   const RenderContext& context);

}  // namespace felix::compiler
