// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/chain_renderer.h"
#include "compiler/entry_rules.h"
#include "compiler/fault.h"
#include "compiler/names.h"

namespace felix::compiler {
namespace {

using ir::When;

bool CanRefuse(const RenderContext& context) {
  return context.options.filter_deny_action == DenyAction::kReject;
}

ir::Rule SetBit(std::uint32_t bit, const char* reason) {
  return When().Then(ir::SetMark{.value = bit, .mask = bit}).Because(reason);
}

ir::Chain RenderGotos(const RenderContext& context, ir::InterfaceMatch::Way way,
                      std::string_view chain_name, const char* reason) {
  ir::Chain chain;
  for (const std::string& prefix : WorkloadPrefixes(context.options)) {
    chain.rules.push_back(When(WorkloadInterface(way, prefix))
                              .Then(ir::Goto{std::string(chain_name)})
                              .Because(reason));
  }
  return chain;
}

void RenderJumps(const RenderContext& context, ir::InterfaceMatch::Way way, Direction direction,
                 const char* reason, ir::Chain& chain) {
  for (const std::string& prefix : WorkloadPrefixes(context.options)) {
    chain.rules.push_back(When(WorkloadInterface(way, prefix))
                              .Then(ir::Jump{ElementChainName(direction)})
                              .Because(reason));
  }
}

ir::Chain RenderWorkloadForward(const RenderContext& context, const HostTraits& host) {
  ir::Chain chain;
  // What the hosts' lists deny may be refused as well.
  if (host.present) PrependRefusable(context, chain);
  chain.rules.insert(chain.rules.begin(), ClearMarksBeforeForwarding(context, host));
  RenderConntrack(context, chain);
  if (host.present) {
    chain.rules.push_back(ToHostForwardDispatch(context, host, Direction::kIngress));
  }
  RenderJumps(context, ir::InterfaceMatch::Way::kIn, Direction::kEgress, "from a workload", chain);
  RenderJumps(context, ir::InterfaceMatch::Way::kOut, Direction::kIngress, "to a workload", chain);
  if (host.present) {
    chain.rules.push_back(ToHostForwardDispatch(context, host, Direction::kEgress));
  }
  chain.rules.push_back(SetBit(context.marks.accept, "accepted in every direction"));
  return chain;
}

ir::Chain RenderWorkloadToHost(const RenderContext& context) {
  const Marks& marks = context.marks;
  ir::Chain chain;
  RenderSourceChecks(context, chain);
  if (context.family == model::IpFamily::kV6) {
    // No element tells a link-local address, so it is not asked whether the interface is known.
    chain.rules.push_back(When(ir::MarkMatch{.value = marks.scratch, .mask = marks.scratch})
                              .Then(ir::Goto{std::string(kAllowChain)})
                              .Because("neighbour discovery"));
  }
  chain.rules.push_back(
      When().Then(ir::Jump{ElementChainName(Direction::kEgress)}).Because("from a workload"));
  chain.rules.push_back(SetBit(marks.accept, "accepted"));
  return chain;
}

// The packet's mark tells its shape, once the element that fits both address and interface has
// been found. A missing element leaves the mark alone, hence the bit that says there was one.
ir::Chain RenderElement(const RenderContext& context, Direction direction) {
  const Marks& marks = context.marks;
  const auto side = direction == Direction::kEgress ? ir::Side::kSource : ir::Side::kDestination;
  ir::Chain chain;
  chain.rules.push_back(
      When().Then(ir::SetMark{.value = 0, .mask = marks.element()}).Because("nothing known yet"));
  chain.rules.push_back(
      When()
          .Then(ir::MapSet{.set_id = ElementMapId(direction), .dimensions = 2, .side = side})
          .Because("whose packet this is"));
  if (!IsPlanted(Fault::kUnknownElementBelieved)) {
    chain.rules.push_back(When(ir::MarkMatch{.value = 0, .mask = marks.known})
                              .Then(ir::Goto{DispatchChainName(direction)})
                              .Because("no element tells"));
  }
  chain.rules.push_back(When(ir::MarkMatch{.value = marks.exempt, .mask = marks.exempt})
                            .Then(ir::Return{})
                            .Because("established or exempt"));
  chain.rules.push_back(
      When().Then(ir::Goto{ShapeTreeName(direction)}).Because("policy of the endpoint"));
  return chain;
}

// Entered by goto where a packet is denied. The packet goes on to the filter table, which refuses
// it; what is not on the way there is dropped.
ir::Chain RenderRefuse(const RenderContext& context) {
  const Marks& marks = context.marks;
  ir::Chain chain;
  chain.rules.push_back(When(ir::MarkMatch{.value = 0, .mask = marks.known})
                            .Then(ir::Drop{})
                            .Because("the filter table will not refuse this"));
  chain.rules.push_back(
      When()
          .Then(ir::SetMark{.value = marks.refused, .mask = marks.refused | marks.accept})
          .Because("to be refused"));
  chain.rules.push_back(When().Then(ir::Accept{}).Because("to be refused"));
  return chain;
}

}  // namespace

void PrependRefusable(const RenderContext& context, ir::Chain& chain) {
  if (context.marks.known == 0 || !CanRefuse(context)) return;
  chain.rules.insert(chain.rules.begin(), SetBit(context.marks.known, "can be refused"));
}

absl::btree_map<std::string, ir::Chain> RenderSharedChains(const RenderContext& context,
                                                           const HostTraits& host) {
  using Way = ir::InterfaceMatch::Way;
  absl::btree_map<std::string, ir::Chain> chains = RenderVerdictChains(context);
  if (CanRefuse(context)) chains[std::string(kRefuseChain)] = RenderRefuse(context);
  ir::Chain& forward = chains[std::string(kForwardChain)];
  for (const Way way : {Way::kIn, Way::kOut}) {
    ir::Chain gotos = RenderGotos(context, way, kWorkloadForwardChain, "workload traffic");
    for (ir::Rule& rule : gotos.rules) forward.rules.push_back(std::move(rule));
  }
  chains[std::string(kInputChain)] =
      RenderGotos(context, Way::kIn, kWorkloadToHostChain, "workload to host");
  chains[std::string(kWorkloadForwardChain)] = RenderWorkloadForward(context, host);
  chains[std::string(kWorkloadToHostChain)] = RenderWorkloadToHost(context);
  for (const Direction direction : {Direction::kIngress, Direction::kEgress}) {
    chains[ElementChainName(direction)] = RenderElement(context, direction);
  }
  if (context.family == model::IpFamily::kV6) {
    chains[std::string(kWorkloadIcmpV6Chain)] = RenderWorkloadIcmpV6(context);
  }
  return chains;
}

}  // namespace felix::compiler
