// SPDX-License-Identifier: Apache-2.0
#include "tests/reference/oracle.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "fmt/format.h"

#include "tests/reference/cluster_view.h"
#include "tests/reference/host_policy.h"
#include "tests/reference/opinion.h"

namespace felix::reference {
namespace {

using testing::ConntrackState;
using testing::Packet;
using testing::Verdict;

constexpr std::uint8_t kRouterAdvertisement = 134;

Opinion AskWorkload(const ClusterView& cluster, const model::WorkloadEndpoint& endpoint,
                    Direction direction, const Packet& packet) {
  return AskAll(cluster, cluster.TiersOf(endpoint, direction), endpoint.profiles, direction,
                packet);
}

bool IsOwn(const model::WorkloadEndpoint& endpoint, const model::IpAddress& address) {
  const auto& spoofed = endpoint.allow_spoofed_source_prefixes;
  return std::count(endpoint.addresses.begin(), endpoint.addresses.end(), address) > 0 ||
         std::any_of(spoofed.begin(), spoofed.end(),
                     [&](const model::Cidr& net) { return net.Contains(address); });
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
  // Elements tell addresses, and link-local ones are nobody's: such discovery is let in unasked.
  const bool unasked = options.chain_layout == compiler::ChainLayout::kShared &&
                       KeepsIpv6Alive(packet) && IsLinkLocalOrUnspecified(packet.source);
  if (source == nullptr && !unasked) return {Verdict::kDeny, "unknown interface"};
  if (!unasked && !source->admin_up) return {Verdict::kDeny, "endpoint is down"};
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
  if (!IsOwn(*source, packet.source)) return {Verdict::kDeny, "spoofed source"};
  if (KeepsIpv6Alive(packet)) return {accept, "neighbour discovery"};
  if (const auto known = JudgeState(options, packet, accept)) return *known;
  if (const auto tunnel = JudgeTunnels(options, packet)) return *tunnel;

  const Opinion egress = AskWorkload(cluster, *source, Direction::kEgress, packet);
  if (!egress.Allows()) return {Verdict::kDeny, "egress: " + egress.reason};
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

// What is wrong with a forwarded packet whatever policies say.
std::optional<Judgement> JudgeEnds(const ClusterView& cluster, const compiler::Options& options,
                                   const Packet& packet) {
  const bool from_workload = cluster.IsWorkloadInterface(packet.in_interface);
  const bool to_workload = cluster.IsWorkloadInterface(packet.out_interface);
  const model::WorkloadEndpoint* source = cluster.OwnerOf(packet.in_interface);
  const model::WorkloadEndpoint* destination = cluster.OwnerOf(packet.out_interface);
  if (from_workload && source == nullptr) {
    return Judgement{Verdict::kDeny, "unknown source interface"};
  }
  if (to_workload && destination == nullptr) {
    return Judgement{Verdict::kDeny, "unknown destination interface"};
  }
  if (from_workload && !source->admin_up) return Judgement{Verdict::kDeny, "source is down"};
  if (to_workload && !destination->admin_up) {
    return Judgement{Verdict::kDeny, "destination is down"};
  }
  if (from_workload && !IsOwn(*source, packet.source)) {
    return Judgement{Verdict::kDeny, "spoofed source"};
  }
  // Elements tell addresses, on both sides.
  if (to_workload && options.chain_layout == compiler::ChainLayout::kShared &&
      !IsOwn(*destination, packet.destination)) {
    return Judgement{Verdict::kDeny, "no address of the destination"};
  }
  return std::nullopt;
}

// `accepted`: by a host endpoint's policy before it was known that the packet is to be forwarded.
Judgement JudgeForwarded(const ClusterView& cluster, const compiler::Options& options,
                         const Packet& packet, bool accepted) {
  const HostPolicy host(cluster, options);
  const bool from_workload = cluster.IsWorkloadInterface(packet.in_interface);
  const bool to_workload = cluster.IsWorkloadInterface(packet.out_interface);
  const bool from_host_endpoint = host.Covers(packet.in_interface) && !accepted;
  const bool to_host_endpoint = host.Covers(packet.out_interface);
  const bool asked = from_workload || to_workload || from_host_endpoint || to_host_endpoint;
  if (!asked && !accepted) return {Verdict::kNotOurs, "forwarded between foreign interfaces"};

  if (const auto wrong = JudgeEnds(cluster, options, packet)) return *wrong;
  const Verdict accept = AcceptOf(options);
  if (const auto known = JudgeState(options, packet, accept)) return *known;
  std::vector<std::pair<std::string, Opinion>> opinions;
  if (from_host_endpoint) {
    opinions.emplace_back("forward in",
                          host.Forwarded(packet.in_interface, Direction::kIngress, packet));
  }
  if (from_workload) {
    if (const auto tunnel = JudgeTunnels(options, packet)) return *tunnel;
    opinions.emplace_back("egress", AskWorkload(cluster, *cluster.OwnerOf(packet.in_interface),
                                                Direction::kEgress, packet));
  }
  if (to_workload) {
    opinions.emplace_back("ingress", AskWorkload(cluster, *cluster.OwnerOf(packet.out_interface),
                                                 Direction::kIngress, packet));
  }
  if (to_host_endpoint) {
    opinions.emplace_back("forward out",
                          host.Forwarded(packet.out_interface, Direction::kEgress, packet));
  }
  std::string reason;
  for (const auto& [who, opinion] : opinions) {
    if (opinion.Denies()) return {Verdict::kDeny, fmt::format("{}: {}", who, opinion.reason)};
    reason += fmt::format("{}: {} ", who, opinion.reason);
  }
  return {accept, reason};
}

// A packet for the host itself that came from a network.
Judgement JudgeIncoming(const ClusterView& cluster, const compiler::Options& options,
                        const Packet& packet, bool accepted) {
  const HostPolicy host(cluster, options);
  const Verdict accept = AcceptOf(options);
  if (accepted) return {accept, "untracked or before translation"};
  if (!host.Covers(packet.in_interface)) return {Verdict::kNotOurs, "for the host itself"};
  if (const auto known = JudgeState(options, packet, accept)) return *known;
  if (host.IsFailsafe(Direction::kIngress, packet)) return {Verdict::kAccept, "failsafe port"};
  const Opinion opinion = host.OfHost(packet.in_interface, Direction::kIngress, packet);
  return {opinion.Allows() ? accept : Verdict::kDeny, "host ingress: " + opinion.reason};
}

// A packet of the host itself. One that was redirected is judged where it leaves, behind the filter
// table, so that being allowed does not keep the rest of the host's rules from it.
Judgement JudgeOutgoing(const ClusterView& cluster, const compiler::Options& options,
                        const Packet& packet, bool accepted) {
  const HostPolicy host(cluster, options);
  const Verdict accept = packet.IsRedirected() ? Verdict::kContinue : AcceptOf(options);
  if (accepted) return {accept, "untracked"};
  if (cluster.IsWorkloadInterface(packet.out_interface)) {
    return {Verdict::kNotOurs, "the host's own to a workload"};
  }
  if (!host.Covers(packet.out_interface)) return {Verdict::kNotOurs, "the host's own"};
  if (const auto known = JudgeState(options, packet, accept)) return *known;
  if (host.IsFailsafe(Direction::kEgress, packet)) {
    return {packet.IsRedirected() ? Verdict::kContinue : Verdict::kAccept, "failsafe port"};
  }
  const Opinion opinion = host.OfHost(packet.out_interface, Direction::kEgress, packet);
  return {opinion.Allows() ? accept : Verdict::kDeny, "host egress: " + opinion.reason};
}

}  // namespace

Judgement Explain(const model::Store& store, const compiler::Options& options,
                  const Packet& packet) {
  return Explain(ClusterView(store, options), options, packet);
}

Judgement Explain(const ClusterView& cluster, const compiler::Options& options,
                  const Packet& packet) {
  const HostPolicy host(cluster, options);
  if (packet.family() == model::IpFamily::kV6 && !options.ipv6_support) {
    return {Verdict::kNotOurs, "IPv6 is off"};
  }
  Packet now = packet;
  const bool incoming = !packet.in_interface.empty();
  const std::string& first_interface =
      incoming ? packet.in_interface
               : (packet.first_out_interface.empty() ? packet.out_interface
                                                     : packet.first_out_interface);
  const Opinion untracked =
      host.Untracked(first_interface, incoming ? Direction::kIngress : Direction::kEgress, packet);
  if (untracked.Denies()) return {Verdict::kDeny, "untracked: " + untracked.reason};
  bool accepted = untracked.Allows();
  if (accepted) now.conntrack = ConntrackState::kUntracked;
  if (incoming && !accepted) {
    const Opinion before_translation = host.PreDnat(now);
    if (before_translation.Denies()) {
      return {Verdict::kDeny, "before translation: " + before_translation.reason};
    }
    accepted = before_translation.Allows();
  }
  if (now.IsRedirected()) {
    now.Redirect();
  } else {
    now.redirection.reset();
    if (!now.first_out_interface.empty()) now.out_interface = now.first_out_interface;
  }

  if (!incoming) return JudgeOutgoing(cluster, options, now, accepted);
  if (!packet.out_interface.empty()) return JudgeForwarded(cluster, options, now, accepted);
  if (cluster.IsWorkloadInterface(packet.in_interface)) return JudgeToHost(cluster, options, now);
  return JudgeIncoming(cluster, options, now, accepted);
}

Verdict Judge(const model::Store& store, const compiler::Options& options, const Packet& packet) {
  return Explain(store, options, packet).verdict;
}

}  // namespace felix::reference
