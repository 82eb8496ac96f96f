// SPDX-License-Identifier: Apache-2.0
#include "compiler/nat_renderer.h"

#include <optional>
#include <string>
#include <utility>

#include "compiler/names.h"

namespace felix::compiler {
namespace {

using ir::BaseChain;
using ir::When;

constexpr std::string_view kFloatingDestinationChain = "cali-fip-dnat";
constexpr std::string_view kFloatingSourceChain = "cali-fip-snat";
constexpr std::string_view kOutgoingChain = "cali-nat-outgoing";

ir::SetMatch InSet(std::string_view id, ir::Side side, bool negated) {
  return {.set_id = std::string(id), .with_port = false, .side = side, .negated = negated};
}

ir::Rule JumpTo(std::string_view chain) {
  return When().Then(ir::Jump{std::string(chain)}).Because("translation");
}

class Renderer {
 public:
  Renderer(const Translations& translations, const RenderContext& context, ir::DesiredState& state)
      : translations_(translations), context_(context), state_(state) {}

  void Render() {
    if (!translations_.internal_of.empty()) {
      Hook(BaseChain::kPrerouting, ir::HookPosition::kFirst, kPreroutingChain);
      Hook(BaseChain::kOutput, ir::HookPosition::kFirst, kOutputChain);
      Chain(kPreroutingChain).push_back(JumpTo(kFloatingDestinationChain));
      Chain(kOutputChain).push_back(JumpTo(kFloatingDestinationChain));
      RenderFloatingDestinations();
    }
    // Behind everybody: others, kube-proxy for one, masquerade by a mark that our rules clear.
    if (!translations_.external_of.empty() || !translations_.masquerading.empty()) {
      Hook(BaseChain::kPostrouting, ir::HookPosition::kLast, kPostroutingChain);
    }
    if (!translations_.external_of.empty()) {
      Chain(kPostroutingChain).push_back(JumpTo(kFloatingSourceChain));
      RenderFloatingSources();
    }
    if (!translations_.masquerading.empty()) {
      Chain(kPostroutingChain).push_back(JumpTo(kOutgoingChain));
      RenderOutgoing();
    }
  }

 private:
  std::vector<ir::Rule>& Chain(std::string_view name) {
    return state_
        .chains[{.family = context_.family, .table = ir::Table::kNat, .name = std::string(name)}]
        .rules;
  }

  void Hook(BaseChain base, ir::HookPosition position, std::string_view chain) {
    const ir::HookKey key{
        .family = context_.family, .table = ir::Table::kNat, .base = base, .position = position};
    state_.hooks[key] = {When().Then(ir::Jump{std::string(chain)}).Because("hook")};
  }

  void RenderFloatingDestinations() {
    for (const auto& [external, internal] : translations_.internal_of) {
      Chain(kFloatingDestinationChain)
          .push_back(When(ir::AddressMatch{.side = ir::Side::kDestination,
                                           .net = model::Cidr::Host(external)})
                         .Then(ir::DestinationNat{.address = internal, .ports = {}})
                         .Because("floating IP"));
    }
  }

  // Of a workload that talks to its own floating IP: the answer must come back this way.
  void RenderFloatingSources() {
    for (const auto& [internal, external] : translations_.external_of) {
      const model::Cidr net = model::Cidr::Host(internal);
      Chain(kFloatingSourceChain)
          .push_back(When(ir::AddressMatch{.side = ir::Side::kSource, .net = net},
                          ir::AddressMatch{.side = ir::Side::kDestination, .net = net})
                         .Then(ir::SourceNat{.address = external, .ports = {}})
                         .Because("own floating IP"));
    }
  }

  void RenderOutgoing() {
    const Options& options = context_.options;
    Set(kMasqueradingPoolsSet, translations_.masquerading);
    Set(kPoolsSet, translations_.pools);
    std::vector<ir::Match> matches;
    std::string_view interface = options.nat_outgoing_interface_filter;
    if (!interface.empty()) {
      const bool is_prefix = interface.ends_with('+');
      if (is_prefix) interface.remove_suffix(1);
      matches.push_back(ir::InterfaceMatch{.way = ir::InterfaceMatch::Way::kOut,
                                           .name = std::string(interface),
                                           .is_prefix = is_prefix});
    }
    const std::size_t protocol_place = matches.size();
    matches.push_back(InSet(kMasqueradingPoolsSet, ir::Side::kSource, false));
    matches.push_back(InSet(kPoolsSet, ir::Side::kDestination, true));
    if (options.nat_outgoing_exclusions == NatOutgoingExclusions::kIpPoolsAndHostIps) {
      Set(kHostsSet, translations_.hosts);
      matches.push_back(InSet(kHostsSet, ir::Side::kDestination, true));
    }
    std::vector<ir::Rule>& rules = Chain(kOutgoingChain);
    const auto add = [&](std::vector<ir::Match> of_rule, std::optional<model::PortRange> ports) {
      rules.push_back({std::move(of_rule), Outgoing(ports), {.owner = "leaves the pools"}});
    };
    if (options.nat_port_range.has_value()) {
      for (const model::Protocol protocol : {model::kTcp, model::kUdp}) {
        std::vector<ir::Match> of_protocol = matches;
        of_protocol.insert(of_protocol.begin() + static_cast<std::ptrdiff_t>(protocol_place),
                           ir::ProtocolMatch{.protocol = protocol});
        add(std::move(of_protocol), options.nat_port_range);
      }
    }
    add(std::move(matches), std::nullopt);
  }

  [[nodiscard]] ir::Action Outgoing(std::optional<model::PortRange> ports) const {
    const std::optional<model::IpAddress>& address = context_.options.nat_outgoing_address;
    // The configured address is of one family; the other takes the interface's.
    if (address.has_value() && address->family() == context_.family) {
      return ir::SourceNat{.address = *address, .ports = ports, .fully_random = true};
    }
    return ir::Masquerade{.ports = ports, .fully_random = true};
  }

  void Set(std::string_view id, const absl::btree_set<model::Cidr>& nets) {
    ir::AddressSet& set = state_.sets[{.family = context_.family, .id = std::string(id)}];
    for (const model::Cidr& net : nets) {
      set.members.insert({.net = net, .protocol = {}, .port = 0});
    }
  }

  const Translations& translations_;
  const RenderContext& context_;
  ir::DesiredState& state_;
};

}  // namespace

void RenderTranslations(const Translations& translations, const RenderContext& context,
                        ir::DesiredState& state) {
  Renderer(translations, context, state).Render();
}

}  // namespace felix::compiler
