// SPDX-License-Identifier: Apache-2.0
#include "bench/forwarding_cost.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "fmt/format.h"

#include "bench/container_host.h"
#include "bench/stopwatch.h"
#include "compiler/endpoint_layout.h"
#include "compiler/marks.h"
#include "compiler/names.h"
#include "model/base/check.h"

namespace felix::bench {
namespace {

using compiler::Direction;
using testing::NetworkNamespace;

constexpr std::uint32_t kSender = 10;
constexpr std::uint32_t kReceiver = 11;
constexpr std::uint16_t kPort = 4242;
constexpr std::uint32_t kPacketsPerTurn = 50;

void Enter(const NetworkNamespace& netns) {
  FELIX_CHECK(setns(netns.fd(), CLONE_NEWNET) == 0, "cannot enter a namespace");
}

void Shell(const NetworkNamespace& netns, const std::string& command) {
  std::string output;
  FELIX_CHECK(netns.Shell(command, &output) == 0, command + ": " + output);
}

// Two containers of a router, each at one end of a pair of interfaces.
class Path {
 public:
  explicit Path(const NetworkNamespace& router) {
    for (const std::uint32_t number : {kSender, kReceiver}) {
      Connect(router, number, number == kSender ? sender_ : receiver_);
    }
    Shell(router, "sysctl -qw net.ipv4.ip_forward=1");
    from_ = Open(sender_);
    to_ = Open(receiver_);
    sockaddr_in here = At(kReceiver);
    FELIX_CHECK(bind(to_, Generic(here), sizeof here) == 0, "cannot bind");
    sockaddr_in there = At(kReceiver);
    FELIX_CHECK(connect(from_, Generic(there), sizeof there) == 0, "cannot connect");
  }
  ~Path() {
    close(from_);
    close(to_);
  }
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;

  // Nanoseconds of one packet.
  double Turn() {
    const double micros = Elapsed([&] {
      for (std::uint32_t i = 0; i < kPacketsPerTurn; ++i) {
        static_cast<void>(send(from_, "x", 1, 0));
      }
    });
    std::uint32_t received = 0;
    char byte = 0;
    while (recv(to_, &byte, 1, MSG_DONTWAIT) == 1) ++received;
    FELIX_CHECK(received == kPacketsPerTurn, fmt::format("{} packets arrive", received));
    return micros * 1e3 / kPacketsPerTurn;
  }

 private:
  static sockaddr* Generic(sockaddr_in& address) {
    return static_cast<sockaddr*>(static_cast<void*>(&address));
  }
  static sockaddr_in At(std::uint32_t number) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kPort);
    address.sin_addr.s_addr = htonl(0x0a000000U + number);
    return address;
  }
  static int Open(const NetworkNamespace& netns) {
    Enter(netns);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    FELIX_CHECK(fd >= 0, "no socket");
    return fd;
  }
  static void Connect(const NetworkNamespace& router, std::uint32_t number,
                      const NetworkNamespace& container) {
    const std::string interface_name = InterfaceOf(number);
    const std::string outer = fmt::format("02:00:00:00:01:{:02x}", number);
    const std::string inner = fmt::format("02:00:00:00:02:{:02x}", number);
    const std::string address = fmt::format("10.0.0.{}", number);
    Shell(router,
          fmt::format("ip link add {0} address {1} type veth peer name inner address {2} && "
                      "ip link set inner netns {3} && ip link set {0} up && "
                      "ip route add {4}/32 dev {0} && "
                      "ip neigh replace {4} lladdr {2} dev {0} nud permanent",
                      interface_name, outer, inner, container.path(), address));
    Shell(container, fmt::format("ip link set inner up && ip addr add {}/32 dev inner && "
                                 "ip route add 169.254.1.1 dev inner scope link && "
                                 "ip neigh replace 169.254.1.1 lladdr {} dev inner nud permanent "
                                 "&& ip route add default via 169.254.1.1 dev inner",
                                 address, outer));
  }

  NetworkNamespace sender_;
  NetworkNamespace receiver_;
  int from_ = -1;
  int to_ = -1;
};

