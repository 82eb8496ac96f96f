// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet_tester.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "fmt/format.h"

#include "model/base/check.h"
#include "tests/support/builders.h"
#include "tests/support/packet_bytes.h"
#include "tests/support/packet_sockets.h"

namespace felix::testing {
namespace {

using model::IpAddress;
using model::IpFamily;

constexpr LinkAddress kRouterLink = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
// More than a receive queue holds by default would be lost while nobody reads.
constexpr std::size_t kBurst = 100;
constexpr std::uint8_t kTcpOfInvalid = kTcpSyn | kTcpFin;

LinkAddress LinkOf(std::size_t number) {
  return {0x02, 0, 0, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

std::string Text(const LinkAddress& link) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", link[0], link[1], link[2],
                     link[3], link[4], link[5]);
}

void MustRun(const NetworkNamespace& where, const std::string& command) {
  std::string output;
  FELIX_CHECK(where.Shell(command, &output) == 0, fmt::format("{}: {}", command, output));
}

bool IsIn(const IpAddress& address, std::initializer_list<std::string_view> nets) {
  return std::any_of(nets.begin(), nets.end(),
                     [&](std::string_view net) { return Net(net).Contains(address); });
}

bool IsRouter(const IpAddress& address) {
  return address == PacketTester::RouterAddress(address.family());
}

// Sources that a router throws away, and those it takes but does not forward.
bool IsTakenAsSource(const IpAddress& address, bool forwarded) {
  if (IsIn(address, {"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::1/128",
                     "ff00::/8"})) {
    return false;
  }
  return !IsRouter(address) && !(forwarded && IsIn(address, {"::/128", "fe80::/10"}));
}

bool IsForwardedTo(const IpAddress& address) {
  return !IsRouter(address) &&
         !IsIn(address, {"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128",
                         "::1/128", "fe80::/10", "ff00::/8"});
}

// The types that open a flow for connection tracking, and those it does not track at all.
bool OpensIcmpFlow(const Packet& packet) {
  const std::array<std::uint8_t, 4> v4 = {8, 13, 15, 17};
  const std::array<std::uint8_t, 2> v6 = {128, 139};
  return packet.family() == IpFamily::kV4 ? std::count(v4.begin(), v4.end(), packet.icmp_type) > 0
                                          : std::count(v6.begin(), v6.end(), packet.icmp_type) > 0;
}

// A redirect (137) is not among them: nf_conntrack_proto_icmpv6.c, noct_valid_new.
bool IsUntrackedIcmp(const Packet& packet) {
  return packet.family() == IpFamily::kV6 && packet.IsIcmp() && packet.icmp_type >= 130 &&
         packet.icmp_type <= 136;
}

bool IsEchoRequest(const Packet& packet) {
  return packet.IsIcmp() && packet.icmp_type == (packet.family() == IpFamily::kV4 ? 8 : 128);
}

// Connection tracking reads the ICMP of the other family as if it were its own, and the zeros in it
// say nothing valid.
bool IsIcmpOfOtherFamily(const Packet& packet) {
  return packet.protocol == (packet.family() == IpFamily::kV4 ? model::kIcmpV6 : model::kIcmp);
}

bool CanBeInState(const Packet& packet) {
  switch (packet.conntrack) {
    case ConntrackState::kNew:
      // nf_conntrack_proto_udp.c takes the protocol for UDP as it verifies the checksum of
      // UDP-Lite, and so finds a right one wrong.
      if (packet.protocol == model::kUdpLite || IsIcmpOfOtherFamily(packet)) return false;
      return !packet.IsIcmp() || (OpensIcmpFlow(packet) && packet.icmp_code == 0);
    case ConntrackState::kUntracked:
      return IsUntrackedIcmp(packet);
    case ConntrackState::kInvalid:
      if (packet.IsIcmp()) return !OpensIcmpFlow(packet) && !IsUntrackedIcmp(packet);
      return packet.protocol == model::kTcp || IsIcmpOfOtherFamily(packet);
    case ConntrackState::kEstablished: {
      const bool with_router = packet.in_interface.empty() || packet.out_interface.empty();
      if (packet.protocol == model::kTcp) return !with_router;
      return packet.protocol == model::kUdp || (IsEchoRequest(packet) && packet.icmp_code == 0);
    }
    case ConntrackState::kRelated:
      return false;
  }
  return false;
}

std::uint8_t FlagsFor(const Packet& packet) {
  switch (packet.conntrack) {
    case ConntrackState::kEstablished:
      return kTcpAck;
    case ConntrackState::kInvalid:
      return kTcpOfInvalid;
    default:
      return kTcpSyn;
  }
}

Packet AnswerTo(const Packet& packet) {
  Packet answer = packet;
  std::swap(answer.source, answer.destination);
  std::swap(answer.in_interface, answer.out_interface);
  if (packet.IsIcmp()) {
    answer.icmp_type = packet.family() == IpFamily::kV4 ? 0 : 129;
  } else {
    std::swap(answer.source_port, answer.destination_port);
  }
  return answer;
}

Packet AsItArrives(Packet packet) {
  if (packet.redirection.has_value()) packet.Redirect();
  packet.redirection.reset();
  packet.first_out_interface.clear();
  return packet;
}

// Whether what came in is what was sent: all of it from the addresses on, as routers change what is
// before them, or without its IPv6 header. An ICMP error that quotes the packet is longer.
bool IsSame(const std::vector<std::uint8_t>& sent, std::span<const std::uint8_t> received) {
  const bool v4 = sent[0] >> 4 == 4;
  const std::size_t header = IpHeaderSize(v4 ? IpFamily::kV4 : IpFamily::kV6);
  std::size_t skipped = v4 ? 12 : 8;
  if (!v4 && received.size() == sent.size() - header) {
    skipped = header;
  } else if (received.size() == sent.size()) {
    received = received.subspan(skipped);
  } else {
    return false;
  }
  return std::equal(received.begin(), received.end(),
                    sent.begin() + static_cast<std::ptrdiff_t>(skipped), sent.end());
}

// No addresses are made up, none is checked for duplicates, and nothing is said unasked.
constexpr std::string_view kRouterSettings =
    "for s in ipv4.ip_forward=1 ipv4.conf.all.rp_filter=0 ipv4.conf.default.rp_filter=0 "
    "ipv4.conf.all.send_redirects=0 ipv4.conf.default.send_redirects=0 "
    "ipv4.icmp_ratelimit=0 ipv6.conf.all.forwarding=1 ipv6.conf.default.accept_dad=0 "
    "ipv6.conf.default.dad_transmits=0 ipv6.conf.default.router_solicitations=0 "
    "ipv6.conf.default.addr_gen_mode=1; do sysctl -qw net.$s || exit 1; done";

}  // namespace

class PacketTester::Wire {
 public:
  Wire(const NetworkNamespace& router, const Neighbour& neighbour, std::size_t number)
      : addresses_(neighbour.addresses) {
    const std::string link = Text(LinkOf(number));
    MustRun(inside_, "sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
    MustRun(router, fmt::format("ip link add {0} address {1} type veth peer name eth0 address {2} "
                                "netns {3} && ip link set {0} up",
                                neighbour.interface_name, Text(kRouterLink), link, inside_.path()));
    MustRun(inside_, "ip link set eth0 up");
    std::string batch;
    for (const IpAddress& address : addresses_) {
      const std::string to = address.ToString();
      batch += fmt::format("route add {} dev {}\n", to, neighbour.interface_name);
      batch += fmt::format("neigh add {} lladdr {} dev {} nud permanent\n", to, link,
                           neighbour.interface_name);
    }
    MustRun(router, fmt::format("ip -batch - <<'END'\n{}END\n", batch));
    socket_.emplace(inside_, "eth0", LinkOf(number), kRouterLink);
  }

  [[nodiscard]] const LinkSocket& socket() const { return *socket_; }
  [[nodiscard]] bool Has(const IpAddress& address) const {
    return std::count(addresses_.begin(), addresses_.end(), address) > 0;
  }

 private:
  NetworkNamespace inside_;
  std::vector<IpAddress> addresses_;
  std::optional<LinkSocket> socket_;
};

struct PacketTester::Awaited {
  std::string interface_name;  // where it is to come out; empty: at the router
  std::vector<std::uint8_t> bytes;
  std::size_t index = 0;
};

PacketTester::PacketTester(const std::vector<Neighbour>& containers) {
  MustRun(router_, std::string(kRouterSettings));
  const std::vector<IpAddress> gateways = {Address("10.255.0.2"), Address("fd00:ff::2")};
  std::vector<Neighbour> neighbours = containers;
  neighbours.push_back({std::string(kOutside), gateways});
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    wires_[neighbours[i].interface_name] = std::make_unique<Wire>(router_, neighbours[i], i + 1);
  }
  for (const IpAddress& gateway : gateways) {
    MustRun(router_, fmt::format("ip addr add {} dev {} {} && ip route add default via {} dev {}",
                                 model::Cidr::Host(RouterAddress(gateway.family())).ToString(),
                                 kOutside, gateway.family() == IpFamily::kV6 ? "nodad" : "",
                                 gateway.ToString(), kOutside));
  }
  local_ = std::make_unique<LocalSockets>(router_);
}

PacketTester::~PacketTester() = default;

IpAddress PacketTester::RouterAddress(IpFamily family) {
  return Address(family == IpFamily::kV4 ? "10.255.0.1" : "fd00:ff::1");
}

std::string PacketTester::InterfaceTowards(const IpAddress& destination) const {
  for (const auto& [name, wire] : wires_) {
    if (wire->Has(destination)) return name;
  }
  return std::string(kOutside);
}

bool PacketTester::CanBeRedirected(const Packet& packet) const {
  const bool comes_in = !packet.in_interface.empty();
  const bool is_plain = packet.conntrack == ConntrackState::kNew &&
                        (packet.protocol == model::kTcp || packet.protocol == model::kUdp);
  if (!is_plain) return false;
  if (comes_in && IsRouter(packet.destination)) return packet.first_out_interface.empty();
  return IsForwardedTo(packet.destination) &&
         packet.first_out_interface == (comes_in ? "" : InterfaceTowards(packet.destination));
}

bool PacketTester::CanSend(const Packet& packet) const {
  if (packet.redirection.has_value()) {
    return CanBeRedirected(packet) && CanSend(AsItArrives(packet));
  }
  const bool comes_in = !packet.in_interface.empty();
  const bool goes_out = !packet.out_interface.empty();
  if (packet.mark != 0 || (!comes_in && !goes_out) || !CanBeInState(packet)) return false;
  if (comes_in && !wires_.contains(packet.in_interface)) return false;
  if (comes_in ? !IsTakenAsSource(packet.source, goes_out) : !IsRouter(packet.source)) {
    return false;
  }
  if (goes_out) {
    return IsForwardedTo(packet.destination) &&
           packet.out_interface == InterfaceTowards(packet.destination);
  }
  return IsRouter(packet.destination) || packet.destination == Address("ff02::1");
}

Packet PacketTester::Fitted(Packet packet) const {
  if (packet.in_interface.empty()) packet.source = RouterAddress(packet.family());
  if (packet.out_interface.empty()) {
    if (packet.destination != Address("ff02::1")) {
      packet.destination = RouterAddress(packet.family());
    }
  } else {
    packet.out_interface = InterfaceTowards(packet.destination);
  }
  packet.mark = 0;
  packet.redirection.reset();
  packet.first_out_interface.clear();
  if (packet.conntrack == ConntrackState::kRelated) packet.conntrack = ConntrackState::kNew;
  return packet;
}

void PacketTester::Emit(const Packet& packet, const std::vector<std::uint8_t>& bytes) const {
  if (packet.in_interface.empty()) {
    local_->Write(packet.destination, bytes);
  } else {
    wires_.at(packet.in_interface)->socket().Write(bytes);
  }
}

std::size_t PacketTester::Collect(Traffic& traffic, std::chrono::milliseconds patience) const {
  std::vector<pollfd> polled;
  for (const auto& [name, wire] : wires_) polled.push_back({wire->socket().fd(), POLLIN, 0});
  for (const int fd : local_->fds()) polled.push_back({fd, POLLIN, 0});
  poll(polled.data(), polled.size(), static_cast<int>(patience.count()));

  const std::size_t before = traffic.size();
  const auto note = [&](const std::string& place, std::span<const std::uint8_t> bytes) {
    const auto serial = SerialOf(bytes);
    const auto sent = serial ? traffic.find(*serial) : traffic.end();
    if (sent == traffic.end() || sent->second.interface_name != place) return;
    if (IsSame(sent->second.bytes, bytes)) traffic.erase(sent);
  };
  for (const auto& [name, wire] : wires_) {
    const std::string& place = name;
    wire->socket().Drain([&](std::span<const std::uint8_t> bytes) { note(place, bytes); });
  }
  local_->Drain([&](std::span<const std::uint8_t> bytes) { note("", bytes); });
  return before - traffic.size();
}

std::vector<bool> PacketTester::Send(const std::vector<Packet>& packets,
                                     std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  for (const Packet& packet : packets) {
    FELIX_CHECK(CanSend(packet), packet.ToString());
    if (packet.out_interface.empty()) local_->Listen(packet.family(), packet.protocol);
  }
  Traffic traffic;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const std::uint32_t serial = next_serial_++;
    Emit(packets[i], ToBytes(packets[i], serial, FlagsFor(packets[i])));
    traffic[serial] = {packets[i].out_interface,
                       ToBytes(AsItArrives(packets[i]), serial, FlagsFor(packets[i])), i};
    if (i % kBurst == kBurst - 1) Collect(traffic, std::chrono::milliseconds(0));
  }
  auto deadline = Clock::now() + patience;
  for (auto now = Clock::now(); !traffic.empty() && now < deadline; now = Clock::now()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
    if (Collect(traffic, left) > 0) deadline = Clock::now() + patience;
  }
  std::vector<bool> arrived(packets.size(), true);
  for (const auto& [serial, lost] : traffic) arrived[lost.index] = false;
  return arrived;
}

