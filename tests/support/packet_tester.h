// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.h"
#include "tests/support/network_namespace.h"
#include "tests/support/packet.h"
#include "tests/support/packet_sockets.h"

namespace felix::testing {

// A neighbour of the router: an interface of the router and the addresses routed to it.
struct Neighbour {
  std::string interface_name;
  std::vector<model::IpAddress> addresses;
};

// Real packets through a real kernel. It owns a network namespace, the router, which stands for a
// host, and one namespace for every container and for the world outside, each tied to the router
// by a veth pair. The router forwards, has routes and fixed link addresses for all neighbours, and
// no rules; who wants to see rules at work puts them into router(). No neighbour has an IP stack
// that would answer: frames are written and read by packet sockets, so any source can be claimed
// and nothing stirs but what was sent.
//
//   container --- cali1 [router] eth0 --- outside (all other destinations)
//
// Needs root. Failures of the set-up end the process with a reason.
class PacketTester {
 public:
  static constexpr std::string_view kOutside = "eth0";

  explicit PacketTester(const std::vector<Neighbour>& containers);
  ~PacketTester();
  PacketTester(const PacketTester&) = delete;
  PacketTester& operator=(const PacketTester&) = delete;

  [[nodiscard]] const NetworkNamespace& router() const { return router_; }
  // The router's own address, 10.255.0.1 or fd00:ff::1.
  [[nodiscard]] static model::IpAddress RouterAddress(model::IpFamily family);

  // Whether the packet can be made, goes the way it claims if nobody drops it, and is seen by
  // connection tracking in the state it claims. That leaves out: sources that no router takes or
  // forwards, destinations routed elsewhere, related packets, untracked ones but for neighbour
  // discovery, invalid ones but for TCP and stray ICMP, UDP-Lite, known TCP flows with the router
  // itself, and marks. A redirection is taken on trust: the caller has seen to it that the router
  // makes it. What a packet itself cannot know is which flows there are already: see OnePerFlow().
  [[nodiscard]] bool CanSend(const Packet& packet) const;

  // The packet made to fit this topology: the router's address where the router is meant, the way
  // out that the destination is routed to, no mark, and new instead of related. It may still be one
  // that cannot be sent.
  [[nodiscard]] Packet Fitted(Packet packet) const;

  // Sends the packets in order and tells which of them arrived where they were to go; at the router
  // itself, that is behind its input hook. Returns when all have arrived or nothing has for the
  // time of `patience`. Precondition: CanSend() for each.
  std::vector<bool> Send(const std::vector<Packet>& packets,
                         std::chrono::milliseconds patience = std::chrono::milliseconds(200));

  // Makes connection tracking know the flows of these packets (in the state established) and have
  // seen answers. Nothing may stop them, so it is done before there are rules. For TCP, UDP and
  // echo requests.
  void Establish(const std::vector<Packet>& packets);

 private:
  class Wire;                                        // a neighbour's end of a veth pair
  struct Awaited;                                    // a packet on its way
  using Traffic = std::map<std::uint32_t, Awaited>;  // by serial

  void Emit(const Packet& packet, const std::vector<std::uint8_t>& bytes) const;
  // Waits for something to come in and notes what did; returns how much of it was awaited.
  std::size_t Collect(Traffic& traffic, std::chrono::milliseconds patience) const;
  void TrackConnections() const;
  [[nodiscard]] std::string InterfaceTowards(const model::IpAddress& destination) const;
  [[nodiscard]] bool CanBeRedirected(const Packet& packet) const;

  NetworkNamespace router_;
  std::map<std::string, std::unique_ptr<Wire>> wires_;
  std::unique_ptr<LocalSockets> local_;
  std::uint32_t next_serial_ = 1;
};

// Those of the packets that meet no earlier one's flow in either direction, since an answer to what
// has passed is established whatever it claims. Protocols without ports know one flow for each pair
// of addresses; an echo request that claims to be new gets an identifier of its own.
[[nodiscard]] std::vector<Packet> OnePerFlow(const std::vector<Packet>& packets);

}  // namespace felix::testing
