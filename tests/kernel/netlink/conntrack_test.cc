// SPDX-License-Identifier: Apache-2.0
#include "felix/netlink/conntrack.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/support/network_namespace.h"

namespace felix::netlink {
namespace {

using model::IpFamily;

class ConntrackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    // Without a rule that asks for it the kernel tracks nothing.
    Shell(
        "iptables-legacy -A INPUT -m conntrack --ctstate ESTABLISHED && "
        "ip6tables-legacy -A INPUT -m conntrack --ctstate ESTABLISHED && "
        "iptables-legacy -t nat -A OUTPUT -d 192.0.2.1 -j DNAT --to-destination 127.0.0.9 && "
        "ip address add fd00::1/128 dev lo nodad && ip route add 192.0.2.1 dev lo");
  }

  void Shell(const std::string& command) {
    std::string output;
    EXPECT_EQ(netns_.Shell(command, &output), 0) << command << ": " << output;
  }
  void Send(const std::string& address) {
    Shell("bash -c 'echo x >/dev/udp/" + address + "/9; true'");
  }
  std::uint64_t Forget(IpFamily family, const std::vector<std::string>& texts) {
    absl::btree_set<model::IpAddress> addresses;
    for (const std::string& text : texts) addresses.insert(*model::IpAddress::Parse(text));
    absl::StatusOr<std::uint64_t> removed;
    netns_.Run([&] { removed = Conntrack().Forget(family, addresses); });
    EXPECT_TRUE(removed.ok()) << removed.status();
    return removed.value_or(0);
  }

  testing::NetworkNamespace netns_;
};

TEST_F(ConntrackTest, RemovesTheConnectionsOfAnAddressAndNoOthers) {
  for (const char* address : {"127.0.0.5", "127.0.0.6", "fd00::1"}) Send(address);
  EXPECT_EQ(Forget(IpFamily::kV4, {"127.0.0.5", "10.9.9.9"}), 1U);
  EXPECT_EQ(Forget(IpFamily::kV4, {"127.0.0.5"}), 0U);
  EXPECT_EQ(Forget(IpFamily::kV6, {"fd00::1"}), 1U);
  EXPECT_EQ(Forget(IpFamily::kV4, {"127.0.0.1"}), 1U) << "as source";
}

TEST_F(ConntrackTest, FindsAnAddressBeforeAndBehindATranslation) {
  Send("192.0.2.1");
  EXPECT_EQ(Forget(IpFamily::kV4, {"127.0.0.9"}), 1U) << "where it really went";
  Send("192.0.2.1");
  EXPECT_EQ(Forget(IpFamily::kV4, {"192.0.2.1"}), 1U) << "where it was sent";
}

}  // namespace
}  // namespace felix::netlink
