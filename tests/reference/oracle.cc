// SPDX-License-Identifier: Apache-2.0
#include "tests/reference/oracle.h"

#include <algorithm>
#include <array>
#include <optional>

#include "fmt/format.h"

#include "tests/reference/cluster_view.h"
#include "tests/reference/rule_meaning.h"

namespace felix::reference {
namespace {

using testing::ConntrackState;
using testing::Packet;
using testing::Verdict;

constexpr std::uint8_t kRouterAdvertisement = 134;

// What one direction of one endpoint says: an accept or a deny, and why.
struct Opinion {
  bool accepts = false;
  std::string reason;
};

std::optional<model::RuleAction> FirstMatch(const ClusterView& cluster,
                                            const std::vector<model::PolicyRule>& rules,
                                            const Packet& packet) {
  for (const model::PolicyRule& rule : rules) {
    if (rule.action != model::RuleAction::kLog && Matches(cluster, rule, packet)) {
      return rule.action;
    }
  }
  return std::nullopt;
}

template <typename RuleOwner>
const std::vector<model::PolicyRule>& RulesOf(const RuleOwner& owner, Direction direction) {
  return direction == Direction::kIngress ? owner.ingress : owner.egress;
}

Opinion AskProfiles(const ClusterView& cluster, const model::WorkloadEndpoint& endpoint,
                    Direction direction, const Packet& packet) {
  for (const std::string& name : endpoint.profiles) {
    const model::Profile* profile = cluster.FindProfile(name);
    if (profile == nullptr) return {false, fmt::format("unknown profile/{}", name)};
    const auto action = FirstMatch(cluster, RulesOf(*profile, direction), packet);
    if (action == model::RuleAction::kAllow) return {true, fmt::format("profile/{}", name)};
    if (action == model::RuleAction::kDeny) return {false, fmt::format("profile/{}", name)};
  }
  return {false, "no profile allows it"};
}

Opinion AskEndpoint(const ClusterView& cluster, const model::WorkloadEndpoint& endpoint,
                    Direction direction, const Packet& packet) {
  for (const AppliedTier& tier : cluster.TiersOf(endpoint, direction)) {
    std::optional<model::RuleAction> decision;
    std::string decided_by;
    for (const AppliedPolicy& applied : tier.policies) {
      decided_by = applied.id.ToString();
      if (applied.policy == nullptr) return {false, fmt::format("broken {}", decided_by)};
      decision = FirstMatch(cluster, RulesOf(*applied.policy, direction), packet);
      if (decision.has_value()) break;
    }
    if (decision == model::RuleAction::kAllow) return {true, decided_by};
    if (decision == model::RuleAction::kDeny) return {false, decided_by};
    if (!decision.has_value() && tier.denies_at_end) {
      return {false, fmt::format("end of tier {}", tier.name)};
    }
  }
  return AskProfiles(cluster, endpoint, direction, packet);
}

bool MayHaveSource(const model::WorkloadEndpoint& endpoint, const model::IpAddress& source) {
  const auto& spoofed = endpoint.allow_spoofed_source_prefixes;
  return std::count(endpoint.addresses.begin(), endpoint.addresses.end(), source) > 0 ||
         std::any_of(spoofed.begin(), spoofed.end(),
                     [&](const model::Cidr& net) { return net.Contains(source); });
}

// Neighbour discovery, router solicitation and multicast listener messages: without them a
// container cannot reach its gateway.
bool KeepsIpv6Alive(const Packet& packet) {
  constexpr std::array<std::uint8_t, 6> kTypes = {130, 131, 132, 133, 135, 136};
  return packet.family() == model::IpFamily::kV6 && packet.IsIcmp() &&
         std::count(kTypes.begin(), kTypes.end(), packet.icmp_type) > 0;
}

bool IsLinkLocalOrUnspecified(const model::IpAddress& address) {
  static const model::Cidr kLinkLocal = *model::Cidr::Parse("fe80::/10");
  static const model::IpAddress kUnspecified = *model::IpAddress::Parse("::");
  return kLinkLocal.Contains(address) || address == kUnspecified;
}

std::optional<Judgement> JudgeTunnels(const compiler::Options& options, const Packet& packet) {
  if (packet.protocol == model::kUdp && packet.destination_port == options.vxlan_port &&
      !options.allow_vxlan_from_workloads) {
    return Judgement{Verdict::kDeny, "VXLAN from a workload"};
  }
  if (packet.protocol == model::Protocol{4} && !options.allow_ipip_from_workloads) {
    return Judgement{Verdict::kDeny, "IPIP from a workload"};
  }
  return std::nullopt;
}

// The verdict that the flow's state already settles.
std::optional<Judgement> JudgeState(const compiler::Options& options, const Packet& packet,
                                    Verdict accept) {
  if (packet.conntrack == ConntrackState::kEstablished ||
      packet.conntrack == ConntrackState::kRelated) {
    return Judgement{accept, "known flow"};
  }
  if (packet.conntrack == ConntrackState::kInvalid && !options.disable_conntrack_invalid_check) {
    return Judgement{Verdict::kDeny, "invalid state"};
  }
  return std::nullopt;
}

Verdict AcceptOf(const compiler::Options& options) {
  return options.filter_allow_action == compiler::AllowAction::kReturn ? Verdict::kContinue
                                                                       : Verdict::kAccept;
}

Judgement JudgeToHost(const ClusterView& cluster, const compiler::Options& options,
                      const Packet& packet) {
  const Verdict accept = AcceptOf(options);
  const model::WorkloadEndpoint* source = cluster.OwnerOf(packet.in_interface);
  if (source == nullptr) return {Verdict::kDeny, "unknown interface"};
  if (!source->admin_up) return {Verdict::kDeny, "endpoint is down"};
  if (packet.family() == model::IpFamily::kV6 && packet.IsIcmp() &&
      packet.icmp_type == kRouterAdvertisement) {
    return {Verdict::kDeny, "router advertisement"};
  }
  // Conntrack leaves neighbour discovery alone; what it calls invalid is a forgery.
  const bool invalid =
      packet.conntrack == ConntrackState::kInvalid && !options.disable_conntrack_invalid_check;
  if (invalid) return {Verdict::kDeny, "invalid state"};
  if (KeepsIpv6Alive(packet) && IsLinkLocalOrUnspecified(packet.source)) {
    return {accept, "neighbour discovery"};
  }
  if (!MayHaveSource(*source, packet.source)) return {Verdict::kDeny, "spoofed source"};
  if (KeepsIpv6Alive(packet)) return {accept, "neighbour discovery"};
  if (const auto known = JudgeState(options, packet, accept)) return *known;
  if (const auto tunnel = JudgeTunnels(options, packet)) return *tunnel;

  const Opinion egress = AskEndpoint(cluster, *source, Direction::kEgress, packet);
  if (!egress.accepts) return {Verdict::kDeny, "egress: " + egress.reason};
  switch (options.endpoint_to_host_action) {
    case compiler::EndpointToHostAction::kDrop:
      return {Verdict::kDeny, "endpoint to host"};
    case compiler::EndpointToHostAction::kReturn:
      return {Verdict::kContinue, "endpoint to host"};
    case compiler::EndpointToHostAction::kAccept:
      return {Verdict::kAccept, "endpoint to host"};
  }
  return {};
}

Judgement JudgeForwarded(const ClusterView& cluster, const compiler::Options& options,
                         const Packet& packet) {
  const bool from_workload = cluster.IsWorkloadInterface(packet.in_interface);
  const bool to_workload = cluster.IsWorkloadInterface(packet.out_interface);
  const model::WorkloadEndpoint* source =
      from_workload ? cluster.OwnerOf(packet.in_interface) : nullptr;
  const model::WorkloadEndpoint* destination =
      to_workload ? cluster.OwnerOf(packet.out_interface) : nullptr;
  if (from_workload && source == nullptr) return {Verdict::kDeny, "unknown source interface"};
  if (to_workload && destination == nullptr) {
    return {Verdict::kDeny, "unknown destination interface"};
  }
  if (from_workload && !source->admin_up) return {Verdict::kDeny, "source is down"};
  if (to_workload && !destination->admin_up) return {Verdict::kDeny, "destination is down"};
  if (from_workload && !MayHaveSource(*source, packet.source)) {
    return {Verdict::kDeny, "spoofed source"};
  }
  const Verdict accept = AcceptOf(options);
  if (const auto known = JudgeState(options, packet, accept)) return *known;
  std::string reason;
  if (from_workload) {
    if (const auto tunnel = JudgeTunnels(options, packet)) return *tunnel;
    const Opinion egress = AskEndpoint(cluster, *source, Direction::kEgress, packet);
    if (!egress.accepts) return {Verdict::kDeny, "egress: " + egress.reason};
    reason += "egress: " + egress.reason + " ";
  }
  if (to_workload) {
    const Opinion ingress = AskEndpoint(cluster, *destination, Direction::kIngress, packet);
    if (!ingress.accepts) return {Verdict::kDeny, "ingress: " + ingress.reason};
    reason += "ingress: " + ingress.reason;
  }
  return {accept, reason};
}

}  // namespace

Judgement Explain(const model::Store& store, const compiler::Options& options,
                  const Packet& packet) {
  const ClusterView cluster(store, options);
  if (packet.family() == model::IpFamily::kV6 && !options.ipv6_support) {
    return {Verdict::kNotOurs, "IPv6 is off"};
  }
  const bool from_workload = cluster.IsWorkloadInterface(packet.in_interface);
  const bool to_workload = cluster.IsWorkloadInterface(packet.out_interface);
  if (!packet.in_interface.empty() && !packet.out_interface.empty()) {
    if (from_workload || to_workload) return JudgeForwarded(cluster, options, packet);
    return {Verdict::kNotOurs, "forwarded between foreign interfaces"};
  }
  if (from_workload) return JudgeToHost(cluster, options, packet);
  return {Verdict::kNotOurs, "the host's own"};
}

Verdict Judge(const model::Store& store, const compiler::Options& options, const Packet& packet) {
  return Explain(store, options, packet).verdict;
}

}  // namespace felix::reference