// Without a rule that asks for it the kernel does not track connections in a namespace.
void PacketTester::TrackConnections() const {
  for (const char* command : {"iptables-legacy", "ip6tables-legacy"}) {
    MustRun(router_, fmt::format("{0} -w -t raw -C PREROUTING {1} 2>&- || "
                                 "{0} -w -t raw -A PREROUTING {1}",
                                 command, "-m conntrack --ctstate INVALID"));
  }
}

void PacketTester::Establish(const std::vector<Packet>& packets) {
  TrackConnections();
  for (const Packet& packet : packets) {
    FELIX_CHECK(CanSend(packet) && packet.conntrack == ConntrackState::kEstablished,
                packet.ToString());
    Emit(packet, ToBytes(packet, next_serial_++, kTcpSyn));
    // The router answers to echo requests by itself.
    const bool router_answers = packet.IsIcmp() && packet.out_interface.empty();
    const Packet answer = AnswerTo(packet);
    if (!router_answers) {
      Emit(answer, ToBytes(answer, next_serial_++, kTcpSyn | kTcpAck, /*answers=*/true));
    }
    if (packet.protocol == model::kTcp) Emit(packet, ToBytes(packet, next_serial_++, kTcpAck));
  }
}

std::vector<Packet> OnePerFlow(const std::vector<Packet>& packets) {
  using End = std::pair<IpAddress, std::uint16_t>;
  std::set<std::pair<model::Protocol, std::pair<End, End>>> flows;
  std::vector<Packet> chosen;
  for (const Packet& packet : packets) {
    const bool established = packet.conntrack == ConntrackState::kEstablished;
    const bool joins =
        established || (packet.conntrack == ConntrackState::kNew && !packet.IsIcmp());
    const bool has_ports = packet.protocol.HasPorts();
    End from{packet.source, has_ports || packet.IsIcmp() ? packet.source_port : std::uint16_t{0}};
    End to{packet.destination, has_ports ? packet.destination_port : std::uint16_t{0}};
    if (packet.IsIcmp()) to.second = from.second;
    if (to < from) std::swap(from, to);
    if (!joins || flows.insert({packet.protocol, {from, to}}).second) chosen.push_back(packet);
  }
  return chosen;
}

}  // namespace felix::testing
