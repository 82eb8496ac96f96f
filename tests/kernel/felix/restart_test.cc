// SPDX-License-Identifier: Apache-2.0
// What traffic notices of the program's end and its next beginning: nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"

#include "tests/kernel/felix/program.h"
#include "tests/kernel/felix/steady_flow.h"
#include "tests/support/layouts.h"
#include "tests/support/random.h"
#include "tests/support/seeds.h"

namespace felix::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Ports = SteadyFlow::Ports;

constexpr std::uint16_t kAllowed = 5000;
constexpr std::uint16_t kDenied = 6000;

// A policy for app=web of `rules` rules for IPv4 that nothing sent here meets.
std::string FillerYaml(int number, int rules) {
  std::string text = fmt::format(R"(apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {{name: filler-{0}}}
spec:
  order: {1}
  selector: app == "web"
  types: [Ingress]
  ingress:
)",
                                 number, 100 + number);
  for (int r = 0; r < rules; ++r) {
    text += fmt::format(
        "  - {{action: Allow, protocol: TCP, source: {{nets: [198.51.{}.{}/32]}}, "
        "destination: {{ports: [{}]}}}}\n",
        number % 250, r % 250, 1000 + r);
  }
  return text;
}

class RestartTest : public ::testing::TestWithParam<compiler::ChainLayout> {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    containers = std::make_unique<TwoContainers>();
    resources.Write("first.yaml", EndpointYaml("cali1", 1));
    resources.Write("second.yaml", EndpointYaml("cali2", 2));
    resources.Write("door.yaml", DoorYaml(kAllowed));
    resources.Write("layout.yaml", ConfigurationYaml("chainLayout", LayoutName({GetParam(), 0})));
  }
  void WriteFillers(int policies, int rules) const {
    for (int i = 0; i < policies; ++i) {
      resources.Write(fmt::format("filler-{}.yaml", i), FillerYaml(i, rules));
    }
  }
  static bool WaitUntilReady(const FelixDaemon& daemon) {
    return WaitUntil([&] { return daemon.Log().find("ready: ") != std::string::npos; }, 60s);
  }

  std::unique_ptr<TwoContainers> containers;
  ResourceDirectory resources;
};

TEST_P(RestartTest, AdoptsTenThousandRulesWithoutAWriteOrALostPacket) {
  WriteFillers(40, 250);
  const NetworkNamespace& router = containers->router();
  auto daemon = std::make_unique<FelixDaemon>(router, resources.address());
  ASSERT_TRUE(WaitUntilReady(*daemon)) << daemon->Log();
  SteadyFlow known(*containers, kAllowed, 1000, Ports::kOne);
  SteadyFlow denied(*containers, kDenied, 200, Ports::kFreshEach);
  for (int restart = 0; restart < 3; ++restart) {
    std::this_thread::sleep_for(200ms);
    daemon->Signal(SIGKILL);
    daemon->Join();
    daemon = std::make_unique<FelixDaemon>(router, resources.address(),
                                           std::vector<std::string>{"--log-level", "debug"});
    ASSERT_TRUE(WaitUntilReady(*daemon)) << daemon->Log();
    EXPECT_THAT(daemon->Log(), AllOf(HasSubstr("rules_written=0 members_added=0 "
                                               "members_removed=0 commits=0"),
                                     HasSubstr(" sets=")));
  }
  known.Stop();
  denied.Stop();
  std::string rules;
  router.Shell("iptables-legacy-save | grep -c ^-A", &rules);
  EXPECT_GE(std::atoi(rules.c_str()), 10000);
  EXPECT_GT(known.sent(), 500U);
  EXPECT_EQ(known.received(), known.sent());
  EXPECT_GT(denied.sent(), 100U);
  EXPECT_EQ(denied.received(), 0U);
}

// The dump in an order that does not depend on how the kernel's state came about.
std::string Ordered(const std::string& dump) {
  std::istringstream in(dump);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(':')) line = line.substr(0, line.find(" ["));
    line = line.substr(0, line.find(" initval "));  // drawn by the kernel for each set
    // Which shape has which number, and what was counted, depends on the past.
    if (line.starts_with("add ")) line = line.substr(0, line.find(" packets "));
    if (line.find("-shape -m mark") != std::string::npos) line = line.substr(line.find(" -g "));
    lines.push_back(line);
  }
  const auto table_chain = [](const std::string& line) {
    return line.starts_with("-A ") ? line.substr(0, line.find(' ', 3)) : line;
  };
  // Tables and sets stay apart, as their first lines begin blocks that are sorted by themselves.
  auto begin = lines.begin();
  while (begin != lines.end()) {
    const auto end = std::find_if(std::next(begin), lines.end(), [](const std::string& line) {
      return line.starts_with('*') || line.starts_with("create ");
    });
    std::stable_sort(std::next(begin), end, [&](const std::string& a, const std::string& b) {
      return table_chain(a) < table_chain(b);
    });
    begin = end;
  }
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

TEST_P(RestartTest, ConvergesAfterBeingKilledAtRandomMomentsAndOpensNothingMeanwhile) {
  WriteFillers(10, 100);
  const NetworkNamespace& router = containers->router();
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(RunOnce(router, resources).exit_status, 0);
  const auto full_run = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);
  SteadyFlow allowed(*containers, kAllowed, 500, Ports::kFreshEach);
  SteadyFlow denied(*containers, kDenied, 500, Ports::kFreshEach);
  Random random(FirstSeed());
  const auto kills = static_cast<int>(NumberOf("FELIX_TEST_KILLS", 20));
  int killed = 0;
  for (int kill = 0; kill < kills; ++kill) {
    // Each time there is something else to do: rules, chains, members and whole sets.
    resources.Write("filler-0.yaml", FillerYaml(0, random.Between(1, 200)));
    resources.Write("more.yaml", PolicyYaml("more", random.Between(1, 4000)));
    if (kill % 2 == 0) {
      for (int e = 3; e < 60; ++e) {
        resources.Write(fmt::format("endpoint-{}.yaml", e),
                        EndpointYaml(fmt::format("cali{}", e), e));
      }
    } else {
      for (int e = 3; e < 60; e += random.Between(1, 3)) {
        resources.Remove(fmt::format("endpoint-{}.yaml", e));
      }
    }
    FelixDaemon daemon(router, resources.address());
    std::this_thread::sleep_for(full_run * random.Between(0, 1000) / 800);
    daemon.Signal(SIGKILL);
    killed += daemon.Join() == 128 + SIGKILL ? 1 : 0;
  }
  EXPECT_EQ(killed, kills);
  ASSERT_EQ(RunOnce(router, resources).exit_status, 0);
  allowed.Stop();
  denied.Stop();
  EXPECT_EQ(denied.received(), 0U) << "of " << denied.sent();
  EXPECT_EQ(allowed.received(), allowed.sent());

  const NetworkNamespace undisturbed;
  ASSERT_EQ(RunOnce(undisturbed, resources).exit_status, 0);
  EXPECT_EQ(Ordered(Dump(router)), Ordered(Dump(undisturbed)));
}

INSTANTIATE_TEST_SUITE_P(Layouts, RestartTest, BothLayouts(), LayoutName);

}  // namespace
}  // namespace felix::testing
