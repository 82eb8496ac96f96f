// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/kernel/felix/program.h"

namespace felix::testing {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class OnceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    resources.Write("endpoint.yaml", EndpointYaml("cali1", 1));
    resources.Write("policy.yaml", PolicyYaml("web", 80));
  }

  NetworkNamespace netns;
  ResourceDirectory resources;
};

TEST_F(OnceTest, ProgramsRulesAndSetsOfBothFamiliesAndTellsSo) {
  const RunResult run = RunOnce(netns, resources);
  ASSERT_EQ(run.exit_status, 0) << run.err;
  EXPECT_EQ(run.err, "");
  EXPECT_THAT(run.out, AllOf(HasSubstr(R"("endpoints":1,"policies":1)"),
                             HasSubstr(R"("sets":2,"set_members":2)"), HasSubstr(R"("commits":2)"),
                             HasSubstr(R"("refused":[])")));
  EXPECT_EQ(run.out.find('\n'), run.out.size() - 1) << "one line";
  std::string text;
  netns.Shell("iptables-legacy-save", &text);
  EXPECT_THAT(text, AllOf(HasSubstr("-j cali-FORWARD"), HasSubstr(":cali-tw-cali1"),
                          HasSubstr("--dports 80")));
  text.clear();
  netns.Shell("ip6tables-legacy-save", &text);
  EXPECT_THAT(text, AllOf(HasSubstr("-j cali-FORWARD"), HasSubstr("fd00::1/128")));
  text.clear();
  netns.Shell("ipset save", &text);
  EXPECT_THAT(text, AllOf(HasSubstr(" 10.65.0.1\n"), HasSubstr(" fd00::1\n")));
}

TEST_F(OnceTest, WritesNothingTheSecondTime) {
  ASSERT_EQ(RunOnce(netns, resources).exit_status, 0);
  netns.Shell("bash -c 'echo x >/dev/udp/127.0.0.1/9; echo x >/dev/udp/127.0.0.1/9'");
  const std::string before = Dump(netns, true);
  EXPECT_THAT(before, ContainsRegex("\\[[1-9][0-9]*:[0-9]+\\] -A INPUT -j cali-INPUT"))
      << "counters count";
  const RunResult run = RunOnce(netns, resources);
  ASSERT_EQ(run.exit_status, 0) << run.err;
  EXPECT_EQ(Dump(netns, true), before);
  EXPECT_THAT(run.out, AllOf(HasSubstr(R"("sets_created":0)"), HasSubstr(R"("members_added":0)"),
                             HasSubstr(R"("rules_written":0)"), HasSubstr(R"("commits":0)")));
}

TEST_F(OnceTest, RemovesWhatIsNoLongerWanted) {
  ASSERT_EQ(RunOnce(netns, resources).exit_status, 0);
  resources.Remove("policy.yaml");
  const RunResult run = RunOnce(netns, resources);
  ASSERT_EQ(run.exit_status, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr(R"("sets_destroyed":2)"));
  EXPECT_THAT(Dump(netns), AllOf(HasSubstr("cali-tw-cali1"), Not(HasSubstr("--dports 80")),
                                 Not(HasSubstr("create "))));
}

TEST_F(OnceTest, SweepsWhatAnOlderVersionLeftInOtherTables) {
  netns.Shell(
      "iptables-legacy -t nat -N cali-PREROUTING && "
      "iptables-legacy -t nat -A PREROUTING -j cali-PREROUTING && "
      "iptables-legacy -t nat -A PREROUTING -d 192.0.2.1 -j ACCEPT");
  ASSERT_EQ(RunOnce(netns, resources).exit_status, 0);
  std::string nat;
  netns.Shell("iptables-legacy-save -t nat", &nat);
  EXPECT_THAT(nat, AllOf(Not(HasSubstr("cali-")), HasSubstr("192.0.2.1")));
  EXPECT_THAT(Dump(netns), Not(HasSubstr("*raw"))) << "a table that nobody used stays unloaded";
}

TEST_F(OnceTest, NamesRefusedObjectsAndEnforcesTheRest) {
  resources.Write("bad.yaml",
                  "kind: GlobalNetworkPolicy\napiVersion: projectcalico.org/v3\n"
                  "metadata: {name: bad}\nspec: {selector: 'app =='}\n");
  resources.Write("worse.yaml", "{");
  const RunResult run = RunOnce(netns, resources);
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_THAT(run.out, AllOf(HasSubstr(resources.path() + "/bad.yaml:"),
                             HasSubstr(R"("object":"GlobalNetworkPolicy bad")"),
                             HasSubstr(resources.path() + "/worse.yaml")));
  EXPECT_THAT(run.err, AllOf(HasSubstr("[WARNING]"), HasSubstr("bad.yaml")));
  EXPECT_TRUE(Holds(netns, "cali-tw-cali1"));
}

TEST_F(OnceTest, FailsAndTouchesNothingIfTheDirectoryCannotBeListed) {
  const std::string before = Dump(netns);
  const RunResult run =
      RunFelix(netns, "--once --hostname node-1 --datastore file:/nonexistent/felix");
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, AllOf(StartsWith("felix: cannot read the datastore: "),
                             HasSubstr("/nonexistent/felix")));
  EXPECT_EQ(Dump(netns), before);
}

