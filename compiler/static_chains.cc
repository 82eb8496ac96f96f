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

// Marks what policy need not be asked for, and drops what conntrack cannot place. What is exempt
// still passes the checks of interface, address and state of the endpoint: those come later.
void RenderConntrack(const RenderContext& context, ir::Chain& chain) {
  using ir::ConntrackMatch;
  const std::uint32_t exempt = context.marks.exempt;
  chain.rules.push_back(
      When(ConntrackMatch{.states = ConntrackMatch::kEstablished | ConntrackMatch::kRelated})
          .Then(IsPlanted(Fault::kEstablishedSkipsChecks)
                    ? ir::Action(ir::Accept{})
                    : ir::SetMark{.value = exempt, .mask = exempt})
          .Because("established"));
  if (!context.options.disable_conntrack_invalid_check && !IsPlanted(Fault::kInvalidPasses)) {
    chain.rules.push_back(When(ConntrackMatch{.states = ConntrackMatch::kInvalid})
                              .Then(ir::Drop{})
                              .Because("invalid in conntrack"));
  }
}

ir::Chain RenderForward(const RenderContext& context) {
  ir::Chain chain;
  for (const auto way : {ir::InterfaceMatch::Way::kIn, ir::InterfaceMatch::Way::kOut}) {
    for (const std::string& prefix : WorkloadPrefixes(context.options)) {
      chain.rules.push_back(When(Workload(way, prefix))
                                .Then(ir::Goto{std::string(kWorkloadForwardChain)})
                                .Because("workload traffic"));
    }
  }
  return chain;
}

ir::Chain RenderWorkloadForward(const RenderContext& context) {
  ir::Chain chain;
  chain.rules.push_back(ClearForeignMarks(context));
  RenderConntrack(context, chain);
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
  if (context.options.filter_allow_action == AllowAction::kAccept ||
      IsPlanted(Fault::kAllowActionIgnored)) {
    chain.rules.push_back(When().Then(ir::Accept{}).Because("accepted in every direction"));
  }
  return chain;
}

ir::Chain RenderInput(const RenderContext& context) {
  ir::Chain chain;
  for (const std::string& prefix : WorkloadPrefixes(context.options)) {
    chain.rules.push_back(When(Workload(ir::InterfaceMatch::Way::kIn, prefix))
                              .Then(ir::Goto{std::string(kWorkloadToHostChain)})
                              .Because("workload to host"));
  }
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
  const ir::Action allow = context.options.filter_allow_action == AllowAction::kAccept
                               ? ir::Action(ir::Accept{})
                               : ir::Action(ir::Return{});
  chain.rules.push_back(When(ir::MarkMatch{.value = exempt, .mask = exempt})
                            .Then(allow)
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

absl::btree_map<std::string, ir::Chain> RenderStaticChains(const RenderContext& context) {
  const Marks& marks = context.marks;
  absl::btree_map<std::string, ir::Chain> chains;
  const auto set_bit = [](std::uint32_t bit, const char* reason) {
    return ir::Chain{{When().Then(ir::SetMark{.value = bit, .mask = bit}).Because(reason)}};
  };
  // Entered by goto: setting the mark and returning from the policy's chain is one rule there.
  chains[std::string(kAllowChain)] = set_bit(marks.accept, "accepted");
  chains[std::string(kPassChain)] = set_bit(marks.pass, "passed to the next tier");
  chains[std::string(kForwardChain)] = RenderForward(context);
  chains[std::string(kWorkloadForwardChain)] = RenderWorkloadForward(context);
  chains[std::string(kInputChain)] = RenderInput(context);
  chains[std::string(kWorkloadToHostChain)] = RenderWorkloadToHost(context);
  if (context.family == model::IpFamily::kV6) {
    chains[std::string(kWorkloadIcmpV6Chain)] = RenderWorkloadIcmpV6(context);
  }
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
