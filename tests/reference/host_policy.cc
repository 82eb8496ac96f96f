// SPDX-License-Identifier: Apache-2.0
#include "tests/reference/host_policy.h"

#include <algorithm>
#include <vector>

namespace felix::reference {
namespace {

using Says = Opinion::Says;
using testing::ConntrackState;
using testing::Packet;

bool Lists(const std::vector<model::FailsafePort>& ports, const Packet& packet, std::uint16_t port,
           const model::IpAddress& peer) {
  return packet.protocol.HasPorts() &&
         std::any_of(ports.begin(), ports.end(), [&](const model::FailsafePort& failsafe) {
           return failsafe.protocol == packet.protocol && failsafe.port == port &&
                  (!failsafe.net.has_value() || failsafe.net->Contains(peer));
         });
}

}  // namespace

const model::HostEndpoint* HostPolicy::EndpointOf(const std::string& interface_name) const {
  const model::HostEndpoint* own = cluster_.HostEndpointOf(interface_name);
  return own != nullptr ? own : cluster_.WildcardHostEndpoint();
}

bool HostPolicy::Covers(const std::string& interface_name) const {
  return EndpointOf(interface_name) != nullptr;
}

bool HostPolicy::IsFailsafe(Direction direction, const Packet& packet) const {
  return direction == Direction::kIngress
             ? Lists(options_.failsafe_inbound, packet, packet.destination_port, packet.source)
             : Lists(options_.failsafe_outbound, packet, packet.destination_port,
                     packet.destination);
}

bool HostPolicy::AnswersFailsafe(Direction direction, const Packet& packet) const {
  return direction == Direction::kIngress
             ? Lists(options_.failsafe_outbound, packet, packet.source_port, packet.source)
             : Lists(options_.failsafe_inbound, packet, packet.source_port, packet.destination);
}

Opinion HostPolicy::Untracked(const std::string& interface_name, Direction direction,
                              const Packet& packet) const {
  const model::HostEndpoint* own = cluster_.HostEndpointOf(interface_name);
  if (own == nullptr) return {Says::kSilent, "no host endpoint of its own"};
  if (IsFailsafe(direction, packet) || AnswersFailsafe(direction, packet)) {
    return {Says::kSilent, "failsafe port"};
  }
  return AskTiers(cluster_, cluster_.TiersOf(*own, PolicyList::kUntracked, direction), direction,
                  packet);
}

Opinion HostPolicy::PreDnat(const Packet& packet) const {
  const bool known = packet.conntrack == ConntrackState::kEstablished ||
                     packet.conntrack == ConntrackState::kRelated;
  const model::HostEndpoint* endpoint = EndpointOf(packet.in_interface);
  if (known || endpoint == nullptr) return {Says::kSilent, "nobody is asked"};
  const auto tiers = cluster_.TiersOf(*endpoint, PolicyList::kPreDnat, Direction::kIngress);
  if (tiers.empty()) return {Says::kSilent, "no such policies"};
  if (packet.conntrack == ConntrackState::kInvalid && !options_.disable_conntrack_invalid_check) {
    return {Says::kDeny, "invalid state"};
  }
  if (IsFailsafe(Direction::kIngress, packet)) return {Says::kSilent, "failsafe port"};
  return AskTiers(cluster_, tiers, Direction::kIngress, packet);
}

Opinion HostPolicy::Forwarded(const std::string& interface_name, Direction direction,
                              const Packet& packet) const {
  const auto tiers = cluster_.TiersOf(*EndpointOf(interface_name), PolicyList::kForward, direction);
  Opinion opinion = AskTiers(cluster_, tiers, direction, packet);
  if (opinion.says == Says::kSilent) opinion = {Says::kAllow, "no policy forbids it"};
  return opinion;
}

Opinion HostPolicy::OfHost(const std::string& interface_name, Direction direction,
                           const Packet& packet) const {
  const model::HostEndpoint& endpoint = *EndpointOf(interface_name);
  return AskAll(cluster_, cluster_.TiersOf(endpoint, PolicyList::kNormal, direction),
                endpoint.profiles, direction, packet);
}

}  // namespace felix::reference
