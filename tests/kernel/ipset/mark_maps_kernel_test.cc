// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ipset/mark_maps.h"
#include "ipset/set_name.h"
#include "tests/kernel/ipset/kernel_environment.h"
#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/mark_map_builders.h"

namespace felix::ipset {
namespace {

using felix::testing::At;
using felix::testing::ChangedMap;
using felix::testing::CountingKernelSets;
using felix::testing::KernelEnvironment;
using felix::testing::KernelMembersOf;
using felix::testing::Key4;
using felix::testing::ManyAddresses;
using felix::testing::MapOf;
using felix::testing::NewMap;
using model::IpFamily;

// Sends to itself over the loopback interface, and receives nothing of it.
class Loopback {
 public:
  static constexpr std::size_t kBytes = 100 + 28;  // with headers

  Loopback() : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    KernelEnvironment::Shell("ip link set lo up");
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address_.sin_port = htons(5555);
    EXPECT_EQ(bind(socket_, Address(), sizeof(address_)), 0);
  }
  ~Loopback() { close(socket_); }
  Loopback(const Loopback&) = delete;
  Loopback& operator=(const Loopback&) = delete;

  // False if a rule drops it.
  bool Send() {
    const std::array<char, 100> data{};
    const bool sent = sendto(socket_, data.data(), data.size(), 0, Address(), sizeof(address_)) > 0;
    EXPECT_TRUE(sent || errno == EPERM);
    return sent;
  }

 private:
  const sockaddr* Address() const {
    return static_cast<const sockaddr*>(static_cast<const void*>(&address_));
  }

  int socket_;
  sockaddr_in address_{};
};

class MarkMapsKernelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    environment_.emplace();
  }
  KernelSets& kernel() { return environment_->kernel(); }
  static void Apply(MarkMaps& maps) {
    const auto leaving = maps.ApplyLeaving();
    ASSERT_TRUE(leaving.ok()) << leaving.status();
    const auto arriving = maps.ApplyArriving();
    ASSERT_TRUE(arriving.ok()) << arriving.status();
  }
  static MemberCounters CountersOf(MarkMaps& maps, const ir::LocalAddress& at) {
    const auto all = maps.ReadCounters();
    EXPECT_TRUE(all.ok()) << all.status();
    for (const AddressCounters& each : all->front().addresses) {
      if (each.address == at) return each.counters;
    }
    ADD_FAILURE() << "no counters of " << at.interface_name;
    return {};
  }

  const ir::SetKey to_ = Key4("e:to");
  std::optional<KernelEnvironment> environment_;
};

TEST_F(MarkMapsKernelTest, PacketsTakeTheMarkAndAreCountedThroughEveryChangeButAnAbsence) {
  Loopback loopback;
  const ir::LocalAddress self = At("lo", "127.0.0.1");
  MarkMaps maps(IpFamily::kV4, kernel(), MarkMapOptions{1000});
  maps.Stage(NewMap(to_, MapOf({{"lo", "127.0.0.1", 1}, {"lo", "127.0.0.2", 1}})));
  Apply(maps);
  KernelEnvironment::Shell(
      "iptables-legacy -w -t mangle -A OUTPUT -j SET --map-set cali40e:to dst,dst --map-mark && "
      "iptables-legacy -w -t mangle -A OUTPUT -m mark ! --mark 0x1/0x1 -j DROP && "
      "iptables-legacy -w -t mangle -A OUTPUT -m mark --mark 0x10/0xf0 -j DROP");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(loopback.Send());
  EXPECT_EQ(CountersOf(maps, self), (MemberCounters{3, 3 * Loopback::kBytes}));

  maps.Stage(ChangedMap(to_, {{"lo", "127.0.0.1", 0x11}}));
  Apply(maps);
  EXPECT_FALSE(loopback.Send());
  EXPECT_EQ(CountersOf(maps, self), (MemberCounters{4, 4 * Loopback::kBytes}));

  // A larger set takes the place of this one, under the rule that names it.
  MarkMaps larger(IpFamily::kV4, kernel(), MarkMapOptions{2000});
  larger.Stage(NewMap(to_, MapOf({{"lo", "127.0.0.1", 0x21}})));
  const auto leaving = larger.ApplyLeaving();
  ASSERT_TRUE(leaving.ok()) << leaving.status();
  EXPECT_EQ(leaving->sets_swapped, 1U);
  EXPECT_FALSE(loopback.Send());  // its mark is the old one still
  ASSERT_TRUE(larger.ApplyArriving().ok());
  EXPECT_TRUE(loopback.Send());
  EXPECT_EQ(CountersOf(larger, self), (MemberCounters{6, 6 * Loopback::kBytes}));

  larger.Stage(ChangedMap(to_, {}, {self}));
  Apply(larger);
  EXPECT_FALSE(loopback.Send());
  larger.Stage(ChangedMap(to_, {{"lo", "127.0.0.1", 1}}));
  Apply(larger);
  EXPECT_TRUE(loopback.Send());
  EXPECT_EQ(CountersOf(larger, self), (MemberCounters{1, Loopback::kBytes}));
}

