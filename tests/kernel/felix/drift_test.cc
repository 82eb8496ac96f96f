// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "tests/kernel/felix/program.h"

namespace felix::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

// With the refresh switched off, so that nothing but what is tested can repair.
class DriftTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    resources.Write("endpoint.yaml", EndpointYaml("cali1", 1));
    resources.Write("policy.yaml", PolicyYaml("web", 80));
    resources.Write("configuration.yaml", ConfigurationYaml("iptablesRefreshInterval", "0s"));
  }
  static bool WaitForApply(const FelixDaemon& daemon) {
    return WaitUntil([&] { return daemon.Log().find("ready: ") != std::string::npos; });
  }
  // The rules of both families without their counters.
  [[nodiscard]] std::string Rules() const {
    std::string rules;
    netns.Shell("(iptables-legacy-save; ip6tables-legacy-save) | grep -v '^#' | sed 's/ \\[.*//'",
                &rules);
    return rules;
  }
  // Has the vandal do it and waits for the repair, by polling alone, which takes no lock.
  void ExpectRepairOf(const FelixDaemon& daemon, const std::string& vandalism,
                      const std::string& report) {
    const std::string before = Rules();
    const std::size_t said = daemon.Log().size();
    ASSERT_EQ(netns.Shell(vandalism), 0) << vandalism;
    EXPECT_TRUE(WaitUntil([&] {
      return daemon.Log().find("repaired what", said) != std::string::npos && Rules() == before;
    })) << vandalism
        << "\n"
        << daemon.Log();
    EXPECT_THAT(daemon.Log().substr(said), HasSubstr(report)) << vandalism;
  }

  NetworkNamespace netns;
  ResourceDirectory resources;
};

TEST_F(DriftTest, RepairsAndReportsWhatToolsDoToItsRules) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon)) << daemon.Log();
  ExpectRepairOf(daemon, "iptables-legacy -F cali-tw-cali1",
                 "ipv4 filter: rules of chain cali-tw-cali1 were deleted: 1");
  ExpectRepairOf(daemon, "ip6tables-legacy -D FORWARD 1",
                 "ipv6 filter: our rules in FORWARD were deleted: 1");
  ExpectRepairOf(daemon,
                 "iptables-legacy -F cali-to-wl-dispatch && iptables-legacy -F cali-tw-cali1 && "
                 "iptables-legacy -X cali-tw-cali1",
                 "chain cali-tw-cali1 was deleted");
  ExpectRepairOf(daemon, "iptables-legacy -N cali-tw-mine", "chain cali-tw-mine was added");
}

TEST_F(DriftTest, RepairsAFlushOfTheWholeTable) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon)) << daemon.Log();
  // The repair may come between the two.
  ExpectRepairOf(daemon, "iptables-legacy -F; iptables-legacy -X; true", "repaired what");
}

TEST_F(DriftTest, MovesItsHookAboveARuleThatWasInserted) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon)) << daemon.Log();
  netns.Shell("iptables-legacy -I FORWARD -s 192.0.2.1 -j ACCEPT");
  EXPECT_TRUE(WaitUntil([&] {
    return Holds(netns, "-A FORWARD -j cali-FORWARD\n-A FORWARD -s 192.0.2.1/32 -j ACCEPT");
  })) << daemon.Log();
  EXPECT_THAT(daemon.Log(), HasSubstr("our rules in FORWARD were changed or moved"));
}

TEST_F(DriftTest, FindsAnEditOfTheSameSizeByAToolThatTakesTheLock) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon)) << daemon.Log();
  ExpectRepairOf(daemon, "iptables-legacy -R cali-fw-cali1 2 -j ACCEPT",
                 "ipv4 filter: rules of chain cali-fw-cali1 were changed or moved");
}

TEST_F(DriftTest, FindsADeletionByAProgramThatIgnoresTheLock) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon)) << daemon.Log();
  ExpectRepairOf(daemon, "XTABLES_LOCKFILE=/tmp/felix-no-lock iptables-legacy -F cali-tw-cali1",
                 "ipv4 filter: rules of chain cali-tw-cali1 were deleted: 1");
}

TEST_F(DriftTest, FindsAnEditOfTheSameSizeWithoutTheLockAtTheRefresh) {
  resources.Write("configuration.yaml", ConfigurationYaml("iptablesRefreshInterval", "1s"));
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon)) << daemon.Log();
  ExpectRepairOf(daemon,
                 "XTABLES_LOCKFILE=/tmp/felix-no-lock iptables-legacy -R cali-fw-cali1 2 -j ACCEPT",
                 "ipv4 filter: rules of chain cali-fw-cali1 were changed or moved");
}

TEST_F(DriftTest, ReportsNothingWhenOthersOnlyRead) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon)) << daemon.Log();
  const std::string before = Dump(netns, true);
  for (int i = 0; i < 10; ++i) netns.Shell("iptables-legacy -S; ip6tables-legacy -S; sleep 0.1");
  netns.Shell("sleep 1");
  EXPECT_EQ(Dump(netns, true), before);
  EXPECT_THAT(daemon.Log(), Not(HasSubstr("repaired what")));
}

}  // namespace
}  // namespace felix::testing
