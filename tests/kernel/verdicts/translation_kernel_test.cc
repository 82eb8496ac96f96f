// SPDX-License-Identifier: Apache-2.0
// Real packets through a host that translates addresses: whom the other side sees.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "felix/clock.h"
#include "felix/dataplane.h"
#include "felix/host_kernel.h"
#include "model/base/check.h"
#include "tests/support/builders.h"
#include "tests/support/network_namespace.h"

namespace felix {
namespace {

using testing::Address;
using testing::Net;
using testing::NetworkNamespace;

constexpr std::uint16_t kPort = 7777;

// Hears and sends in both families: an IPv4 address is one of IPv6 that begins with ::ffff:.
class UdpSocket {
 public:
  UdpSocket() : fd_(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    FELIX_CHECK(fd_ >= 0, "no socket");
    const timeval patience{.tv_sec = 2, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in6 any = To("::");
    FELIX_CHECK(bind(fd_, Raw(any), sizeof(any)) == 0, "the port is taken");
  }
  ~UdpSocket() { close(fd_); }
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  void Send(const std::string& address) const {
    sockaddr_in6 to = To(address);
    EXPECT_EQ(sendto(fd_, "x", 1, 0, Raw(to), sizeof(to)), 1) << address;
  }
  // Of the packet that came in; empty if none did.
  [[nodiscard]] std::string Sender() const {
    sockaddr_in6 from{};
    socklen_t size = sizeof(from);
    char byte = 0;
    if (recvfrom(fd_, &byte, 1, 0, Raw(from), &size) != 1) return "";
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, &from.sin6_addr, text.data(), text.size());
    const std::string sender = text.data();
    return sender.starts_with(kMapped) ? sender.substr(kMapped.size()) : sender;
  }

 private:
  static constexpr std::string_view kMapped = "::ffff:";

  static sockaddr_in6 To(const std::string& address) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(kPort);
    const bool v6 = address.find(':') != std::string::npos;
    inet_pton(AF_INET6, (v6 ? address : std::string(kMapped) + address).c_str(), &to.sin6_addr);
    return to;
  }
  static sockaddr* Raw(sockaddr_in6& address) { return reinterpret_cast<sockaddr*>(&address); }