TEST_F(MarkMapsKernelTest, GrowsFarBeyondItsHashAndIsAdopted) {
  CountingKernelSets counted(kernel());
  const ir::MarkMap big = ManyAddresses(50000);
  MarkMaps maps(IpFamily::kV4, counted, MarkMapOptions{});
  maps.Stage(NewMap(to_, MapOf({})));
  Apply(maps);
  ir::DesiredDelta delta;
  delta.changed_mark_maps[to_].set = {big.values.begin(), big.values.end()};
  maps.Stage(delta);
  Apply(maps);
  const auto content = kernel().Read("cali40e:to");
  ASSERT_TRUE(content.ok() && content->has_value());
  EXPECT_EQ((*content)->interface_members, KernelMembersOf(big));
  EXPECT_GE((*content)->header.hash_size, 16384U);

  const std::size_t before = counted.executes();
  MarkMaps restarted(IpFamily::kV4, counted, MarkMapOptions{});
  restarted.Stage(NewMap(to_, big));
  Apply(restarted);
  restarted.Resync();
  Apply(restarted);
  EXPECT_EQ(counted.executes(), before);
  EXPECT_THAT(restarted.TakeDamage(), ::testing::IsEmpty());
}

TEST_F(MarkMapsKernelTest, FollowsRandomHistoriesAcrossRestarts) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::optional<MarkMaps> maps(std::in_place, IpFamily::kV4, kernel(), MarkMapOptions{});
    ir::DesiredState state;
    for (int round = 0; round < 40; ++round) {
      const ir::DesiredState before = state;
      for (auto changes = felix::testing::Below(random, 6); changes > 0; --changes) {
        felix::testing::Mutate(random, state);
      }
      maps->Stage(ir::Diff(before, state));
      if (felix::testing::Below(random, 10) == 0) {
        static_cast<void>(maps->ApplyLeaving());  // the program may end at any time
        maps.emplace(IpFamily::kV4, kernel(),
                     MarkMapOptions{felix::testing::Below(random, 2) == 0 ? 1000000U : 2000000U});
        maps->Stage(ir::Diff({}, state));
      }
      Apply(*maps);
      ASSERT_FALSE(maps->dirty());
      std::vector<std::string> names;
      for (const auto& [key, map] : state.mark_maps) {
        names.push_back(KernelSetName(key));
        EXPECT_EQ(kernel().Read(names.back()).value()->interface_members, KernelMembersOf(map));
      }
      EXPECT_EQ(kernel().ListNames().value(), names);
    }
    maps->RemoveEverything();
    Apply(*maps);
  }
}

}  // namespace
}  // namespace felix::ipset
