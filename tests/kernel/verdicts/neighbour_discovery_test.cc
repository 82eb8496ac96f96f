// SPDX-License-Identifier: Apache-2.0
// Containers with an IP stack of their own: the kernel's neighbour discovery must find its way past
// the rules by itself, since nobody fills the caches in.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "felix/clock.h"
#include "felix/dataplane.h"
#include "felix/host_kernel.h"
#include "tests/support/builders.h"
#include "tests/support/layouts.h"
#include "tests/support/network_namespace.h"

namespace felix {
namespace {

using testing::NetworkNamespace;

constexpr std::uint16_t kPort = 4000;

void MustRun(const NetworkNamespace& where, const std::string& command) {
  std::string output;
  ASSERT_EQ(where.Shell(command, &output), 0) << command << ": " << output;
}

std::string Output(const NetworkNamespace& where, const std::string& command) {
  std::string output;
  EXPECT_EQ(where.Shell(command, &output), 0) << command << ": " << output;
  return output;
}

sockaddr_in6 SocketAddress(const std::string& address, std::uint16_t port) {
  sockaddr_in6 socket_address{};
  socket_address.sin6_family = AF_INET6;
  socket_address.sin6_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET6, address.c_str(), &socket_address.sin6_addr), 1);
  return socket_address;
}

