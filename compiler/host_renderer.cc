// SPDX-License-Identifier: Apache-2.0
#include "compiler/host_renderer.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "compiler/fault.h"
#include "compiler/names.h"

namespace felix::compiler {
namespace {

using ir::ConntrackMatch;
using ir::Table;
using ir::When;

bool AnyHas(const HostLayout& layout, ShapeKind kind, Direction direction) {
  for (const auto& [name, policies] : layout.interfaces) {
    if (policies.Find(kind, direction) != nullptr) return true;
  }
  return layout.wildcard.has_value() && layout.wildcard->Find(kind, direction) != nullptr;
}

class Renderer {
 public:
  Renderer(const HostLayout& layout, const RenderContext& context)
      : layout_(layout), context_(context) {}

  ir::DesiredState Render() && {
    const bool untracked_in = AnyHas(layout_, ShapeKind::kUntracked, Direction::kIngress);
    const bool untracked_out = AnyHas(layout_, ShapeKind::kUntracked, Direction::kEgress);
    const bool pre_dnat = AnyHas(layout_, ShapeKind::kPreDnat, Direction::kIngress);
    RenderRoots(ShapeKind::kHost);
    RenderRoots(ShapeKind::kForward);
    const bool shared = context_.options.chain_layout == ChainLayout::kShared;
    if (shared) RenderRoots(ShapeKind::kWorkloadForward);
    Hook(Table::kFilter, ir::BaseChain::kOutput, kOutputChain);
    RenderDirection(ShapeKind::kHostTranslated, Direction::kEgress);
    RenderPostrouting();
    if (untracked_in) RenderRaw(Direction::kIngress);
    if (untracked_out) RenderRaw(Direction::kEgress);
    if (untracked_in || pre_dnat) RenderPrerouting(untracked_in, pre_dnat);
    // They are there already.
    if (!shared) RenderVerdicts(Table::kMangle);
    if (untracked_in || untracked_out) RenderVerdicts(Table::kRaw);
    return std::move(state_);
  }

 private:
  // Good until the next chain is asked for.
  std::vector<ir::Rule>& Chain(Table table, std::string_view name) {
    return state_.chains[{.family = context_.family, .table = table, .name = std::string(name)}]
        .rules;
  }

  void Hook(Table table, ir::BaseChain base, std::string_view chain) {
    const ir::HookKey key{.family = context_.family,
                          .table = table,
                          .base = base,
                          .position = ir::HookPosition::kFirst};
    state_.hooks[key] = {When().Then(ir::Jump{std::string(chain)}).Because("hook")};
  }

  void RenderVerdicts(Table table) {
    for (auto& [name, chain] : RenderVerdictChains(context_)) {
      Chain(table, name) = std::move(chain.rules);
    }
  }

  [[nodiscard]] ir::Rule ClearMarks() const {
    return When()
        .Then(ir::SetMark{.value = 0, .mask = context_.marks.all()})
        .Because("foreign marks");
  }
  [[nodiscard]] ir::MarkMatch Accepted() const {
    return {.value = context_.marks.accept, .mask = context_.marks.accept};
  }

  // Failsafe ports: those of the host, by what comes to them, and those of peers, by what goes
  // there. Before connection tracking the answers are named as well, so that a policy which turns
  // tracking off leaves both ways of such a connection alone.
  void RenderFailsafe(Table table, Direction direction) {
    const bool in = direction == Direction::kIngress;
    const Options& options = context_.options;
    std::vector<ir::Rule> rules;
    const auto add = [&](const std::vector<model::FailsafePort>& ports, ir::Side port_side) {
      using PeerAndProtocol = std::pair<model::Protocol, std::optional<model::Cidr>>;
      absl::btree_map<PeerAndProtocol, std::vector<model::PortRange>> ranges;
      for (const model::FailsafePort& port : ports) {
        if (port.net.has_value() && port.net->family() != context_.family) continue;
        ranges[{port.protocol, port.net}].push_back({.first = port.port, .last = port.port});
      }
      for (const auto& [peer, of_peer] : ranges) {
        const auto& [protocol, net] = peer;
        for (std::size_t first = 0; first < of_peer.size(); first += ir::kMaxPortSlots) {
          const auto begin = of_peer.begin() + static_cast<std::ptrdiff_t>(first);
          const std::size_t count =
              std::min<std::size_t>(of_peer.size() - first, ir::kMaxPortSlots);
          std::vector<ir::Match> matches = {ir::ProtocolMatch{.protocol = protocol}};
          if (net.has_value() && !IsPlanted(Fault::kFailsafeNetIgnored)) {
            matches.push_back(ir::AddressMatch{
                .side = in ? ir::Side::kSource : ir::Side::kDestination, .net = *net});
          }
          matches.push_back(ir::PortsMatch{
              .side = port_side, .ranges = {begin, begin + static_cast<std::ptrdiff_t>(count)}});
          rules.push_back({std::move(matches), ir::Accept{}, {.owner = "failsafe ports"}});
        }
      }
    };
    if (!IsPlanted(Fault::kFailsafePortsForgotten)) {
      add(in ? options.failsafe_inbound : options.failsafe_outbound, ir::Side::kDestination);
    }
    if (table == Table::kRaw && !IsPlanted(Fault::kFailsafeAnswersForgotten)) {
      add(in ? options.failsafe_outbound : options.failsafe_inbound, ir::Side::kSource);
    }
    if (!rules.empty()) Chain(table, FailsafeChainName(direction)) = std::move(rules);
  }

