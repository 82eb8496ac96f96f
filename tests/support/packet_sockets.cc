// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet_sockets.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "model/base/check.h"

namespace felix::testing {
namespace {

constexpr int kReceiveBuffer = 32 << 20;
constexpr std::size_t kLargest = 65536;
constexpr std::size_t kEthernetHeader = 14;

int OpenSocket(const NetworkNamespace& where, int domain, int protocol) {
  int fd = -1;
  where.Run([&] { fd = socket(domain, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol); });
  FELIX_CHECK(fd >= 0, std::strerror(errno));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
  return fd;
}

// The socket interface wants its address types seen as the general one.
const sockaddr* AsAddress(const void* address) {
  return static_cast<const sockaddr*>(address);
}

int Domain(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? AF_INET : AF_INET6;
}

}  // namespace

LinkSocket::LinkSocket(const NetworkNamespace& where, const std::string& interface_name,
                       const LinkAddress& own, const LinkAddress& peer)
    : fd_(OpenSocket(where, AF_PACKET, htons(0x0003))), own_(own), peer_(peer) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(0x0003);  // ETH_P_ALL
  where.Run(
      [&] { address.sll_ifindex = static_cast<int>(if_nametoindex(interface_name.c_str())); });
  FELIX_CHECK(address.sll_ifindex > 0, "no such interface in the namespace");
  FELIX_CHECK(bind(fd_, AsAddress(&address), sizeof address) == 0, "cannot bind a packet socket");
}

LinkSocket::~LinkSocket() {
  close(fd_);
}

void LinkSocket::Write(std::span<const std::uint8_t> ip_packet) const {
  std::vector<std::uint8_t> frame(peer_.begin(), peer_.end());
  frame.insert(frame.end(), own_.begin(), own_.end());
  const bool v4 = ip_packet[0] >> 4 == 4;
  frame.push_back(v4 ? 0x08 : 0x86);
  frame.push_back(v4 ? 0x00 : 0xdd);
  frame.insert(frame.end(), ip_packet.begin(), ip_packet.end());
  while (send(fd_, frame.data(), frame.size(), 0) < 0) {
    FELIX_CHECK(errno == EAGAIN || errno == ENOBUFS, std::strerror(errno));
  }
}

void LinkSocket::Drain(const ReceiveBytes& receive) const {
  std::vector<std::uint8_t> buffer(kLargest);
  for (;;) {
    sockaddr_ll from{};
    socklen_t length = sizeof from;
    const ssize_t size = recvfrom(fd_, buffer.data(), buffer.size(), 0,
                                  static_cast<sockaddr*>(static_cast<void*>(&from)), &length);
    if (size < 0) return;
    const auto bytes = static_cast<std::size_t>(size);
    if (from.sll_pkttype == PACKET_OUTGOING || bytes <= kEthernetHeader) continue;
    receive(std::span(buffer).first(bytes).subspan(kEthernetHeader));
  }
}

LocalSockets::LocalSockets(const NetworkNamespace& where) : where_(where) {
  for (const model::IpFamily family : model::kIpFamilies) {
    // IPPROTO_RAW implies that the caller writes the IP header, in both families.
    senders_[family] = OpenSocket(where, Domain(family), IPPROTO_RAW);
  }
}

LocalSockets::~LocalSockets() {
  for (const auto& [family, fd] : senders_) close(fd);
  for (const auto& [key, fd] : receivers_) close(fd);
}

void LocalSockets::Write(const model::IpAddress& destination,
                         std::span<const std::uint8_t> ip_packet) const {
  const int fd = senders_.at(destination.family());
  const auto bytes = destination.bytes();
  if (destination.family() == model::IpFamily::kV4) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::copy(bytes.begin(), bytes.end(),
              static_cast<std::uint8_t*>(static_cast<void*>(&to.sin_addr)));
    static_cast<void>(sendto(fd, ip_packet.data(), ip_packet.size(), 0, AsAddress(&to), sizeof to));
    return;
  }
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  std::copy(bytes.begin(), bytes.end(), to.sin6_addr.s6_addr);
  static_cast<void>(sendto(fd, ip_packet.data(), ip_packet.size(), 0, AsAddress(&to), sizeof to));
}

void LocalSockets::Listen(model::IpFamily family, model::Protocol protocol) {
  const auto [receiver, is_new] = receivers_.try_emplace({family, protocol}, -1);
  if (is_new) receiver->second = OpenSocket(where_, Domain(family), protocol.number);
}

void LocalSockets::Drain(const ReceiveBytes& receive) const {
  std::vector<std::uint8_t> buffer(kLargest);
  for (const auto& [key, fd] : receivers_) {
    for (;;) {
      const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
      if (size < 0) break;
      receive(std::span(buffer).first(static_cast<std::size_t>(size)));
    }
  }
}

std::vector<int> LocalSockets::fds() const {
  std::vector<int> fds;
  for (const auto& [key, fd] : receivers_) fds.push_back(fd);
  return fds;
}

}  // namespace felix::testing
