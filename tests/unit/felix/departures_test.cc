// SPDX-License-Identifier: Apache-2.0
#include "felix/departures.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "felix/apply_loop.h"
#include "felix/dataplane.h"
#include "tests/unit/felix/fake_host_kernel.h"
#include "tests/unit/felix/manual_clock.h"

namespace felix {
namespace {

using model::IpFamily;
using std::chrono::milliseconds;

// A host that tells containers by elements: it judges in the mangle table.
class WaitingDeparturesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    host.forget_flows = [this](IpFamily, const absl::btree_set<model::IpAddress>& gone) {
      for (const model::IpAddress& address : gone) forgotten.push_back(address.ToString());
      return 1;
    };
    Stage({At("cali1", 1), At("cali2", 2), At("cali3", 3)});
    dataplane.Apply();
  }
  static ir::LocalAddress At(const std::string& interface_name, std::uint32_t address) {
    return {interface_name, model::IpAddress::V4(address)};
  }
  void Stage(std::vector<ir::LocalAddress> addresses) {
    ir::DesiredState state;
    for (const IpFamily family : model::kIpFamilies) {
      state.chains[{family, ir::Table::kMangle, "cali-x"}] = {};
      state.hooks[{family, ir::Table::kMangle, ir::BaseChain::kForward, ir::HookPosition::kFirst}] =
          {ir::When().Then(ir::Jump{"cali-x"})};
    }
    state.local_addresses.insert(addresses.begin(), addresses.end());
    dataplane.Stage(ir::Diff(staged, state));
    staged = state;
  }

  testing::ManualClock clock;
  testing::FakeHost host;
  testing::FakeHostKernel kernel{host};
  Dataplane dataplane{clock, kernel, {}};
  ir::DesiredState staged;
  std::vector<std::string> forgotten;
};

TEST_F(WaitingDeparturesTest, WaitForOthersSoThatTheKernelIsAskedOnce) {
  Stage({At("cali2", 2), At("cali3", 3)});
  ApplyReport report = dataplane.Apply();
  ASSERT_TRUE(report.due_in.has_value());
  EXPECT_EQ(*report.due_in, Dataplane::kFlowsPause);
  clock.Advance(milliseconds(200));
  Stage({At("cali3", 3)});
  report = dataplane.Apply();
  EXPECT_EQ(report.due_in, milliseconds(300)) << "the first one does not wait longer for others";
  EXPECT_TRUE(forgotten.empty());
  clock.Advance(milliseconds(300));
  report = dataplane.Apply();
  EXPECT_FALSE(report.due_in.has_value());
  EXPECT_EQ(report.flows_removed, 1U);
  EXPECT_EQ(forgotten, (std::vector<std::string>{"0.0.0.1", "0.0.0.2"}));
}

TEST_F(WaitingDeparturesTest, WaitNoLongerWhenTheAddressHasANewOwner) {
  Stage({At("cali2", 2), At("cali3", 3)});
  dataplane.Apply();
  EXPECT_TRUE(forgotten.empty());
  Stage({At("cali9", 1), At("cali2", 2), At("cali3", 3)});
  EXPECT_EQ(dataplane.Apply().flows_removed, 1U);
  EXPECT_EQ(forgotten, std::vector<std::string>{"0.0.0.1"});
}

TEST_F(WaitingDeparturesTest, DoNotWaitWhenAddressesChangeHands) {
  Stage({At("cali1", 2), At("cali2", 1), At("cali3", 3)});
  dataplane.Apply();
  EXPECT_EQ(forgotten, (std::vector<std::string>{"0.0.0.1", "0.0.0.2"}));
}

TEST_F(WaitingDeparturesTest, AreTheirOwnReasonForAnotherApply) {
  ApplyLoop loop(clock, dataplane, {});
  loop.MarkInSync();
  loop.Run();
  EXPECT_EQ(loop.NextDue(), std::nullopt);
  Stage({});
  loop.MarkChanged();
  loop.Run();
  EXPECT_EQ(loop.NextDue(), clock.Now() + Dataplane::kFlowsPause);
  EXPECT_FALSE(loop.IsDue());
  clock.Advance(Dataplane::kFlowsPause);
  ASSERT_TRUE(loop.IsDue());
  loop.Run();
  EXPECT_EQ(forgotten.size(), 3U);
  EXPECT_EQ(loop.NextDue(), std::nullopt);
}

}  // namespace
}  // namespace felix
