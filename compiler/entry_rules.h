// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "compiler/chain_renderer.h"
#include "compiler/ir/rule.h"
#include "compiler/rule_renderer.h"

namespace felix::compiler {

// What the static chains of both layouts are made of.

// Any interface whose name begins with the prefix.
[[nodiscard]] ir::InterfaceMatch WorkloadInterface(ir::InterfaceMatch::Way way,
                                                   const std::string& prefix);
[[nodiscard]] ir::MarkMatch Accepted(const RenderContext& context);
[[nodiscard]] ir::Rule ClearForeignMarks(const RenderContext& context);
// Keeps the accept mark if an earlier table may have given it.
[[nodiscard]] ir::Rule ClearMarksBeforeForwarding(const RenderContext& context,
                                                  const HostTraits& host);
// Marks what policy need not be asked for.
void RenderEstablished(const RenderContext& context, ir::Chain& chain);
// The same, and drops what conntrack cannot place. What is exempt still passes the checks of
// interface, address and state of the endpoint: those come later.
void RenderConntrack(const RenderContext& context, ir::Chain& chain);
// What comes before the question whose packet it is that goes to the host.
void RenderSourceChecks(const RenderContext& context, ir::Chain& chain);
// To the lists of host endpoints about what they forward. Whatever an earlier table accepted need
// not ask the list of the interface it came in by.
[[nodiscard]] ir::Rule ToHostForwardDispatch(const RenderContext& context, const HostTraits& host,
                                             Direction direction);
// RFC 4861, RFC 2710, RFC 3810: without these a container cannot find its gateway. They may come
// from link-local addresses, which are no address of the endpoint, so a second mark says not to
// mind the source. A container has no business announcing itself as a router.
[[nodiscard]] ir::Chain RenderWorkloadIcmpV6(const RenderContext& context);

}  // namespace felix::compiler