// Owns a socket of the namespace it was made in.
class Socket {
 public:
  Socket(const NetworkNamespace& where, int type, int protocol) {
    where.Run([&] { fd_ = socket(AF_INET6, type | SOCK_CLOEXEC, protocol); });
    EXPECT_GE(fd_, 0);
    const timeval patience{.tv_sec = 0, .tv_usec = 500'000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void Bind(const sockaddr_in6& address) const {
    ASSERT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  [[nodiscard]] bool Send(const void* bytes, std::size_t size, const sockaddr_in6& to) const {
    return sendto(fd_, bytes, size, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) ==
           static_cast<ssize_t>(size);
  }
  // The first byte of what arrives within the time of patience, or -1.
  [[nodiscard]] int Receive() const {
    std::array<std::uint8_t, 256> bytes{};
    return recv(fd_, bytes.data(), bytes.size(), 0) > 0 ? bytes[0] : -1;
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

//   fd00::1 container1 eth0 --- cali1 host cali2 --- eth0 container2 fd00::2
// Each container knows one way, the link-local gateway, as Calico sets it up.
class NeighbourDiscovery : public ::testing::TestWithParam<compiler::ChainLayout> {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    host_.emplace();
    container1_.emplace();
    container2_.emplace();
    MustRun(*host_,
            "sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.addr_gen_mode=1 "
            "net.ipv6.conf.default.accept_ra=2");
    for (int number = 1; number <= 2; ++number) Connect(number);
    graph_.OnUpdates(std::vector<model::Update>{
        {testing::GlobalPolicy("all"), testing::PolicyOf("all()", {testing::Allow()})},
        {testing::EndpointId("one"), testing::Endpoint("cali1", {"fd00::1"})},
        {testing::EndpointId("two"), testing::Endpoint("cali2", {"fd00::2"})},
    });
    host_->Run([&] {
      auto kernel = OpenHostKernel({});
      ASSERT_TRUE(kernel.ok()) << kernel.status();
      kernel_ = *std::move(kernel);
      dataplane_ = std::make_unique<Dataplane>(clock_, *kernel_, DataplaneOptions{});
    });
  }

  // A libipset session belongs to the namespace of its thread, so it ends there as well.
  void TearDown() override {
    if (!host_.has_value()) return;
    host_->Run([&] {
      dataplane_.reset();
      kernel_.reset();
    });
  }

  void Connect(int number) {
    const NetworkNamespace& container = Container(number);
    MustRun(container, "sysctl -qw net.ipv6.conf.default.accept_dad=0");
    MustRun(*host_, fmt::format("ip link add cali{0} type veth peer name eth0 netns {1} && "
                                "ip link set cali{0} up && "
                                "ip addr add fe80::1/64 dev cali{0} nodad && "
                                "ip route add fd00::{0}/128 dev cali{0}",
                                number, container.path()));
    MustRun(container, fmt::format("ip link set eth0 up && "
                                   "ip addr add fd00::{}/128 dev eth0 nodad && "
                                   "ip route add default via fe80::1 dev eth0",
                                   number));
  }

  void Apply() {
    host_->Run([&] {
      dataplane_->Stage(graph_.Flush());
      const ApplyReport report = dataplane_->Apply();
      for (const ApplyReport::Failure& failure : report.failures) {
        ADD_FAILURE() << failure.what << ": " << failure.status;
      }
    });
  }

  void ForgetNeighbours() {
    for (const NetworkNamespace* where : {&std::as_const(*host_), &Container(1), &Container(2)}) {
      MustRun(*where, "ip -6 neigh flush all nud all");
      ASSERT_EQ(Output(*where, "ip -6 neigh show nud reachable nud stale nud delay"), "");
    }
  }

  // Whether a datagram from a new port reaches the other container, nobody knowing its neighbours.
  bool ArrivesFromCold(int from, int to) {
    ForgetNeighbours();
    const sockaddr_in6 destination = SocketAddress(fmt::format("fd00::{}", to), kPort);
    const Socket receiver(Container(to), SOCK_DGRAM, 0);
    receiver.Bind(destination);
    const Socket sender(Container(from), SOCK_DGRAM, 0);
    constexpr std::uint8_t kWord = 42;
    EXPECT_TRUE(sender.Send(&kWord, sizeof kWord, destination));
    return receiver.Receive() == kWord;
  }

  // Container 1 says to all that it is a router.
  void Advertise() {
    const Socket advertiser(*container1_, SOCK_RAW, IPPROTO_ICMPV6);
    const int hops = 255;
    setsockopt(advertiser.fd(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
    sockaddr_in6 everybody = SocketAddress("ff02::1", 0);
    container1_->Run([&] { everybody.sin6_scope_id = if_nametoindex("eth0"); });
    nd_router_advert advertisement{};
    advertisement.nd_ra_type = ND_ROUTER_ADVERT;
    advertisement.nd_ra_router_lifetime = htons(1800);
    ASSERT_TRUE(advertiser.Send(&advertisement, sizeof advertisement, everybody));
  }

  [[nodiscard]] const NetworkNamespace& Container(int number) const {
    return number == 1 ? *container1_ : *container2_;
  }

  std::optional<NetworkNamespace> host_;
  std::optional<NetworkNamespace> container1_;
  std::optional<NetworkNamespace> container2_;
  SystemClock clock_;
  compiler::Graph graph_{testing::OptionsOfThisHost(GetParam())};
  std::unique_ptr<HostKernel> kernel_;
  std::unique_ptr<Dataplane> dataplane_;
};

TEST_P(NeighbourDiscovery, ContainersWithIpv6OnlyReachEachOtherFromColdCaches) {
  ASSERT_EQ(graph_.options().endpoint_to_host_action, compiler::EndpointToHostAction::kDrop);
  Apply();
  EXPECT_TRUE(ArrivesFromCold(1, 2));
  EXPECT_TRUE(ArrivesFromCold(2, 1));
  const std::string gateway = Output(*container1_, "ip -6 neigh show fe80::1");
  EXPECT_NE(gateway.find("lladdr"), std::string::npos) << gateway;
}

TEST_P(NeighbourDiscovery, TheEndpointToHostActionDropsWhatIsNotDiscovery) {
  sockaddr_in6 gateway = SocketAddress("fe80::1", kPort);
  container1_->Run([&] { gateway.sin6_scope_id = if_nametoindex("eth0"); });
  const Socket receiver(*host_, SOCK_DGRAM, 0);
  receiver.Bind(SocketAddress("::", kPort));
  const auto arrives = [&] {
    const Socket sender(*container1_, SOCK_DGRAM, 0);
    constexpr std::uint8_t kWord = 42;
    EXPECT_TRUE(sender.Send(&kWord, sizeof kWord, gateway));
    return receiver.Receive() == kWord;
  };
  ASSERT_TRUE(arrives());
  Apply();
  EXPECT_FALSE(arrives());
}

TEST_P(NeighbourDiscovery, ARemovedEndpointFindsNobody) {
  Apply();
  ASSERT_TRUE(ArrivesFromCold(1, 2));
  graph_.OnUpdates(std::vector<model::Update>{{testing::EndpointId("one"), std::nullopt}});
  Apply();
  EXPECT_FALSE(ArrivesFromCold(1, 2));
  EXPECT_FALSE(ArrivesFromCold(2, 1));
  const std::string gateway = Output(*container1_, "ip -6 neigh show fe80::1");
  EXPECT_EQ(gateway.find("lladdr"), std::string::npos) << gateway;
}

TEST_P(NeighbourDiscovery, ARouterAdvertisementOfAContainerIsNotHeard) {
  const auto heard = [&] {
    const Socket behind_input(*host_, SOCK_RAW, IPPROTO_ICMPV6);
    icmp6_filter only_advertisements;
    ICMP6_FILTER_SETBLOCKALL(&only_advertisements);
    ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &only_advertisements);
    setsockopt(behind_input.fd(), IPPROTO_ICMPV6, ICMP6_FILTER, &only_advertisements,
               sizeof only_advertisements);
    Advertise();
    return behind_input.Receive() == ND_ROUTER_ADVERT;
  };
  // Without rules the host believes it, so what follows is due to the rules.
  ASSERT_TRUE(heard());
  ASSERT_NE(Output(*host_, "ip -6 route show default"), "");
  MustRun(*host_, "ip -6 route flush proto ra");
  ASSERT_EQ(Output(*host_, "ip -6 route show default"), "");

  Apply();
  const std::string before = Output(*host_, "ip -6 route show");
  EXPECT_FALSE(heard());
  EXPECT_EQ(Output(*host_, "ip -6 route show"), before);
}

INSTANTIATE_TEST_SUITE_P(Layouts, NeighbourDiscovery, testing::BothLayouts(), testing::LayoutName);

}  // namespace
}  // namespace felix