  int fd_;
};

// workload 10.65.0.2 --- cali1 [host 192.0.2.1] eth0 --- world 192.0.2.9, and 10.66.0.9 of a pool;
// workload fd00:65::2          2001:db8::1               2001:db8::9         fd00:66::9
class TranslationKernelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    // A host whose link-local address is still checked for duplicates asks nobody for the link
    // address of what it forwards (ndisc_send_ns in ndisc.c), and the first packet is lost.
    for (const NetworkNamespace* each : {&host_, &workload_, &world_}) {
      Must(*each, "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
    }
    Must(host_,
         fmt::format("ip link add cali1 type veth peer name eth0 netns {}", workload_.path()));
    Must(host_, fmt::format("ip link add eth0 type veth peer name eth0 netns {}", world_.path()));
    Must(host_,
         "ip link set cali1 up && ip link set eth0 up && ip addr add 192.0.2.1/24 dev eth0 && "
         "ip addr add 169.254.1.1/32 dev cali1 && ip route add 10.65.0.2/32 dev cali1 && "
         "ip route add 10.66.0.0/16 dev eth0 && "
         "ip route add default via 192.0.2.9 && echo 1 > /proc/sys/net/ipv4/ip_forward && "
         "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
    Must(workload_,
         "ip addr add 10.65.0.2/32 dev eth0 && ip link set eth0 up && "
         "ip route add 169.254.1.1 dev eth0 && ip route add default via 169.254.1.1");
    Must(world_,
         "ip addr add 192.0.2.9/24 dev eth0 && ip addr add 10.66.0.9/32 dev eth0 && "
         "ip link set eth0 up && ip route add default via 192.0.2.1");
    SetUpIpv6();
  }

  void SetUpIpv6() {
    Must(host_,
         "ip -6 addr add 2001:db8::1/64 dev eth0 nodad && "
         "ip -6 addr add fe80::1/64 dev cali1 nodad && ip -6 route add fd00:65::2/128 dev cali1 && "
         "ip -6 route add fd00:66::/64 dev eth0 && ip -6 route add default via 2001:db8::9 && "
         "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    Must(workload_,
         "ip -6 addr add fd00:65::2/128 dev eth0 nodad && ip -6 route add default via fe80::1 dev "
         "eth0");
    Must(world_,
         "ip -6 addr add 2001:db8::9/64 dev eth0 nodad && "
         "ip -6 addr add fd00:66::9/128 dev eth0 nodad && ip -6 route add default via 2001:db8::1");
  }

  static void Must(const NetworkNamespace& where, const std::string& command) {
    std::string output;
    ASSERT_EQ(where.Shell(command, &output), 0) << command << ": " << output;
  }

  void Set(model::Key key, model::Resource value) {
    const model::Update update{std::move(key), std::move(value)};
    graph_.OnUpdates({&update, 1});
  }

  void Apply() {
    host_.Run([&] {
      const SystemClock clock;
      auto kernel = OpenHostKernel({});
      ASSERT_TRUE(kernel.ok()) << kernel.status();
      Dataplane dataplane(clock, **kernel, DataplaneOptions{});
      dataplane.Stage(graph_.Flush());
      const ApplyReport report = dataplane.Apply();
      for (const auto& failure : report.failures) {
        ADD_FAILURE() << failure.what << ": " << failure.status;
      }
    });
  }

  // Whom the receiver sees when the sender says something to that address.
  static std::string Seen(const NetworkNamespace& sender, const std::string& address,
                          const NetworkNamespace& receiver) {
    std::string seen;
    receiver.Run([&] {
      const UdpSocket in;
      sender.Run([&] { UdpSocket().Send(address); });
      seen = in.Sender();
    });
    return seen;
  }

  static compiler::Options OptionsWithFloatingIps() {
    compiler::Options options = testing::OptionsOfThisHost();
    options.floating_ips_enabled = true;
    return options;
  }

  NetworkNamespace host_;
  NetworkNamespace workload_;
  NetworkNamespace world_;
  compiler::Graph graph_{OptionsWithFloatingIps()};
};

TEST_F(TranslationKernelTest, WhatLeavesThePoolsIsMasqueradedAndWhatStaysIsNot) {
  Set(model::ProfileId{"open"}, testing::ProfileOf({testing::Allow()}));
  Set(testing::EndpointId("w"), testing::Endpoint("cali1", {"10.65.0.2"}, {}, {"open"}));
  Set(model::IpPoolId{"a"}, model::IpPool{.cidr = Net("10.65.0.0/16"), .nat_outgoing = true});
  Set(model::IpPoolId{"b"}, model::IpPool{.cidr = Net("10.66.0.0/16")});
  Apply();
  EXPECT_EQ(Seen(workload_, "192.0.2.9", world_), "192.0.2.1");
  EXPECT_EQ(Seen(workload_, "10.66.0.9", world_), "10.65.0.2");
}

TEST_F(TranslationKernelTest, WhatLeavesThePoolsIsMasqueradedInIpv6Too) {
  Set(model::ProfileId{"open"}, testing::ProfileOf({testing::Allow()}));
  Set(testing::EndpointId("w"), testing::Endpoint("cali1", {"fd00:65::2"}, {}, {"open"}));
  Set(model::IpPoolId{"a"}, model::IpPool{.cidr = Net("fd00:65::/64"), .nat_outgoing = true});
  Set(model::IpPoolId{"b"}, model::IpPool{.cidr = Net("fd00:66::/64")});
  Apply();
  EXPECT_EQ(Seen(workload_, "2001:db8::9", world_), "2001:db8::1");
  EXPECT_EQ(Seen(workload_, "fd00:66::9", world_), "fd00:65::2");
}

TEST_F(TranslationKernelTest, AFloatingIpLeadsToTheWorkloadAlsoFromItself) {
  Set(model::ProfileId{"open"}, testing::ProfileOf({testing::Allow()}));
  model::WorkloadEndpoint endpoint = testing::Endpoint("cali1", {"10.65.0.2"}, {}, {"open"});
  endpoint.nat_mappings = {{Address("10.65.0.2"), Address("203.0.113.5")}};
  Set(testing::EndpointId("w"), endpoint);
  Apply();
  EXPECT_EQ(Seen(world_, "203.0.113.5", workload_), "192.0.2.9");
  EXPECT_EQ(Seen(host_, "203.0.113.5", workload_), "192.0.2.1");
  // Its own packet comes back to it from the floating IP.
  std::string seen;
  workload_.Run([&] {
    const UdpSocket own;
    own.Send("203.0.113.5");
    seen = own.Sender();
  });
  EXPECT_EQ(seen, "203.0.113.5");
}

}  // namespace
}  // namespace felix
