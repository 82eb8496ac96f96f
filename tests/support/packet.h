// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.h"
#include "model/port.h"

namespace felix::testing {

enum class ConntrackState : std::uint8_t { kNew, kEstablished, kRelated, kInvalid, kUntracked };
[[nodiscard]] std::string_view ConntrackStateName(ConntrackState state);  // "new", "established"

// What a host does with a packet. kNotOurs: the packet concerns no endpoint, so we have no say;
// kContinue: we let it pass and leave the decision to the rest of the host's rules. kDeny does not
// tell a silent drop from a refusal.
enum class Verdict : std::uint8_t { kNotOurs, kAccept, kDeny, kContinue };
[[nodiscard]] std::string_view VerdictName(Verdict verdict);
std::ostream& operator<<(std::ostream& out, Verdict verdict);

// Whether rules that came to `actual` do what the meaning says. Rules cannot know that a packet is
// not ours; they can only let it go on.
[[nodiscard]] bool Agrees(Verdict meaning, Verdict actual);

// An address of the host itself, and where it has it.
struct HostAddress {
  model::IpAddress address;
  std::string interface;
  bool operator==(const HostAddress&) const = default;
};

// What a rule of somebody else's in the nat table makes of a destination.
struct Redirection {
  model::IpAddress address;
  std::uint16_t port = 0;  // of protocols that have ports
  bool operator==(const Redirection&) const = default;
};

// A packet as a packet filter sees it. Both addresses are of one family. With both interfaces it is
// forwarded, with only the first it is for the host, with only the second it comes from the host.
// Ports count only for TCP, UDP and SCTP, type and code only for the family's ICMP.
struct Packet {
  model::IpAddress source;
  model::IpAddress destination;
  model::Protocol protocol = model::kTcp;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  std::string in_interface;
  std::string out_interface;
  ConntrackState conntrack = ConntrackState::kNew;
  std::uint32_t mark = 0;  // what others left on the packet before it came to our rules
  // Of flows that connection tracking knows; `destination` is what it was before.
  std::optional<Redirection> redirection = {};
  std::string first_out_interface = {};  // of a redirected packet of the host: where it was going
  // What the host knows beside the packet.
  std::vector<HostAddress> host_addresses = {};
  bool fails_reverse_path = false;  // a reply to the source would leave by another interface

  [[nodiscard]] model::IpFamily family() const { return source.family(); }
  [[nodiscard]] bool IsIcmp() const;  // of its family
  // Only what connection tracking has a flow for can be translated.
  [[nodiscard]] bool IsRedirected() const;
  void Redirect();  // makes `redirection` the destination
  // "cali1 -> eth0 tcp 10.0.0.1:1024 -> 10.0.0.2:80 new"
  [[nodiscard]] std::string ToString() const;
  bool operator==(const Packet&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Packet& packet);

}  // namespace felix::testing