// The rules of the host in another namespace, for the two containers alone: instead of the
// dispatch, a jump to the shape's chain.
class WithoutDispatch {
 public:
  explicit WithoutDispatch(const ContainerHost& host) {
    ir::DesiredState state = host.graph().desired();
    const compiler::Options& options = host.graph().options();
    const auto marks = compiler::Marks::FromMask(options.mark_mask, options.chain_layout);
    for (const Direction direction : compiler::kDirections) {
      const std::uint32_t number = direction == Direction::kEgress ? kSender : kReceiver;
      const ir::SetKey map{model::IpFamily::kV4, compiler::ElementMapId(direction)};
      const std::uint32_t mark = state.mark_maps.at(map).values.at(
          {InterfaceOf(number), AddressOf(number, model::IpFamily::kV4)});
      const compiler::Shape& shape =
          host.graph().shapes_by_number(direction).at(marks.ShapeNumber(mark));
      ir::Chain chain;
      chain.rules.push_back(
          ir::When(ir::MarkMatch{.value = marks.exempt, .mask = marks.exempt}).Then(ir::Return{}));
      chain.rules.push_back(ir::When().Then(ir::Goto{shape.ChainName()}));
      state.chains[{model::IpFamily::kV4, ir::Table::kMangle,
                    compiler::ElementChainName(direction)}] = std::move(chain);
    }
    state.mark_maps.clear();
    state.local_addresses.clear();
    Enter(netns_);
    auto kernel = OpenHostKernel({});
    FELIX_CHECK(kernel.ok(), kernel.status().ToString());
    kernel_ = *std::move(kernel);
    DataplaneOptions dataplane_options;
    dataplane_options.ipv6_support = false;
    dataplane_ = std::make_unique<Dataplane>(clock_, *kernel_, dataplane_options);
    dataplane_->Stage(ir::Diff({}, state));
    do {
      const ApplyReport report = dataplane_->Apply();
      FELIX_CHECK(report.ok(), "the rules without dispatch are not to be had");
    } while (dataplane_->dirty());
  }
  [[nodiscard]] const NetworkNamespace& netns() const { return netns_; }

 private:
  NetworkNamespace netns_;
  SystemClock clock_;
  std::unique_ptr<HostKernel> kernel_;
  std::unique_ptr<Dataplane> dataplane_;
};

}  // namespace

void CompareForwarding(std::uint32_t containers, std::uint32_t packets) {
  const auto size_of = [&](compiler::ChainLayout layout) {
    return HostSize{.layout = layout, .containers = containers, .shapes = 64};
  };
  const ContainerHost shared(size_of(compiler::ChainLayout::kShared));
  const ContainerHost chains(size_of(compiler::ChainLayout::kPerContainer));
  const WithoutDispatch direct(shared);
  const NetworkNamespace empty;
  enum Contender : std::uint8_t { kEmpty, kWithout, kShared, kChains };
  constexpr std::size_t kContenders = 4;
  std::array<Path, kContenders> paths = {Path(empty), Path(direct.netns()), Path(shared.netns()),
                                         Path(chains.netns())};
  std::array<std::vector<double>, kContenders> turns;
  for (std::uint32_t sent = 0; sent < packets; sent += kPacketsPerTurn) {
    for (std::size_t who = 0; who < kContenders; ++who)
      turns.at(who).push_back(paths.at(who).Turn());
  }
  std::array<double, kContenders> cost{};
  for (std::size_t who = 0; who < kContenders; ++who) cost.at(who) = Quantile(turns.at(who), 0.5);
  fmt::print(
      "one forwarded packet at {} containers, 64 shapes: empty tables {:.0f} ns, Shared without "
      "dispatch {:.0f} ns, Shared {:.0f} ns, PerContainer {:.0f} ns\n"
      "  dispatch alone {:.0f} ns; all over empty tables: Shared {:.0f} ns, PerContainer {:.0f} "
      "ns\n",
      containers, cost[kEmpty], cost[kWithout], cost[kShared], cost[kChains],
      cost[kShared] - cost[kWithout], cost[kShared] - cost[kEmpty], cost[kChains] - cost[kEmpty]);
}

}  // namespace felix::bench
