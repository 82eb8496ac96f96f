// SPDX-License-Identifier: Apache-2.0
// Both ways to tell containers apart, and from one to the other under traffic.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "fmt/format.h"

#include "tests/kernel/felix/program.h"
#include "tests/kernel/felix/steady_flow.h"

namespace felix::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using Ports = SteadyFlow::Ports;

constexpr std::uint16_t kAllowed = 5000;
constexpr std::uint16_t kDenied = 6000;

class LayoutTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    containers = std::make_unique<TwoContainers>();
    resources.Write("first.yaml", EndpointYaml("cali1", 1));
    resources.Write("second.yaml", EndpointYaml("cali2", 2));
    resources.Write("door.yaml", DoorYaml(kAllowed));
  }
  void Use(const std::string& layout) const {
    resources.Write("layout.yaml", ConfigurationYaml("chainLayout", layout));
  }
  [[nodiscard]] std::string Shell(const std::string& command) const {
    std::string output;
    containers->router().Shell(command, &output);
    return output;
  }
  static void ExpectReady(const FelixDaemon& daemon) {
    ASSERT_TRUE(WaitUntil([&] { return daemon.Log().find("ready: ") != std::string::npos; }, 60s))
        << daemon.Log();
  }

  std::unique_ptr<TwoContainers> containers;
  ResourceDirectory resources;
};

TEST_F(LayoutTest, SwitchingUnderTrafficOpensNothingAndLosesNothing) {
  const FelixDaemon daemon(containers->router(), resources.address());
  ExpectReady(daemon);
  SteadyFlow known(*containers, kAllowed, 1000, Ports::kOne);
  SteadyFlow denied(*containers, kDenied, 1000, Ports::kFreshEach);
  for (int i = 0; i < 6; ++i) {
    const bool shared = i % 2 == 0;
    Use(shared ? "Shared" : "PerContainer");
    ASSERT_TRUE(WaitUntil([&] {
      const std::string sets = Shell("ipset list -n");
      return (sets.find("cali40e:from") != std::string::npos) == shared;
    })) << daemon.Log();
    EXPECT_EQ(Shell("iptables-legacy-save -t mangle").find("cali-from-wl") != std::string::npos,
              shared);
    std::this_thread::sleep_for(100ms);
  }
  known.Stop();
  denied.Stop();
  EXPECT_GT(known.sent(), 500U);
  EXPECT_EQ(known.received(), known.sent());
  EXPECT_GT(denied.sent(), 500U);
  EXPECT_EQ(denied.received(), 0U);
}

TEST_F(LayoutTest, SwitchingLosesNoNewFlowEither) {
  const FelixDaemon daemon(containers->router(), resources.address());
  ExpectReady(daemon);
  SteadyFlow fresh(*containers, kAllowed, 1000, Ports::kFreshEach);
  for (int i = 0; i < 4; ++i) {
    const bool shared = i % 2 == 0;
    Use(shared ? "Shared" : "PerContainer");
    ASSERT_TRUE(WaitUntil([&] {
      const std::string sets = Shell("ipset list -n");
      return (sets.find("cali40e:from") != std::string::npos) == shared;
    })) << daemon.Log();
    std::this_thread::sleep_for(100ms);
  }
  fresh.Stop();
  EXPECT_GT(fresh.sent(), 300U);
  EXPECT_EQ(fresh.received(), fresh.sent());
}

TEST_F(LayoutTest, ContainersOfAKnownKindComeAndGoWithoutACommit) {
  Use("Shared");
  const FelixDaemon daemon(containers->router(), resources.address(), {"--log-level", "debug"});
  ExpectReady(daemon);
  SteadyFlow known(*containers, kAllowed, 500, Ports::kFreshEach);
  const std::string rules = Shell("iptables-legacy-save | grep -v ^# | sed 's/\\[.*//'");
  const auto before = daemon.Log().size();
  const auto elements = [&] { return Shell("ipset list cali40e:to | grep -c '10\\.65\\.'"); };
  for (int e = 3; e < 40; ++e) {
    resources.Write(fmt::format("endpoint-{}.yaml", e), EndpointYaml(fmt::format("cali{}", e), e));
  }
  ASSERT_TRUE(WaitUntil([&] { return elements() == "39\n"; })) << elements() << daemon.Log();
  for (int e = 3; e < 40; ++e) resources.Remove(fmt::format("endpoint-{}.yaml", e));
  ASSERT_TRUE(WaitUntil([&] { return elements() == "2\n"; })) << elements() << daemon.Log();
  known.Stop();
  EXPECT_EQ(known.received(), known.sent());
  EXPECT_EQ(Shell("iptables-legacy-save | grep -v ^# | sed 's/\\[.*//'"), rules);
  const std::string log = daemon.Log().substr(before);
  EXPECT_THAT(log, HasSubstr(" commits=0 "));
  EXPECT_THAT(log, Not(HasSubstr(" commits=1 ")));
  // Established packets count, for each direction.
  EXPECT_THAT(Shell("ipset list cali40e:from"), HasSubstr(fmt::format("packets {}", known.sent())));
}

}  // namespace
}  // namespace felix::testing