  // What an established connection meets, and what conntrack cannot place.
  void RenderConntrack(const ir::Action& allow, const std::string& owner,
                       std::vector<ir::Rule>& rules) const {
    if (!IsPlanted(Fault::kHostEstablishedAsked)) {
      rules.push_back(
          When(ConntrackMatch{.states = ConntrackMatch::kEstablished | ConntrackMatch::kRelated})
              .Then(allow)
              .Because(owner));
    }
    RenderInvalid(owner, rules);
  }

  void RenderInvalid(const std::string& owner, std::vector<ir::Rule>& rules) const {
    if (context_.options.disable_conntrack_invalid_check) return;
    if (IsPlanted(Fault::kHostInvalidPasses)) return;
    rules.push_back(
        When(ConntrackMatch{.states = ConntrackMatch::kInvalid}).Then(ir::Drop{}).Because(owner));
  }

  [[nodiscard]] ir::Action AllowEstablished(ShapeKind kind) const {
    const ir::Action mark = ir::Goto{std::string(kAllowChain)};
    // Leaving a table early is for its configured action only, and never for what POSTROUTING asks:
    // the rules of others behind ours decide too.
    const bool accept = (kind == ShapeKind::kHost &&
                         context_.options.filter_allow_action == AllowAction::kAccept) ||
                        (kind == ShapeKind::kPreDnat &&
                         context_.options.mangle_allow_action == AllowAction::kAccept);
    return accept ? ir::Action(ir::Accept{}) : mark;
  }

  std::string ChainName(ShapeKind kind, std::string_view interface, Direction direction) const {
    return IsOfForwarding(kind) ? HostForwardChainName(interface, direction)
                                : HostChainName(interface, direction);
  }

  void RenderForwarding(const HostPolicies& policies, const Shape* shape,
                        std::vector<ir::Rule>& rules) const {
    const ir::Goto allow{std::string(kAllowChain)};
    const std::uint32_t exempt = context_.marks.exempt;
    rules.push_back(
        When(ir::MarkMatch{.value = exempt, .mask = exempt}).Then(allow).Because(policies.owner));
    RenderInvalid(policies.owner, rules);
    const ir::Action next = shape == nullptr ? allow : ir::Goto{shape->ChainName()};
    rules.push_back(When().Then(next).Because(policies.owner));
  }

  // The chain of one interface for one kind of list. Whether there is one.
  bool RenderInterface(std::string_view interface, const HostPolicies& policies, ShapeKind kind,
                       Direction direction) {
    const Shape* shape = policies.Find(kind, direction);
    if (shape == nullptr && !IsOfForwarding(kind)) return false;
    const Table table = TableOf(kind);
    std::vector<ir::Rule>& rules = Chain(table, ChainName(kind, interface, direction));
    if (IsOfForwarding(kind)) {
      RenderForwarding(policies, shape, rules);
      return true;
    }
    if (kind != ShapeKind::kUntracked) {
      RenderConntrack(AllowEstablished(kind), policies.owner, rules);
    }
    const ir::ChainKey failsafe{
        .family = context_.family, .table = table, .name = FailsafeChainName(direction)};
    if (state_.chains.contains(failsafe)) {
      rules.push_back(When().Then(ir::Jump{failsafe.name}).Because(policies.owner));
    }
    rules.push_back(When().Then(ir::Goto{shape->ChainName()}).Because(policies.owner));
    return true;
  }

  // The root and all chains that it leads to.
  void RenderDirection(ShapeKind kind, Direction direction) {
    const Table table = TableOf(kind);
    if (!IsOfForwarding(kind)) RenderFailsafe(table, direction);
    const std::string root = IsOfForwarding(kind) ? HostForwardDispatchChainName(direction)
                                                  : HostDispatchChainName(direction);
    const bool comes_in = (direction == Direction::kIngress) != IsPlanted(Fault::kHostWaysSwapped);
    const auto way = comes_in ? ir::InterfaceMatch::Way::kIn : ir::InterfaceMatch::Way::kOut;
    const bool has_rest = layout_.wildcard.has_value() &&
                          RenderInterface(kAnyInterface, *layout_.wildcard, kind, direction);
    std::vector<ir::Rule> dispatch;
    for (const auto& [interface, policies] : layout_.interfaces) {
      if (RenderInterface(interface, policies, kind, direction)) {
        dispatch.push_back(When(ir::InterfaceMatch{.way = way, .name = interface})
                               .Then(ir::Goto{ChainName(kind, interface, direction)})
                               .Because(policies.owner));
      } else if (has_rest && !IsPlanted(Fault::kOwnListLeftToWildcard)) {
        dispatch.push_back(When(ir::InterfaceMatch{.way = way, .name = interface})
                               .Then(ir::Return{})
                               .Because(policies.owner));
      }
    }
    if (has_rest) {
      if (kind == ShapeKind::kHostTranslated && !IsPlanted(Fault::kHostToWorkloadAsked)) {
        for (const std::string& prefix : WorkloadPrefixes(context_.options)) {
          dispatch.push_back(When(ir::InterfaceMatch{.way = way, .name = prefix, .is_prefix = true})
                                 .Then(ir::Return{})
                                 .Because("to a local workload"));
        }
      }
      dispatch.push_back(When()
                             .Then(ir::Goto{ChainName(kind, kAnyInterface, direction)})
                             .Because(layout_.wildcard->owner));
    }
    Chain(table, root) = std::move(dispatch);
  }

