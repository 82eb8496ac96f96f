// SPDX-License-Identifier: Apache-2.0
#include "compiler/entry_rules.h"

#include <array>
#include <cstdint>
#include <optional>

#include "compiler/fault.h"
#include "compiler/names.h"

namespace felix::compiler {

using ir::When;

ir::InterfaceMatch WorkloadInterface(ir::InterfaceMatch::Way way, const std::string& prefix) {
  return {.way = way, .name = prefix, .is_prefix = true};
}

ir::MarkMatch Accepted(const RenderContext& context) {
  return {.value = context.marks.accept, .mask = context.marks.accept};
}

ir::Rule ClearForeignMarks(const RenderContext& context) {
  const std::uint32_t bits = IsPlanted(Fault::kForeignMarkBelieved) ? 0 : context.marks.all();
  return When().Then(ir::SetMark{.value = 0, .mask = bits}).Because("foreign marks");
}

// Before the filter table only untracked and pre-DNAT policies accept; then the mark is theirs.
ir::Rule ClearMarksBeforeForwarding(const RenderContext& context, const HostTraits& host) {
  ir::Rule rule = ClearForeignMarks(context);
  if (host.accepted_before_input && !IsPlanted(Fault::kAcceptedForgotten)) {
    std::get<ir::SetMark>(rule.action).mask &= ~context.marks.accept;
  }
  return rule;
}

void RenderEstablished(const RenderContext& context, ir::Chain& chain) {
  using ir::ConntrackMatch;
  const std::uint32_t exempt = context.marks.exempt;
  chain.rules.push_back(
      When(ConntrackMatch{.states = ConntrackMatch::kEstablished | ConntrackMatch::kRelated})
          .Then(IsPlanted(Fault::kEstablishedSkipsChecks)
                    ? ir::Action(ir::Accept{})
                    : ir::SetMark{.value = exempt, .mask = exempt})
          .Because("established"));
}

void RenderConntrack(const RenderContext& context, ir::Chain& chain) {
  using ir::ConntrackMatch;
  RenderEstablished(context, chain);
  if (!context.options.disable_conntrack_invalid_check && !IsPlanted(Fault::kInvalidPasses)) {
    chain.rules.push_back(When(ConntrackMatch{.states = ConntrackMatch::kInvalid})
                              .Then(ir::Drop{})
                              .Because("invalid in conntrack"));
  }
}

void RenderSourceChecks(const RenderContext& context, ir::Chain& chain) {
  chain.rules.push_back(ClearForeignMarks(context));
  if (context.family == model::IpFamily::kV6) {
    chain.rules.push_back(When(ir::ProtocolMatch{.protocol = model::kIcmpV6})
                              .Then(ir::Jump{std::string(kWorkloadIcmpV6Chain)})
                              .Because("neighbour discovery"));
  }
  RenderConntrack(context, chain);
}

ir::Rule ToHostForwardDispatch(const RenderContext& context, const HostTraits& host,
                               Direction direction) {
  const ir::Action jump = ir::Jump{HostForwardDispatchChainName(direction)};
  const bool some_skip = host.accepted_before_input && direction == Direction::kIngress &&
                         !IsPlanted(Fault::kForwardAsksAccepted);
  const ir::MarkMatch unaccepted{.value = 0, .mask = context.marks.accept};
  return (some_skip ? When(unaccepted).Then(jump) : When().Then(jump))
      .Because("host endpoints, forwarded");
}

ir::Chain RenderWorkloadIcmpV6(const RenderContext& context) {
  constexpr std::uint8_t kRouterAdvertisement = 134;
  constexpr std::uint8_t kNeededTypes[] = {130, 131, 132, 133, 135, 136};
  const std::uint32_t exempt = context.marks.exempt;
  const std::uint32_t any_source = context.marks.scratch;
  const ir::ProtocolMatch icmp_v6{.protocol = model::kIcmpV6};
  const auto type = [](std::uint8_t number) {
    return ir::IcmpTypeMatch{.icmp = {.type = number, .code = std::nullopt}};
  };
  ir::Chain chain;
  chain.rules.push_back(When(icmp_v6, type(kRouterAdvertisement))
                            .Then(IsPlanted(Fault::kRouterAdvertisementPasses)
                                      ? ir::Action(ir::Return{})
                                      : ir::Drop{})
                            .Because("router advertisement from a workload"));
  for (const std::uint8_t number : kNeededTypes) {
    chain.rules.push_back(When(icmp_v6, type(number))
                              .Then(IsPlanted(Fault::kDiscoveryOfStrangersAccepted)
                                        ? ir::Action(ir::Accept{})
                                        : ir::SetMark{.value = exempt, .mask = exempt})
                              .Because("neighbour discovery"));
  }
  std::array<std::uint8_t, 16> link_local{0xfe, 0x80};
  const model::Cidr from_link_local(model::IpAddress::V6(link_local), 10);
  const model::Cidr from_unspecified = model::Cidr::Host(model::IpAddress::V6({}));
  for (const model::Cidr& net : {from_link_local, from_unspecified}) {
    chain.rules.push_back(When(ir::AddressMatch{.side = ir::Side::kSource, .net = net},
                               ir::MarkMatch{.value = exempt, .mask = exempt})
                              .Then(ir::SetMark{.value = any_source, .mask = any_source})
                              .Because("neighbour discovery"));
  }
  return chain;
}

}  // namespace felix::compiler