TEST_F(OnceTest, FailsWithAHintWithoutTheCapability) {
  std::string output;
  const int status = netns.Shell("capsh --drop=cap_net_admin,cap_net_raw -- -c '" FELIX_BINARY
                                 " --once --hostname node-1 --datastore " +
                                     resources.address() + "'",
                                 &output);
  EXPECT_EQ(status, 1);
  EXPECT_THAT(output, AllOf(HasSubstr("felix: "),
                            HasSubstr("(run as root or with CAP_NET_ADMIN and CAP_NET_RAW)")));
  EXPECT_EQ(output.find('\n'), output.size() - 1) << output;
}

TEST_F(OnceTest, FailsBeforeItWritesAnythingIfItMayNotNameSets) {
  std::string output;
  EXPECT_EQ(netns.Shell("capsh --drop=cap_net_raw -- -c '" FELIX_BINARY
                        " --once --hostname node-1 --datastore " +
                            resources.address() + "'",
                        &output),
            1);
  EXPECT_THAT(output, HasSubstr("cannot use the kernel's address sets"));
  EXPECT_FALSE(Holds(netns, "cali"));
}

TEST_F(OnceTest, LeavesIpv6AloneIfSoConfigured) {
  resources.Write("configuration.yaml", ConfigurationYaml("ipv6Support", "false"));
  ASSERT_EQ(RunOnce(netns, resources).exit_status, 0);
  std::string text;
  netns.Shell("ip6tables-legacy-save; ipset save", &text);
  EXPECT_THAT(text, AllOf(Not(HasSubstr("cali-")), Not(HasSubstr("cali60")), HasSubstr("cali40")));
}

TEST_F(OnceTest, WaitsForTheLockOfTheTools) {
  const std::string command = "flock $XTABLES_LOCKFILE sleep 1 & sleep 0.2; " FELIX_BINARY
                              " --once --hostname node-1 --datastore " +
                              resources.address();
  std::string output;
  EXPECT_EQ(netns.Shell(command, &output), 0) << output;
  EXPECT_TRUE(Holds(netns, "cali-tw-cali1"));
}

TEST_F(OnceTest, GivesUpOnALockThatIsNotLetGo) {
  const std::string command = "flock $XTABLES_LOCKFILE sleep 4 & sleep 0.2; " FELIX_BINARY
                              " --once --once-timeout 1 --hostname node-1 --datastore " +
                              resources.address();
  std::string output;
  EXPECT_EQ(netns.Shell(command, &output), 1);
  EXPECT_THAT(output, AllOf(HasSubstr("lock"), HasSubstr("after 1 s")));
}

class CleanupTest : public OnceTest {};

TEST_F(CleanupTest, LeavesTheNamespaceAsItWas) {
  netns.Shell(
      "iptables-legacy -N mine && iptables-legacy -A FORWARD -p icmp -j mine && "
      "ip6tables-legacy -A INPUT -s fd00:99::/64 -j DROP && "
      "iptables-legacy -t nat -A POSTROUTING -j MASQUERADE && "
      "ipset create theirs hash:ip && ipset add theirs 192.0.2.7 && "
      "iptables-legacy -A INPUT -m set --match-set theirs src -j DROP");
  Dump(netns);  // loads what a dump loads
  const std::string before = Dump(netns);
  ASSERT_EQ(RunOnce(netns, resources).exit_status, 0);
  const std::string with_rules = Dump(netns);
  EXPECT_NE(with_rules, before);

  const RunResult dry = RunFelix(netns, "cleanup --dry-run");
  EXPECT_EQ(dry.exit_status, 0) << dry.err;
  EXPECT_THAT(dry.out, AllOf(HasSubstr("delete chain cali-tw-cali1"), HasSubstr("destroy cali40"),
                             HasSubstr("destroy cali60"), Not(HasSubstr("mine"))));
  EXPECT_EQ(Dump(netns), with_rules);

  const RunResult run = RunFelix(netns, "cleanup");
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_EQ(run.out, dry.out);
  EXPECT_EQ(Dump(netns), before);

  const RunResult again = RunFelix(netns, "cleanup");
  EXPECT_EQ(again.exit_status, 0);
  EXPECT_EQ(again.out, "");
}

TEST_F(CleanupTest, SaysThatASetStaysWhichRulesOfOthersName) {
  ASSERT_EQ(RunOnce(netns, resources).exit_status, 0);
  netns.Shell(
      "iptables-legacy -A INPUT -m set --match-set $(ipset list -n | grep cali40) src -j DROP");
  const RunResult run = RunFelix(netns, "cleanup");
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("1 sets stay, since rules of others name them"));
  EXPECT_THAT(Dump(netns), AllOf(HasSubstr("--match-set cali40"), HasSubstr("add cali40"),
                                 Not(HasSubstr("cali-")), Not(HasSubstr("cali60"))));
}

TEST_F(CleanupTest, LoadsNoTables) {
  EXPECT_EQ(RunFelix(netns, "cleanup").exit_status, 0);
  std::string names;
  netns.Shell("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names", &names);
  EXPECT_EQ(names, "");
}

}  // namespace
}  // namespace felix::testing
