// SPDX-License-Identifier: Apache-2.0
#include "felix/netlink/interface_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

#include "felix/clock.h"
#include "tests/support/network_namespace.h"

namespace felix::netlink {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

// What a listener knows after all updates: addresses by interface, as text.
using Known = std::map<std::string, std::vector<std::string>>;

class InterfaceMonitorTest : public ::testing::Test {
 protected:
  void SetUp() override { FELIX_REQUIRE_ROOT(); }

  void Inside(const std::function<void()>& body) { netns_.Run(body); }

  void Hear(InterfaceMonitor& monitor) {
    for (const model::Update& update : monitor.Read()) {
      const std::string& name = std::get<model::InterfaceId>(update.key).name;
      if (!update.value) {
        EXPECT_EQ(known_.erase(name), 1U) << name;
        continue;
      }
      std::vector<std::string>& texts = known_[name];
      texts.clear();
      for (const auto& address : std::get<model::Interface>(*update.value).addresses) {
        // Addresses that the kernel makes up for the link itself.
        if (!address.ToString().starts_with("fe80:")) texts.push_back(address.ToString());
      }
    }
    EXPECT_TRUE(monitor.status().ok()) << monitor.status();
  }

  // Hears what comes, as the daemon does, until `wanted` is so.
  bool HearUntil(InterfaceMonitor& monitor, const std::function<bool()>& wanted) {
    const Clock::TimePoint end = clock_.Now() + 5s;
    for (Hear(monitor); !wanted(); Hear(monitor)) {
      const Clock::TimePoint now = clock_.Now();
      if (now > end) return false;
      const auto left = std::max(monitor.NextDue().value_or(end) - now, Clock::Duration(0));
      pollfd watched{monitor.fd(), POLLIN, 0};
      poll(&watched, 1, static_cast<int>(std::min<std::int64_t>(left.count() / 1000 + 1, 200)));
    }
    return true;
  }
  bool HearUntilKnown(InterfaceMonitor& monitor, const std::string& name,
                      const std::vector<std::string>& addresses) {
    return HearUntil(monitor, [&] {
      const auto found = known_.find(name);
      return found != known_.end() && found->second == addresses;
    });
  }

  void Shell(const std::string& command) {
    std::string output;
    EXPECT_EQ(netns_.Shell(command, &output), 0) << command << ": " << output;
  }

