// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "fmt/format.h"

#include "tests/kernel/felix/program.h"

namespace felix::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override { FELIX_REQUIRE_ROOT(); }

  NetworkNamespace netns;
};

TEST_F(CommandLineTest, PrintsItsVersionInThreeLines) {
  const RunResult run = RunFelix(netns, "--version");
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_THAT(run.out, MatchesRegex("Version: +[0-9.]+\nCommit: +[^\n]+\nBuild date: [^\n]+\n"));
}

TEST_F(CommandLineTest, HelpsWithExamples) {
  const RunResult run = RunFelix(netns, "--help");
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_THAT(run.out, AllOf(HasSubstr("Examples:"), HasSubstr("felix cleanup --dry-run")));
  EXPECT_EQ(RunFelix(netns, "cleanup --help").exit_status, 0);
}

TEST_F(CommandLineTest, EndsWithTwoOnWrongUsage) {
  for (const char* arguments :
       {"--bogus", "bogus", "--log-level loud", "--once-timeout 0", "--hostname 'a b'",
        "check -o xml", "check cleanup", "cleanup --bogus"}) {
    const RunResult run = RunFelix(netns, arguments);
    EXPECT_EQ(run.exit_status, 2) << arguments;
    EXPECT_THAT(run.err, StartsWith("felix: ")) << arguments;
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    EXPECT_EQ(run.out, "") << arguments;
  }
}

TEST_F(CommandLineTest, SaysWhatIsMissingWithoutADatastore) {
  const RunResult run = RunFelix(netns, "");
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.err, HasSubstr("no datastore is configured"));
  EXPECT_EQ(RunFelix(netns, "--datastore ftp:/x").exit_status, 1);
  std::string output;
  EXPECT_EQ(netns.Shell("FELIX_DATASTORETYPE=kubernetes FELIX_ETCDENDPOINTS=http://a " FELIX_BINARY,
                        &output),
            1);
  EXPECT_THAT(output, HasSubstr("kubernetes is not supported by this build"));
}

TEST_F(CommandLineTest, TriesEtcdWhereCalicosVariablesSayItIs) {
  std::string output;
  EXPECT_EQ(
      netns.Shell("ETCD_ENDPOINTS=http://127.0.0.1:9 " FELIX_BINARY " --once --once-timeout 1",
                  &output),
      1);
  EXPECT_THAT(output, HasSubstr("cannot read the datastore: http://127.0.0.1:9: connect"));
}

TEST_F(CommandLineTest, PrintsRulesAndWhoAskedForThemWithoutTouchingTheKernel) {
  ResourceDirectory resources;
  resources.Write("endpoint.yaml", EndpointYaml("cali1", 1));
  const std::string arguments = "rules --hostname node-1 --datastore " + resources.address();
  const RunResult text = RunFelix(netns, arguments);
  EXPECT_EQ(text.exit_status, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("-A cali-tw-cali1 "));
  EXPECT_THAT(text.out, HasSubstr("# unknown workload interface"));
  const RunResult json = RunFelix(netns, arguments + " -o json");
  EXPECT_EQ(json.exit_status, 0) << json.err;
  EXPECT_THAT(json.out, HasSubstr(R"("chain":"cali-tw-cali1")"));
  EXPECT_THAT(json.out, HasSubstr(R"("owner":"unknown workload interface")"));
  EXPECT_EQ(netns.Shell("iptables-legacy-save | grep -q cali"), 1);
}

TEST_F(CommandLineTest, ReadsEnvironmentAndFile) {
  ResourceDirectory resources;
  resources.Write("endpoint.yaml", EndpointYaml("tap1", 1));
  resources.Write("felix.cfg", "[global]\nInterfacePrefix = tap\nFelixHostname = other\n");
  std::string output;
  EXPECT_EQ(netns.Shell("FELIX_FELIXHOSTNAME=node-1 felix_datastore=" + resources.address() +
                            " FELIX_INTERFACEPREFIXES=x " FELIX_BINARY " --once -c " +
                            resources.path() + "/felix.cfg",
                        &output),
            0)
      << output;
  EXPECT_TRUE(Holds(netns, ":cali-tw-tap1"));
  EXPECT_THAT(output, HasSubstr("unknown parameter INTERFACEPREFIXES, did you mean "
                                "InterfacePrefix?"));
  EXPECT_EQ(netns.Shell(FELIX_BINARY " --once -c /nonexistent/felix.cfg", &output), 1);
  EXPECT_THAT(output, HasSubstr("/nonexistent/felix.cfg"));
}

