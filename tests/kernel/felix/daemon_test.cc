// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "tests/kernel/felix/program.h"

namespace felix::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class DaemonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    resources.Write("endpoint.yaml", EndpointYaml("cali1", 1));
    resources.Write("policy.yaml", PolicyYaml("web", 80));
  }
  static bool WaitForApply(const FelixDaemon& daemon) {
    return WaitUntil([&] { return daemon.Log().find("applied objects=") != std::string::npos; });
  }

  NetworkNamespace netns;
  ResourceDirectory resources;
};

TEST_F(DaemonTest, LeavesItsRulesWhenToldToStop) {
  for (const int signal : {SIGTERM, SIGINT}) {
    FelixDaemon daemon(netns, resources.address());
    ASSERT_TRUE(WaitUntil([&] {
      return daemon.Log().find("is complete") != std::string::npos && Holds(netns, "fd00::1");
    })) << daemon.Log();
    daemon.Signal(signal);
    EXPECT_EQ(daemon.Join(), 0);
    EXPECT_TRUE(Holds(netns, "cali-tw-cali1"));
  }
}

TEST_F(DaemonTest, FollowsTheInterfacesOfTheHostFromBeforeItsFirstApply) {
  FelixDaemon daemon(netns, resources.address(), {"--log-level", "debug"});
  ASSERT_TRUE(WaitForApply(daemon)) << daemon.Log();
  const std::string log = daemon.Log();
  EXPECT_LT(log.find("interface lo has 127.0.0.1 ::1"), log.find("applied objects=")) << log;
  netns.Shell(
      "ip link add eth0 type veth peer name cali7 && ip address add 10.1.2.3/24 dev eth0 && "
      "ip link set eth0 name lan");
  EXPECT_TRUE(WaitUntil([&] {
    return daemon.Log().find("interface lan has 10.1.2.3") != std::string::npos;
  })) << daemon.Log();
  EXPECT_THAT(daemon.Log(), Not(HasSubstr("interface cali7")));
}

TEST_F(DaemonTest, AdoptsWhatItsPredecessorLeft) {
  {
    FelixDaemon daemon(netns, resources.address());
    ASSERT_TRUE(WaitForApply(daemon));
    daemon.Signal(SIGKILL);
    EXPECT_EQ(daemon.Join(), 128 + SIGKILL);
  }
  netns.Shell("bash -c 'echo x >/dev/udp/127.0.0.1/9; echo x >/dev/udp/127.0.0.1/9'");
  const std::string before = Dump(netns, true);
  FelixDaemon daemon(netns, resources.address(), {"--log-level", "debug"});
  ASSERT_TRUE(WaitForApply(daemon)) << daemon.Log();
  EXPECT_THAT(daemon.Log(), AllOf(HasSubstr("rules_written=0"), HasSubstr("commits=0"),
                                  HasSubstr("members_added=0")));
  EXPECT_EQ(Dump(netns, true), before);
}

TEST_F(DaemonTest, SaysWhatItAppliedInOneLine) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon)) << daemon.Log();
  const std::string log = daemon.Log();
  const std::size_t start = log.find("applied ");
  EXPECT_THAT(log.substr(start, log.find('\n', start) - start),
              MatchesRegex("applied objects=[0-9]+ rules=[0-9]+ sets=2 rules_written=[0-9]+ "
                           "members_added=2 members_removed=0 commits=2 compile_us=[0-9]+ "
                           "sets_us=[0-9]+ tables_us=[0-9]+ total_us=[0-9]+"));
}

TEST_F(DaemonTest, FollowsTheDirectory) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon));
  resources.Write("second.yaml", EndpointYaml("cali2", 2));
  EXPECT_TRUE(WaitUntil([&] { return Holds(netns, ":cali-tw-cali2"); })) << daemon.Log();
  EXPECT_TRUE(Holds(netns, " 10.65.0.2"));
  resources.Remove("second.yaml");
  EXPECT_TRUE(WaitUntil([&] { return !Holds(netns, ":cali-tw-cali2"); })) << daemon.Log();
  EXPECT_TRUE(WaitUntil([&] { return !Holds(netns, " 10.65.0.2"); })) << daemon.Log();
}

TEST_F(DaemonTest, ChangesConfigurationWithoutARestart) {
  netns.Shell("iptables-legacy -A FORWARD -s 192.0.2.9 -j ACCEPT");
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon));
  const std::string foreign = "-A FORWARD -s 192.0.2.9/32 -j ACCEPT\n";
  const std::string ours = "-A FORWARD -j cali-FORWARD\n";
  EXPECT_TRUE(Holds(netns, ours + foreign)) << Dump(netns);
  resources.Write("configuration.yaml", ConfigurationYaml("chainInsertMode", "Append"));
  EXPECT_TRUE(WaitUntil([&] { return Holds(netns, foreign + ours); })) << daemon.Log();
  EXPECT_THAT(daemon.Log(), HasSubstr("ChainInsertMode changes from \"insert\" to \"append\""));
  resources.Write("configuration.yaml", ConfigurationYaml("interfacePrefix", "tap"));
  EXPECT_TRUE(WaitUntil([&] { return Holds(netns, "-i tap+") && !Holds(netns, "-i cali+"); }));
  resources.Remove("configuration.yaml");
  EXPECT_TRUE(WaitUntil([&] { return Holds(netns, ours + foreign); })) << daemon.Log();
}

