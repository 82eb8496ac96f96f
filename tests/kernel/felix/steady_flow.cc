// SPDX-License-Identifier: Apache-2.0
#include "tests/kernel/felix/steady_flow.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "fmt/format.h"

#include "model/base/check.h"

namespace felix::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kReceiverAddress = 0x0a410002;  // 10.65.0.2

void MustShell(const NetworkNamespace& netns, const std::string& command) {
  std::string output;
  const int status = netns.Shell(command, &output);
  FELIX_CHECK(status == 0, command + ": " + output);
}

sockaddr_in To(std::uint16_t port, std::uint32_t address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(address);
  return to;
}

int NewSocket() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  FELIX_CHECK(fd >= 0, "cannot make a socket");
  return fd;
}

}  // namespace

TwoContainers::TwoContainers() {
  MustShell(router_, "sysctl -qw net.ipv4.ip_forward=1");
  Attach(first_, 1);
  Attach(second_, 2);
}

void TwoContainers::Attach(const NetworkNamespace& container, int number) const {
  MustShell(router_,
            fmt::format("ip link add cali{0} type veth peer name eth0 netns {1} && "
                        "ip addr add 169.254.1.{0}/32 dev cali{0} && ip link set cali{0} up && "
                        "ip route add 10.65.0.{0}/32 dev cali{0}",
                        number, container.path()));
  MustShell(container, fmt::format("ip addr add 10.65.0.{0}/32 dev eth0 && ip link set eth0 up && "
                                   "ip route add 169.254.1.{0} dev eth0 && "
                                   "ip route add default via 169.254.1.{0}",
                                   number));
  // Both ends know each other before the first datagram that counts.
  MustShell(container, fmt::format("bash -c 'echo >/dev/udp/169.254.1.{}/9'", number));
  MustShell(router_, fmt::format("bash -c 'echo >/dev/udp/10.65.0.{}/9' && sleep 0.1", number));
}

SteadyFlow::SteadyFlow(const TwoContainers& containers, std::uint16_t port, int per_second,
                       Ports ports) {
  containers.second().Run([&] {
    receiver_ = NewSocket();
    constexpr int kRoom = 16 << 20;
    setsockopt(receiver_, SOL_SOCKET, SO_RCVBUFFORCE, &kRoom, sizeof kRoom);
    const sockaddr_in here = To(port, INADDR_ANY);
    FELIX_CHECK(bind(receiver_, reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0,
                "cannot bind a socket");
  });
  receiver_thread_ = std::thread([this] { Receive(); });
  sender_thread_ = std::thread([this, &containers, port, per_second, ports] {
    containers.first().Run([&] { Send(port, per_second, ports); });
  });
}

SteadyFlow::~SteadyFlow() {
  Stop();
  close(receiver_);
}

void SteadyFlow::Send(std::uint16_t port, int per_second, Ports ports) {
  const sockaddr_in to = To(port, kReceiverAddress);
  const auto pause = std::chrono::nanoseconds(1s) / per_second;
  int fd = NewSocket();
  for (auto next = std::chrono::steady_clock::now(); sending_; next += pause) {
    std::this_thread::sleep_until(next);
    const std::uint64_t number = sent_;
    if (sendto(fd, &number, sizeof number, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) ==
        static_cast<ssize_t>(sizeof number)) {
      ++sent_;
    }
    if (ports == Ports::kOne) continue;
    close(fd);
    fd = NewSocket();
  }
  close(fd);
}

void SteadyFlow::Receive() {
  while (receiving_) {
    pollfd readable{receiver_, POLLIN, 0};
    if (poll(&readable, 1, 50) <= 0) continue;
    std::uint64_t number = 0;
    sockaddr_in from{};
    socklen_t length = sizeof from;
    if (recvfrom(receiver_, &number, sizeof number, 0, reinterpret_cast<sockaddr*>(&from),
                 &length) != static_cast<ssize_t>(sizeof number)) {
      continue;
    }
    ++received_;
    // The answer makes the flow an established one; nobody counts it.
    static_cast<void>(sendto(receiver_, &number, sizeof number, 0,
                             reinterpret_cast<const sockaddr*>(&from), length));
  }
}

void SteadyFlow::Stop() {
  sending_ = false;
  if (sender_thread_.joinable()) sender_thread_.join();
  for (int i = 0; i < 40 && received_ < sent_; ++i) std::this_thread::sleep_for(25ms);
  receiving_ = false;
  if (receiver_thread_.joinable()) receiver_thread_.join();
}

}  // namespace felix::testing