  void RenderRoots(ShapeKind kind) {
    RenderDirection(kind, Direction::kIngress);
    RenderDirection(kind, Direction::kEgress);
  }

  void RenderRaw(Direction direction) {
    const bool in = direction == Direction::kIngress;
    RenderDirection(ShapeKind::kUntracked, direction);
    const std::string_view name = in ? kPreroutingChain : kOutputChain;
    std::vector<ir::Rule>& rules = Chain(Table::kRaw, name);
    if (!IsPlanted(Fault::kMarkKeptAtRaw)) rules.push_back(ClearMarks());
    rules.push_back(When()
                        .Then(ir::Jump{HostDispatchChainName(direction)})
                        .Because("host endpoints, untracked"));
    if (!IsPlanted(Fault::kNoTrackMissing)) {
      rules.push_back(When(Accepted()).Then(ir::NoTrack{}).Because("accepted untracked"));
    }
    rules.push_back(When(Accepted()).Then(ir::Accept{}).Because("accepted untracked"));
    Hook(Table::kRaw, in ? ir::BaseChain::kPrerouting : ir::BaseChain::kOutput, name);
  }

  void RenderPrerouting(bool untracked_in, bool pre_dnat) {
    const bool accepts = context_.options.mangle_allow_action == AllowAction::kAccept;
    if (pre_dnat) RenderDirection(ShapeKind::kPreDnat, Direction::kIngress);
    std::vector<ir::Rule>& rules = Chain(Table::kMangle, kPreroutingChain);
    if (untracked_in) {
      rules.push_back(When(Accepted())
                          .Then(accepts ? ir::Action(ir::Accept{}) : ir::Return{})
                          .Because("accepted untracked"));
    } else if (!IsPlanted(Fault::kMarkKeptAtMangle)) {
      rules.push_back(ClearMarks());
    }
    if (pre_dnat) {
      rules.push_back(When()
                          .Then(ir::Jump{HostDispatchChainName(Direction::kIngress)})
                          .Because("host endpoints, before translation"));
      if (accepts) {
        rules.push_back(When(Accepted()).Then(ir::Accept{}).Because("accepted before translation"));
      }
    }
    Hook(Table::kMangle, ir::BaseChain::kPrerouting, kPreroutingChain);
  }

  // What was forwarded to an interface that is asked here bears the accept mark of its list; only
  // what the host itself sent is asked here.
  void RenderPostrouting() {
    if (IsPlanted(Fault::kTranslatedEgressUnasked)) return;
    const ir::MarkMatch unaccepted{.value = 0, .mask = context_.marks.accept};
    Chain(Table::kMangle, kPostroutingChain)
        .push_back(When(unaccepted, ConntrackMatch{.states = ConntrackMatch::kDnat})
                       .Then(ir::Jump{HostDispatchChainName(Direction::kEgress)})
                       .Because("host endpoints, translated"));
    Hook(Table::kMangle, ir::BaseChain::kPostrouting, kPostroutingChain);
  }

  const HostLayout& layout_;
  const RenderContext& context_;
  ir::DesiredState state_;
};

}  // namespace

const Shape* HostPolicies::Find(ShapeKind kind, Direction direction) const {
  for (const Shape& shape : shapes) {
    if (shape.kind == kind && shape.direction == direction) return &shape;
  }
  return nullptr;
}

HostTraits TraitsOf(const HostLayout& layout) {
  const bool untracked_in = AnyHas(layout, ShapeKind::kUntracked, Direction::kIngress);
  return {.present = !layout.empty(),
          .accepted_before_input =
              untracked_in || AnyHas(layout, ShapeKind::kPreDnat, Direction::kIngress),
          .accepted_before_output = AnyHas(layout, ShapeKind::kUntracked, Direction::kEgress)};
}

ir::DesiredState RenderHostEndpoints(const HostLayout& layout, const RenderContext& context) {
  if (layout.empty()) return {};
  return Renderer(layout, context).Render();
}

}  // namespace felix::compiler