TEST_F(DaemonTest, ReadsItsFileAgainOnHangUp) {
  const ResourceDirectory etc;
  etc.Write("felix.cfg", "InterfacePrefix = tap\n");
  FelixDaemon daemon(netns, resources.address(), {"-c", etc.path() + "/felix.cfg"});
  ASSERT_TRUE(WaitForApply(daemon));
  EXPECT_FALSE(Holds(netns, ":cali-tw-cali1"));
  etc.Write("felix.cfg", "InterfacePrefix = cali\nIptablesLockTimeoutSecs = 3\n");
  daemon.Signal(SIGHUP);
  EXPECT_TRUE(WaitUntil([&] { return Holds(netns, ":cali-tw-cali1"); })) << daemon.Log();
  EXPECT_THAT(
      daemon.Log(),
      AllOf(HasSubstr("InterfacePrefix changes from \"tap\" to \"cali\" (configuration file)\n"),
            HasSubstr("IptablesLockTimeoutSecs changes from \"0\" to \"3\" (configuration file), "
                      "which takes a restart")));
  etc.Remove("felix.cfg");
  daemon.Signal(SIGHUP);
  EXPECT_TRUE(WaitUntil([&] {
    return daemon.Log().find("the configuration stays as it is") != std::string::npos;
  })) << daemon.Log();
  EXPECT_TRUE(Holds(netns, ":cali-tw-cali1"));
}

TEST_F(DaemonTest, LeavesIpv6AsItIsWhenThatIsSwitchedOff) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon));
  std::string before;
  netns.Shell("ip6tables-legacy-save | grep -v '^#'", &before);
  resources.Write("configuration.yaml", ConfigurationYaml("ipv6Support", "false"));
  ASSERT_TRUE(WaitUntil([&] {
    return daemon.Log().find("ipv6 is switched off") != std::string::npos;
  })) << daemon.Log();
  resources.Write("second.yaml", EndpointYaml("cali2", 2));
  EXPECT_TRUE(WaitUntil([&] { return Holds(netns, ":cali-tw-cali2"); })) << daemon.Log();
  std::string after;
  netns.Shell("ip6tables-legacy-save | grep -v '^#'", &after);
  EXPECT_EQ(after, before);
  resources.Remove("configuration.yaml");
  EXPECT_TRUE(WaitUntil([&] {
    after.clear();
    netns.Shell("ip6tables-legacy-save", &after);
    return after.find(":cali-tw-cali2") != std::string::npos;
  })) << daemon.Log();
}

TEST_F(DaemonTest, RepairsItsRulesOnHangUp) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon));
  const std::string before = Dump(netns);
  netns.Shell(
      "iptables-legacy -F FORWARD && iptables-legacy -F cali-tw-cali1 && "
      "ipset flush $(ipset list -n | head -1)");
  EXPECT_NE(Dump(netns), before);
  daemon.Signal(SIGHUP);
  EXPECT_TRUE(WaitUntil([&] { return Dump(netns) == before; })) << daemon.Log();
}

TEST_F(DaemonTest, RepairsItsRulesAtTheRefreshInterval) {
  resources.Write("configuration.yaml", ConfigurationYaml("iptablesRefreshInterval", "1s"));
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon));
  netns.Shell("ip6tables-legacy -D INPUT 1");
  EXPECT_TRUE(WaitUntil([&] {
    std::string rules;
    netns.Shell("ip6tables-legacy -S INPUT", &rules);
    return rules.find("cali-INPUT") != std::string::npos;
  })) << daemon.Log();
}

TEST_F(DaemonTest, StaysResponsiveWhileAnotherHoldsTheLock) {
  FelixDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitForApply(daemon));
  std::string holder;
  netns.Shell(
      "bash -c 'exec 9>>$XTABLES_LOCKFILE; flock 9; exec sleep 30' >/dev/null 2>&1 & echo $!; "
      "sleep 0.2",
      &holder);
  resources.Write("second.yaml", EndpointYaml("cali2", 2));
  EXPECT_TRUE(WaitUntil(
      [&] {
        std::string sets;
        netns.Shell("ipset save", &sets);
        return sets.find(" 10.65.0.2") != std::string::npos;
      },
      2s))
      << "sets need no lock";
  EXPECT_FALSE(Holds(netns, ":cali-tw-cali2"));
  netns.Shell("kill " + holder);
  EXPECT_TRUE(WaitUntil([&] { return Holds(netns, ":cali-tw-cali2"); }, 2s)) << daemon.Log();
  daemon.Signal(SIGTERM);
  EXPECT_EQ(daemon.Join(), 0);
}

TEST_F(DaemonTest, TouchesNothingUntilTheDirectoryCanBeListed) {
  const std::string before = Dump(netns);
  ResourceDirectory parent;
  const std::string directory = parent.path() + "/later";
  FelixDaemon daemon(netns, "file:" + directory);
  ASSERT_TRUE(WaitUntil([&] { return daemon.Log().find("cannot be read") != std::string::npos; }))
      << daemon.Log();
  EXPECT_EQ(Dump(netns), before);
  netns.Shell("cp -r " + resources.path() + " " + directory);
  EXPECT_TRUE(WaitUntil([&] { return Holds(netns, "cali-tw-cali1"); })) << daemon.Log();
}

}  // namespace
}  // namespace felix::testing
