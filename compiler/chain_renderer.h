// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/container/btree_map.h"

#include "compiler/ir/desired_state.h"
#include "compiler/rule_renderer.h"
#include "compiler/shape.h"
#include "model/endpoint.h"
#include "model/policy.h"

namespace felix::compiler {

// Pure renderings of the kinds of chain, each from nothing but its arguments, for the family of the
// context. Those of policies and profiles are for the context's table, a shape's for that of its
// kind, and all others for the filter table.

// The rules of one direction of a policy or profile. An accepting rule sets the accept mark and
// leaves the chain; a passing one of a policy sets the pass mark.
[[nodiscard]] ir::Chain RenderPolicy(const model::PolicyId& id, const std::string& tier,
                                     Direction direction,
                                     const std::vector<model::PolicyRule>& rules,
                                     const RenderContext& context, SetDefinitions& sets);
[[nodiscard]] ir::Chain RenderProfile(const std::string& name, Direction direction,
                                      const std::vector<model::PolicyRule>& rules,
                                      const RenderContext& context, SetDefinitions& sets);
// Stands in for a profile that does not exist, or whose name two objects claim: denies.
[[nodiscard]] ir::Chain RenderDenyAll(const std::string& owner, const RenderContext& context);

// A shape's chain: returns if the packet is exempt or accepted, else denies; the lists that a
// host's normal one follows return without a verdict as well. Entered by goto from an endpoint's
// chain, so returning means going on behind the dispatch.
[[nodiscard]] ir::Chain RenderShape(const Shape& shape, const RenderContext& of_family);

// The container's own chain: what is particular to it, then on to its shape.
[[nodiscard]] ir::Chain RenderEndpoint(const model::WorkloadEndpoint& endpoint, Direction direction,
                                       const std::string& shape_chain,
                                       const RenderContext& context);

// One chain of the dispatch tree. `names` are interfaces with a rule of their own, `subtrees` are
// prefixes with a chain of their own; both sorted. Whatever is in neither is dropped.
[[nodiscard]] ir::Chain RenderDispatch(Direction direction, const std::vector<std::string>& names,
                                       const std::vector<std::string>& subtrees,
                                       const RenderContext& context);
[[nodiscard]] std::string DispatchSubtreeName(Direction direction, std::string_view prefix);

// The two chains by which rules give their verdicts, for any table.
[[nodiscard]] absl::btree_map<std::string, ir::Chain> RenderVerdictChains(
    const RenderContext& context);

// What the static chains must know of host endpoints that are not about containers.
struct HostTraits {
  bool present = false;  // some interface of the host has one
  // Some packets come to the filter table with the accept mark of the raw or mangle table: on their
  // way in, and those of the host itself.
  bool accepted_before_input = false;
  bool accepted_before_output = false;
};

// The chains that are always there, and the rules that lead from the kernel's chains to ours.
// Of whichever tables the layout needs them in.
[[nodiscard]] absl::btree_map<ir::ChainKey, ir::Chain> RenderStaticChains(
    const RenderContext& context, const HostTraits& host = {});
[[nodiscard]] absl::btree_map<ir::HookKey, std::vector<ir::Rule>> RenderHooks(
    const RenderContext& context);

// Those of the mangle table, before the containers' policies with ChainLayout=Shared: all
// traffic from and to containers is judged there, and the filter table believes the accept mark.
// An element of a set tells whose packet it is; what no element tells goes to the dispatch trees.
[[nodiscard]] absl::btree_map<std::string, ir::Chain> RenderSharedChains(
    const RenderContext& context, const HostTraits& host = {});
// Where the mangle table cannot refuse, the filter table does: but only what passes there, which
// is what the mark `known` says. For the head of what takes packets that no element tells.
void PrependRefusable(const RenderContext& context, ir::Chain& chain);

// The configured interface prefixes, sorted, without those that another one covers.
[[nodiscard]] std::vector<std::string> WorkloadPrefixes(const Options& options);
[[nodiscard]] bool IsWorkloadInterface(std::string_view name, const Options& options);

}  // namespace felix::compiler