TEST_F(CommandLineTest, ChecksTheKernel) {
  const RunResult text = RunFelix(netns, "check");
  EXPECT_EQ(text.exit_status, 0) << text.out;
  EXPECT_THAT(text.out, AllOf(HasSubstr("ipv4 table filter"), HasSubstr("hash:net"),
                              HasSubstr("ipv6 target SET revision 3"), Not(HasSubstr("MISSING"))));
  EXPECT_THAT(text.out, EndsWith("ChainLayout=PerContainer; IptablesMarkMask=0xffff0000 leaves "
                                 "numbers for 1024 shapes of each direction\n"));
  const RunResult json = RunFelix(netns, "check -o json");
  EXPECT_EQ(json.exit_status, 0);
  EXPECT_THAT(json.out, StartsWith(R"({"sufficient":true,"features":[{"name":"ipv4)"));
  EXPECT_THAT(json.out, HasSubstr(R"({"name":"ipv4 table mangle","needed":false,)"));
  EXPECT_THAT(json.out, HasSubstr(R"("layout":{"chain_layout":"PerContainer",)"));
}

TEST_F(CommandLineTest, ChecksWhatTheLayoutNeeds) {
  std::string output;
  EXPECT_EQ(netns.Shell("FELIX_CHAINLAYOUT=Shared " FELIX_BINARY " check -o json", &output), 0);
  for (const char* feature : {"ipv6 table mangle", "ipv4 target SET revision 3",
                              "hash:net,iface inet6 with marks and counters"}) {
    EXPECT_THAT(output,
                HasSubstr(fmt::format(R"({{"name":"{}","needed":true,"present":true,)", feature)));
  }
  output.clear();
  EXPECT_EQ(
      netns.Shell("FELIX_CHAINLAYOUT=Shared FELIX_IPTABLESMARKMASK=0xf0000 " FELIX_BINARY " check",
                  &output),
      0);
  EXPECT_THAT(output, HasSubstr("ChainLayout=PerContainer; IptablesMarkMask=0x000f0000 leaves no "
                                "numbers for shapes: Shared needs 7 bits of it\n"));
}

TEST_F(CommandLineTest, ChecksWhichLayoutFitsTheHost) {
  ResourceDirectory resources;
  for (int e = 1; e <= 5; ++e) {
    resources.Write(fmt::format("{}.yaml", e), EndpointYaml(fmt::format("cali{}", e), e));
  }
  resources.Write("policy.yaml", PolicyYaml("web", 80));
  const std::string arguments = " check --hostname node-1 --datastore " + resources.address();
  for (const char* layout : {"PerContainer", "Shared"}) {
    resources.Write("layout.yaml", ConfigurationYaml("chainLayout", layout));
    const RunResult run = RunFelix(netns, arguments);
    EXPECT_EQ(run.exit_status, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr(fmt::format("ChainLayout={};", layout)));
    EXPECT_THAT(run.out, EndsWith("containers of this host have 1 distinct lists of ingress, 1 of "
                                  "egress\nShared fits: 1 of 1024\n"));
  }
  EXPECT_THAT(RunFelix(netns, arguments + " -o json").out,
              HasSubstr(R"("ingress_lists":1,"egress_lists":1,"shared_fits":true,)"));
}

TEST_F(CommandLineTest, SaysHowManyContainersNumbersDoNotSufficeFor) {
  ResourceDirectory resources;
  for (int e = 1; e <= 5; ++e) {
    std::string endpoint = EndpointYaml(fmt::format("cali{}", e), e);
    // Each with a profile of its own, hence a list of its own.
    resources.Write(fmt::format("{}.yaml", e), endpoint + fmt::format("  profiles: [p{}]\n", e));
  }
  std::string output;
  EXPECT_EQ(netns.Shell("FELIX_IPTABLESMARKMASK=0x7f0000 " FELIX_BINARY
                        " check --hostname node-1 --datastore " +
                            resources.address(),
                        &output),
            0);
  EXPECT_THAT(output, HasSubstr("leaves numbers for 2 shapes of each direction\n"));
  EXPECT_THAT(output, HasSubstr("5 distinct lists of ingress, 5 of egress\nmore shapes than "
                                "numbers: 3 containers would have chains of their own"));
}

TEST_F(CommandLineTest, ChecksTheKernelAlthoughTheDatastoreCannotBeRead) {
  const RunResult run = RunFelix(netns, "check --datastore file:/nonexistent/felix");
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_THAT(run.out, HasSubstr("everything needed is there\n"));
  EXPECT_THAT(run.err, StartsWith("felix: cannot read the datastore: "));
}

TEST_F(CommandLineTest, FailsIfItsAnswerCannotBeWritten) {
  std::string output;
  EXPECT_EQ(netns.Shell(FELIX_BINARY " check >/dev/full", &output), 1);
  EXPECT_THAT(output, HasSubstr("felix: cannot write to standard output"));
}

TEST_F(CommandLineTest, NamesWhatTheCheckMisses) {
  std::string output;
  EXPECT_EQ(
      netns.Shell("capsh --drop=cap_net_admin,cap_net_raw -- -c '" FELIX_BINARY " check'", &output),
      1);
  EXPECT_THAT(output, AllOf(HasSubstr("MISSING"), HasSubstr("missing: ipv4 table filter")));
}

}  // namespace
}  // namespace felix::testing
