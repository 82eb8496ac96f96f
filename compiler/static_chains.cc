// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "compiler/chain_renderer.h"
#include "compiler/fault.h"
#include "compiler/names.h"

namespace felix::compiler {
namespace {

using ir::When;

ir::InterfaceMatch Workload(ir::InterfaceMatch::Way way, const std::string& prefix) {
  return {.way = way, .name = prefix, .is_prefix = true};
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

// Marks what policy need not be asked for, and drops what conntrack cannot place. What is exempt
// still passes the checks of interface, address and state of the endpoint: those come later.
void RenderConntrack(const RenderContext& context, ir::Chain& chain) {
  using ir::ConntrackMatch;
  RenderEstablished(context, chain);
  if (!context.options.disable_conntrack_invalid_check && !IsPlanted(Fault::kInvalidPasses)) {
    chain.rules.push_back(When(ConntrackMatch{.states = ConntrackMatch::kInvalid})
                              .Then(ir::Drop{})
                              .Because("invalid in conntrack"));
  }
}

ir::Action AllowOf(const Options& options) {
  if (options.filter_allow_action == AllowAction::kAccept) return ir::Accept{};
  return ir::Return{};
}

ir::MarkMatch Accepted(const RenderContext& context) {
  return {.value = context.marks.accept, .mask = context.marks.accept};
}

// Whatever an earlier table accepted need not ask the list of the interface it came in by.
ir::Rule ToHostForwardDispatch(const RenderContext& context, const HostTraits& host,
                               Direction direction) {
  const ir::Action jump = ir::Jump{HostForwardDispatchChainName(direction)};
  const bool some_skip = host.accepted_before_input && direction == Direction::kIngress &&
                         !IsPlanted(Fault::kForwardAsksAccepted);
  const ir::MarkMatch unaccepted{.value = 0, .mask = context.marks.accept};
  return (some_skip ? When(unaccepted).Then(jump) : When().Then(jump))
      .Because("host endpoints, forwarded");
}

// What is allowed when the packet's way through our chains has come to its end.
void RenderAcceptedAtEnd(const RenderContext& context, ir::Chain& chain) {
  if (context.options.filter_allow_action != AllowAction::kAccept) return;
  chain.rules.push_back(When(Accepted(context)).Then(ir::Accept{}).Because("accepted"));
}

ir::Chain RenderForward(const RenderContext& context, const HostTraits& host) {
  ir::Chain chain;
  for (const auto way : {ir::InterfaceMatch::Way::kIn, ir::InterfaceMatch::Way::kOut}) {
    for (const std::string& prefix : WorkloadPrefixes(context.options)) {
      chain.rules.push_back(When(Workload(way, prefix))
                                .Then(ir::Goto{std::string(kWorkloadForwardChain)})
                                .Because("workload traffic"));
    }
  }
  if (!host.present) return chain;
  chain.rules.push_back(ClearMarksBeforeForwarding(context, host));
  RenderEstablished(context, chain);
  chain.rules.push_back(ToHostForwardDispatch(context, host, Direction::kIngress));
  chain.rules.push_back(ToHostForwardDispatch(context, host, Direction::kEgress));
  RenderAcceptedAtEnd(context, chain);
  return chain;
}

ir::Chain RenderWorkloadForward(const RenderContext& context, const HostTraits& host) {
  ir::Chain chain;
  chain.rules.push_back(ClearMarksBeforeForwarding(context, host));
  RenderConntrack(context, chain);
  if (host.present) {
    chain.rules.push_back(ToHostForwardDispatch(context, host, Direction::kIngress));
  }
  const std::vector<std::string> prefixes = WorkloadPrefixes(context.options);
  for (const std::string& prefix : prefixes) {
    chain.rules.push_back(When(Workload(ir::InterfaceMatch::Way::kIn, prefix))
                              .Then(ir::Jump{DispatchChainName(Direction::kEgress)})
                              .Because("from a workload"));
  }
  for (const std::string& prefix : prefixes) {
    chain.rules.push_back(When(Workload(ir::InterfaceMatch::Way::kOut, prefix))
                              .Then(ir::Jump{DispatchChainName(Direction::kIngress)})
                              .Because("to a workload"));
  }
  if (host.present) {
    chain.rules.push_back(ToHostForwardDispatch(context, host, Direction::kEgress));
  }
  if (context.options.filter_allow_action == AllowAction::kAccept ||
      IsPlanted(Fault::kAllowActionIgnored)) {
    chain.rules.push_back(When().Then(ir::Accept{}).Because("accepted in every direction"));
  }
  return chain;
}

ir::Chain RenderInput(const RenderContext& context, const HostTraits& host) {
  ir::Chain chain;
  for (const std::string& prefix : WorkloadPrefixes(context.options)) {
    chain.rules.push_back(When(Workload(ir::InterfaceMatch::Way::kIn, prefix))
                              .Then(ir::Goto{std::string(kWorkloadToHostChain)})
                              .Because("workload to host"));
  }
  if (!host.present) return chain;
  if (host.accepted_before_input) {
    chain.rules.push_back(
        When(Accepted(context)).Then(AllowOf(context.options)).Because("accepted earlier"));
  }
  chain.rules.push_back(ClearForeignMarks(context));
  chain.rules.push_back(When()
                            .Then(ir::Jump{HostDispatchChainName(Direction::kIngress)})
                            .Because("host endpoints, to the host"));
  RenderAcceptedAtEnd(context, chain);
  return chain;
}

// Only there with host endpoints. What goes to a local workload is never asked; what was translated
// may leave by another interface than it seems, and is asked behind POSTROUTING.
ir::Chain RenderOutput(const RenderContext& context, const HostTraits& host) {
  ir::Chain chain;
  if (host.accepted_before_output) {
    chain.rules.push_back(
        When(Accepted(context)).Then(AllowOf(context.options)).Because("accepted earlier"));
  }
  // Also of what seems to go to a workload: translated, it may leave elsewhere.
  chain.rules.push_back(ClearForeignMarks(context));
  for (const std::string& prefix : WorkloadPrefixes(context.options)) {
    chain.rules.push_back(When(Workload(ir::InterfaceMatch::Way::kOut, prefix))
                              .Then(ir::Return{})
                              .Because("to a local workload"));
  }
  chain.rules.push_back(
      When(ir::ConntrackMatch{.states = ir::ConntrackMatch::kDnat,
                              .negated = !IsPlanted(Fault::kTranslatedAskedByFirstWay)})
          .Then(ir::Jump{HostDispatchChainName(Direction::kEgress)})
          .Because("host endpoints, from the host"));
  RenderAcceptedAtEnd(context, chain);
  return chain;
}

ir::Chain RenderWorkloadToHost(const RenderContext& context) {
  ir::Chain chain;
  const std::uint32_t exempt = context.marks.exempt;
  chain.rules.push_back(ClearForeignMarks(context));
  if (context.family == model::IpFamily::kV6) {
    chain.rules.push_back(When(ir::ProtocolMatch{.protocol = model::kIcmpV6})
                              .Then(ir::Jump{std::string(kWorkloadIcmpV6Chain)})
                              .Because("neighbour discovery"));
  }
  RenderConntrack(context, chain);
  chain.rules.push_back(
      When().Then(ir::Jump{DispatchChainName(Direction::kEgress)}).Because("from a workload"));
  // Established flows and neighbour discovery are not up to the endpoint-to-host action.
  chain.rules.push_back(When(ir::MarkMatch{.value = exempt, .mask = exempt})
                            .Then(AllowOf(context.options))
                            .Because("established or exempt"));
  if (IsPlanted(Fault::kEndpointToHostIgnored)) return chain;
  switch (context.options.endpoint_to_host_action) {
    case EndpointToHostAction::kDrop:
      chain.rules.push_back(When().Then(ir::Drop{}).Because("endpoint to host action"));
      break;
    case EndpointToHostAction::kAccept:
      chain.rules.push_back(When().Then(ir::Accept{}).Because("endpoint to host action"));
      break;
    case EndpointToHostAction::kReturn:
      break;
  }
  return chain;
}

// RFC 4861, RFC 2710, RFC 3810: without these a container cannot find its gateway. They may come
// from link-local addresses, which are no address of the endpoint, so a second mark tells the
// endpoint's chain not to mind the source; whether there is such an endpoint, and whether it is up,
// is still asked. A container has no business announcing itself as a router.
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

}  // namespace

std::vector<std::string> WorkloadPrefixes(const Options& options) {
  std::vector<std::string> sorted = options.interface_prefixes;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> prefixes;
  for (std::string& prefix : sorted) {
    if (prefixes.empty() || !std::string_view(prefix).starts_with(prefixes.back())) {
      prefixes.push_back(std::move(prefix));
    }
  }
  return prefixes;
}

bool IsWorkloadInterface(std::string_view name, const Options& options) {
  return std::any_of(options.interface_prefixes.begin(), options.interface_prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

absl::btree_map<std::string, ir::Chain> RenderVerdictChains(const RenderContext& context) {
  const Marks& marks = context.marks;
  const auto set_bit = [](std::uint32_t bit, const char* reason) {
    return ir::Chain{{When().Then(ir::SetMark{.value = bit, .mask = bit}).Because(reason)}};
  };
  // Entered by goto: setting the mark and returning from the policy's chain is one rule there.
  return {{std::string(kAllowChain), set_bit(marks.accept, "accepted")},
          {std::string(kPassChain), set_bit(marks.pass, "passed to the next tier")}};
}

absl::btree_map<std::string, ir::Chain> RenderStaticChains(const RenderContext& context,
                                                           const HostTraits& host) {
  absl::btree_map<std::string, ir::Chain> chains;
  for (auto& [name, chain] : RenderVerdictChains(context)) chains[name] = std::move(chain);
  chains[std::string(kForwardChain)] = RenderForward(context, host);
  chains[std::string(kWorkloadForwardChain)] = RenderWorkloadForward(context, host);
  chains[std::string(kInputChain)] = RenderInput(context, host);
  chains[std::string(kWorkloadToHostChain)] = RenderWorkloadToHost(context);
  if (context.family == model::IpFamily::kV6) {
    chains[std::string(kWorkloadIcmpV6Chain)] = RenderWorkloadIcmpV6(context);
  }
  if (host.present) chains[std::string(kOutputChain)] = RenderOutput(context, host);
  return chains;
}

absl::btree_map<ir::HookKey, std::vector<ir::Rule>> RenderHooks(const RenderContext& context) {
  absl::btree_map<ir::HookKey, std::vector<ir::Rule>> hooks;
  const auto hook = [&](ir::BaseChain base, std::string_view chain) {
    const ir::HookKey key{.family = context.family,
                          .table = ir::Table::kFilter,
                          .base = base,
                          .position = ir::HookPosition::kFirst};
    hooks[key] = {When().Then(ir::Jump{std::string(chain)}).Because("hook")};
  };
  hook(ir::BaseChain::kInput, kInputChain);
  hook(ir::BaseChain::kForward, kForwardChain);
  return hooks;
}

}  // namespace felix::compiler
