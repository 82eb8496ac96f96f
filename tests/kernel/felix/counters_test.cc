// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <regex>
#include <string>
#include <string_view>

#include "fmt/format.h"

#include "tests/kernel/felix/program.h"
#include "tests/kernel/felix/steady_flow.h"

namespace felix::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::uint16_t kPort = 5000;
// Headers of IPv4 and UDP, and the number that SteadyFlow sends.
constexpr std::uint64_t kPacketBytes = 20 + 8 + 8;

std::string AllowAll() {
  return R"(apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: door}
spec:
  selector: app == "web"
  types: [Ingress, Egress]
  ingress: [{action: Allow}]
  egress: [{action: Allow}]
)";
}

std::string SharedLayout() {
  return ConfigurationYaml("chainLayout", "Shared");
}

class CountersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    resources.Write("first.yaml", EndpointYaml("cali1", 1));
    resources.Write("second.yaml", EndpointYaml("cali2", 2));
    resources.Write("door.yaml", AllowAll());
  }
  [[nodiscard]] RunResult Counters(const NetworkNamespace& netns,
                                   const std::string& more = "") const {
    return RunFelix(netns,
                    "counters --hostname node-1 --datastore " + resources.address() + " " + more);
  }

  ResourceDirectory resources;
};

TEST_F(CountersTest, TellsWhatEachContainerSentAndWasSent) {
  resources.Write("layout.yaml", SharedLayout());
  const TwoContainers containers;
  const FelixDaemon daemon(containers.router(), resources.address());
  ASSERT_TRUE(WaitUntil([&] { return daemon.Log().find("ready: ") != std::string::npos; }, 60s))
      << daemon.Log();
  SteadyFlow flow(containers, kPort, 1000, SteadyFlow::Ports::kOne);
  ASSERT_TRUE(WaitUntil([&] { return flow.received() >= 100; }));
  flow.Stop();
  // Each datagram was answered; the sender, which is gone, refuses the last answers.
  const std::uint64_t answers = flow.received();
  EXPECT_EQ(answers, flow.sent());
  const auto state = [&] {
    std::string text;
    containers.router().Shell(
        "iptables-legacy-save | grep ^-; ip6tables-legacy-save | grep ^-; ipset save", &text);
    return text;
  };
  const std::string before = state();
  EXPECT_THAT(before, HasSubstr("add cali40e:from 10.65.0.1,cali1 packets "));

  const RunResult json = Counters(containers.router(), "-o json");
  ASSERT_EQ(json.exit_status, 0) << json.err;
  EXPECT_THAT(json.out, StartsWith(R"({"version":1,"containers":[{"id":"node-1/)"));
  static const std::regex kBoth(
      R"("interface":"cali1","counted":true,"from":(\{[^}]*\}),"to":(\{[^}]*\}).*)"
      R"("interface":"cali2","counted":true,"from":(\{[^}]*\}),"to":(\{[^}]*\}).*)"
      R"(\{"address":"fd00::2","from":(\{[^}]*\}),"to":(\{[^}]*\})\})");
  std::smatch both;
  ASSERT_TRUE(std::regex_search(json.out, both, kBoth)) << json.out;
  EXPECT_EQ(both[1], both[4]) << "all that one sends the other is sent";
  EXPECT_EQ(both[2], both[3]);
  EXPECT_EQ(both[3],
            fmt::format(R"({{"packets":{},"bytes":{}}})", answers, answers * kPacketBytes));
  EXPECT_EQ(both[5], R"({"packets":0,"bytes":0})");
  constexpr std::size_t kBeforeNumber = std::string_view(R"({"packets":)").size();
  const std::uint64_t datagrams = std::stoull(both[1].str().substr(kBeforeNumber));
  EXPECT_GE(datagrams, flow.sent());
  EXPECT_LE(datagrams, flow.sent() + answers);

  const RunResult text = Counters(containers.router());
  ASSERT_EQ(text.exit_status, 0) << text.err;
  EXPECT_THAT(text.out, StartsWith("interface "));
  EXPECT_THAT(text.out, ContainsRegex(fmt::format("cali2 +{} +{} +{} +[0-9]+  node-1/[^\n]+\n",
                                                  answers, answers * kPacketBytes, datagrams)));
  const RunResult by_address = Counters(containers.router(), "--by-address");
  EXPECT_THAT(by_address.out,
              ContainsRegex(fmt::format("cali1 +10.65.0.1 +{} +[0-9]+ +{} +{}  node", datagrams,
                                        answers, answers * kPacketBytes)));
  EXPECT_EQ(state(), before) << "it changes nothing";
}

TEST_F(CountersTest, ShowsContainersThatNothingCountsAsSuch) {
  resources.Write("layout.yaml", SharedLayout());
  const NetworkNamespace netns;
  ASSERT_EQ(RunOnce(netns, resources).exit_status, 0);
  resources.Write("third.yaml", EndpointYaml("cali3", 3));
  const RunResult text = Counters(netns);
  EXPECT_EQ(text.exit_status, 0) << text.err;
  EXPECT_THAT(text.out, ContainsRegex("cali3 +- +- +- +-  node-1/"));
  EXPECT_THAT(Counters(netns, "-o json").out, HasSubstr(R"("interface":"cali3","counted":false)"));
}

TEST_F(CountersTest, SaysThatTheOtherLayoutCountsNothing) {
  const NetworkNamespace netns;
  ASSERT_EQ(RunOnce(netns, resources).exit_status, 0);
  const RunResult run = Counters(netns);
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, AllOf(HasSubstr("ChainLayout=PerContainer counts nothing per container"),
                             HasSubstr("(ChainLayout=Shared does;")));
}

TEST_F(CountersTest, FailsWhereNoMapsAre) {
  resources.Write("layout.yaml", SharedLayout());
  const NetworkNamespace netns;
  const RunResult run = Counters(netns);
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr("is felix at work here, with ChainLayout=Shared?"));
}

TEST_F(CountersTest, HelpsWithAnExample) {
  const NetworkNamespace netns;
  const RunResult run = RunFelix(netns, "counters --help");
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_THAT(run.out, AllOf(HasSubstr("Example:"), HasSubstr("--by-address")));
  EXPECT_EQ(RunFelix(netns, "counters -o xml").exit_status, 2);
}

}  // namespace
}  // namespace felix::testing