  const InterfaceMonitor::Options options_{
      .workload_prefixes = {"cali"}, .exclude = "kube-ipvs0", .refresh_interval = 90s};
  SystemClock clock_;
  testing::NetworkNamespace netns_;
  Known known_;
};

TEST_F(InterfaceMonitorTest, ListsWhatIsThereBeforeItIsInSync) {
  Shell(
      "ip link add eth0 type veth peer name cali1 && ip link add kube-ipvs0 type veth peer name "
      "other && ip address add 10.0.0.1/24 dev eth0 && ip address add 10.0.0.2/24 dev eth0 && "
      "ip address add 10.0.0.9/24 dev cali1 && ip address add 10.0.0.8/32 dev kube-ipvs0");
  Inside([&] {
    InterfaceMonitor monitor(clock_, options_);
    EXPECT_FALSE(monitor.in_sync());
    Hear(monitor);
    EXPECT_TRUE(monitor.in_sync());
  });
  EXPECT_THAT(known_, Contains(Pair("eth0", std::vector<std::string>{"10.0.0.1", "10.0.0.2"})))
      << "the link is down";
  EXPECT_THAT(known_, Contains(Pair("kube-ipvs0", IsEmpty())));
  EXPECT_THAT(known_, Contains(Pair("lo", std::vector<std::string>{"127.0.0.1", "::1"})));
  EXPECT_THAT(known_, Not(Contains(Key("cali1"))));
}

TEST_F(InterfaceMonitorTest, FollowsLinksAndAddressesOfBothFamilies) {
  Inside([&] {
    InterfaceMonitor monitor(clock_, options_);
    Hear(monitor);
    Shell("ip link add eth0 type veth peer name peer0");
    EXPECT_TRUE(HearUntilKnown(monitor, "eth0", {}));
    Shell(
        "ip link set peer0 up && ip link set eth0 up && ip address add 10.0.0.1/24 dev eth0 && "
        "ip -6 address add fd00::1/64 dev eth0 nodad");
    EXPECT_TRUE(HearUntilKnown(monitor, "eth0", {"10.0.0.1", "fd00::1"}));
    Shell("ip address del 10.0.0.1/24 dev eth0");
    EXPECT_TRUE(HearUntilKnown(monitor, "eth0", {"fd00::1"}));
    Shell("ip link set eth0 down");
    EXPECT_TRUE(HearUntilKnown(monitor, "eth0", {})) << "the kernel takes IPv6 addresses away";
    Shell("ip link del eth0");
    EXPECT_TRUE(HearUntil(monitor, [&] { return !known_.contains("eth0"); }));
    EXPECT_THAT(known_, Not(Contains(Key("peer0"))));
  });
}

TEST_F(InterfaceMonitorTest, TakesARenameForADeletionAndAnAddition) {
  Shell("ip link add eth0 type veth peer name peer0 && ip address add 10.0.0.1/24 dev eth0");
  Inside([&] {
    InterfaceMonitor monitor(clock_, options_);
    Hear(monitor);
    Shell("ip link set eth0 name lan");
    EXPECT_TRUE(HearUntilKnown(monitor, "lan", {"10.0.0.1"}));
    EXPECT_THAT(known_, Not(Contains(Key("eth0"))));
    Shell("ip link set lan name cali5");
    EXPECT_TRUE(HearUntil(monitor, [&] { return !known_.contains("lan"); }));
    EXPECT_THAT(known_, Not(Contains(Key("cali5"))));
  });
}

TEST_F(InterfaceMonitorTest, DoesNotNoticeAnAddressThatIsRenewed) {
  Shell("ip link add eth0 type veth peer name peer0 && ip address add 10.0.0.1/24 dev eth0");
  Inside([&] {
    InterfaceMonitor monitor(clock_, options_);
    Hear(monitor);
    Shell("ip address del 10.0.0.1/24 dev eth0; ip address add 10.0.0.1/24 dev eth0");
    EXPECT_THAT(monitor.Read(), IsEmpty());
    const Clock::TimePoint end = clock_.Now() + 300ms;
    while (clock_.Now() < end) EXPECT_THAT(monitor.Read(), IsEmpty());
  });
}

TEST_F(InterfaceMonitorTest, ListsAnewAfterMessagesWereLost) {
  Inside([&] {
    InterfaceMonitor monitor(clock_, options_);
    Hear(monitor);
    int small = 1;
    ASSERT_EQ(setsockopt(monitor.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    Shell(
        "{ for i in $(seq 0 59); do echo link add eth$i type veth peer name peer$i; done; "
        "echo address add 10.0.0.1/32 dev eth59; } | ip -batch -");
    Hear(monitor);
    EXPECT_EQ(known_.size(), 121U) << "all at once, with the loopback";
    EXPECT_THAT(known_, Contains(Pair("eth59", std::vector<std::string>{"10.0.0.1"})));
  });
}

TEST_F(InterfaceMonitorTest, ListsAnewAtItsInterval) {
  Inside([&] {
    InterfaceMonitor::Options often = options_;
    often.refresh_interval = 20ms;
    InterfaceMonitor monitor(clock_, often);
    Hear(monitor);
    const auto due = monitor.NextDue();
    ASSERT_TRUE(due.has_value());
    EXPECT_LE(*due, clock_.Now() + 20ms);
    EXPECT_TRUE(HearUntil(monitor, [&] { return *monitor.NextDue() > *due; }));
    often.refresh_interval = {};
    monitor.SetOptions(often);
    EXPECT_EQ(monitor.NextDue(), std::nullopt);
    Shell("ip link add eth0 type veth peer name peer0");
    monitor.Resync();
    Hear(monitor);
    EXPECT_THAT(known_, Contains(Key("eth0")));
  });
}

}  // namespace
}  // namespace felix::netlink
