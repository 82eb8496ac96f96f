// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "compiler/chain_renderer.h"
#include "compiler/entry_rules.h"
#include "compiler/fault.h"
#include "compiler/names.h"

namespace felix::compiler {
namespace {

using ir::When;

ir::Action AllowOf(const Options& options) {
  if (options.filter_allow_action == AllowAction::kAccept) return ir::Accept{};
  return ir::Return{};
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
      chain.rules.push_back(When(WorkloadInterface(way, prefix))
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

// With ChainLayout=Shared the mangle table has judged what containers send and receive.
void RenderJudged(const RenderContext& context, ir::Chain& chain) {
  const Marks& marks = context.marks;
  if (context.options.filter_deny_action == DenyAction::kReject &&
      !IsPlanted(Fault::kRefusedPasses)) {
    chain.rules.push_back(When(ir::MarkMatch{.value = marks.refused, .mask = marks.refused})
                              .Then(ir::Reject{})
                              .Because("refused in the mangle table"));
  }
  if (IsPlanted(Fault::kRefusedPasses)) return;
  chain.rules.push_back(When(ir::MarkMatch{.value = 0, .mask = marks.accept})
                            .Then(ir::Drop{})
                            .Because("not accepted in the mangle table"));
}

ir::Chain RenderWorkloadForward(const RenderContext& context, const HostTraits& host) {
  ir::Chain chain;
  if (context.options.chain_layout == ChainLayout::kShared) {
    RenderJudged(context, chain);
    if (context.options.filter_allow_action == AllowAction::kAccept) {
      chain.rules.push_back(When().Then(ir::Accept{}).Because("accepted in every direction"));
    }
    return chain;
  }
  chain.rules.push_back(ClearMarksBeforeForwarding(context, host));
  RenderConntrack(context, chain);
  if (host.present) {
    chain.rules.push_back(ToHostForwardDispatch(context, host, Direction::kIngress));
  }
  const std::vector<std::string> prefixes = WorkloadPrefixes(context.options);
  for (const std::string& prefix : prefixes) {
    chain.rules.push_back(When(WorkloadInterface(ir::InterfaceMatch::Way::kIn, prefix))
                              .Then(ir::Jump{DispatchChainName(Direction::kEgress)})
                              .Because("from a workload"));
  }
  for (const std::string& prefix : prefixes) {
    chain.rules.push_back(When(WorkloadInterface(ir::InterfaceMatch::Way::kOut, prefix))
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
    chain.rules.push_back(When(WorkloadInterface(ir::InterfaceMatch::Way::kIn, prefix))
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
    chain.rules.push_back(When(WorkloadInterface(ir::InterfaceMatch::Way::kOut, prefix))
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
  if (context.options.chain_layout == ChainLayout::kShared) {
    RenderJudged(context, chain);
  } else {
    RenderSourceChecks(context, chain);
    chain.rules.push_back(
        When().Then(ir::Jump{DispatchChainName(Direction::kEgress)}).Because("from a workload"));
  }
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

namespace {

absl::btree_map<std::string, ir::Chain> RenderFilterChains(const RenderContext& context,
                                                           const HostTraits& host) {
  absl::btree_map<std::string, ir::Chain> chains;
  for (auto& [name, chain] : RenderVerdictChains(context)) chains[name] = std::move(chain);
  chains[std::string(kForwardChain)] = RenderForward(context, host);
  chains[std::string(kWorkloadForwardChain)] = RenderWorkloadForward(context, host);
  chains[std::string(kInputChain)] = RenderInput(context, host);
  chains[std::string(kWorkloadToHostChain)] = RenderWorkloadToHost(context);
  if (context.family == model::IpFamily::kV6 &&
      context.options.chain_layout == ChainLayout::kPerContainer) {
    chains[std::string(kWorkloadIcmpV6Chain)] = RenderWorkloadIcmpV6(context);
  }
  if (host.present) chains[std::string(kOutputChain)] = RenderOutput(context, host);
  return chains;
}

}  // namespace

absl::btree_map<ir::ChainKey, ir::Chain> RenderStaticChains(const RenderContext& context,
                                                            const HostTraits& host) {
  absl::btree_map<ir::ChainKey, ir::Chain> chains;
  const auto add = [&](ir::Table table, absl::btree_map<std::string, ir::Chain> of_table) {
    for (auto& [name, chain] : of_table) {
      chains[{.family = context.family, .table = table, .name = name}] = std::move(chain);
    }
  };
  add(ir::Table::kFilter, RenderFilterChains(context, host));
  if (context.options.chain_layout == ChainLayout::kShared) {
    add(ir::Table::kMangle, RenderSharedChains(context, host));
  }
  return chains;
}

absl::btree_map<ir::HookKey, std::vector<ir::Rule>> RenderHooks(const RenderContext& context) {
  absl::btree_map<ir::HookKey, std::vector<ir::Rule>> hooks;
  const auto hook = [&](ir::Table table, ir::BaseChain base, std::string_view chain) {
    const ir::HookKey key{.family = context.family,
                          .table = table,
                          .base = base,
                          .position = ir::HookPosition::kFirst};
    hooks[key] = {When().Then(ir::Jump{std::string(chain)}).Because("hook")};
  };
  const auto hook_both = [&](ir::Table table) {
    hook(table, ir::BaseChain::kInput, kInputChain);
    hook(table, ir::BaseChain::kForward, kForwardChain);
  };
  hook_both(ir::Table::kFilter);
  if (context.options.chain_layout == ChainLayout::kShared) hook_both(ir::Table::kMangle);
  return hooks;
}

}  // namespace felix::compiler
