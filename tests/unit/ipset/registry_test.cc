// SPDX-License-Identifier: Apache-2.0
#include "ipset/registry.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/set_builders.h"

namespace felix::ipset {
namespace {

using felix::testing::ChangedSet;
using felix::testing::Content;
using felix::testing::FakeKernelSets;
using felix::testing::Key4;
using felix::testing::Key6;
using felix::testing::ManyHosts;
using felix::testing::Net;
using felix::testing::Nets;
using felix::testing::NetSet;
using felix::testing::NewSet;
using felix::testing::RemovedSet;
using model::IpFamily;
using ::testing::ElementsAre;

using Members = std::set<ir::SetMember>;

Members Set(std::initializer_list<std::string_view> texts) {
  const auto members = Nets(texts);
  return {members.begin(), members.end()};
}

class RegistryTest : public ::testing::Test {
 protected:
  ApplyStats Upserts(bool tables_change = true) {
    const auto stats = registry_.ApplyUpserts(tables_change);
    EXPECT_TRUE(stats.ok()) << stats.status();
    return stats.value_or(ApplyStats{});
  }
  ApplyStats Removals() {
    const auto stats = registry_.ApplyRemovals();
    EXPECT_TRUE(stats.ok()) << stats.status();
    return stats.value_or(ApplyStats{});
  }

  FakeKernelSets kernel_;
  Registry registry_{IpFamily::kV4, kernel_, RegistryOptions{}};
};

TEST_F(RegistryTest, FillsANewSetBeforeTheFirstPhaseEnds) {
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1", "10.0.0.2"})));
  const ApplyStats stats = Upserts();
  EXPECT_EQ(stats.sets_created, 1U);
  EXPECT_EQ(stats.members_added, 2U);
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1", "10.0.0.2"}));
  EXPECT_FALSE(registry_.removals_pending());
}

TEST_F(RegistryTest, IgnoresTheOtherFamily) {
  registry_.Stage(NewSet(Key6("s:a"), NetSet({"fd00::1"})));
  registry_.Stage(ChangedSet(Key6("s:a"), Nets({"fd00::2"}), {}));
  registry_.Stage(RemovedSet(Key6("s:a")));
  EXPECT_EQ(Upserts().kernel_calls, 1U);
  EXPECT_TRUE(kernel_.Names().empty());
}

TEST_F(RegistryTest, LetsSuperfluousMembersStayUntilRulesHaveChanged) {
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  Upserts();
  registry_.Stage(ChangedSet(Key4("s:a"), Nets({"10.0.0.2"}), Nets({"10.0.0.1"})));
  EXPECT_EQ(Upserts(true).members_removed, 0U);
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1", "10.0.0.2"}));
  EXPECT_TRUE(registry_.removals_pending());
  EXPECT_EQ(Removals().members_removed, 1U);
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.2"}));
  EXPECT_FALSE(registry_.dirty());
}

TEST_F(RegistryTest, WritesBothDirectionsInOneBurstWhenNoRulesChange) {
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  Upserts();
  registry_.Stage(ChangedSet(Key4("s:a"), Nets({"10.0.0.2"}), Nets({"10.0.0.1"})));
  const ApplyStats stats = Upserts(false);
  EXPECT_EQ(stats.kernel_calls, 1U);
  EXPECT_EQ(stats.members_removed, 1U);
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.2"}));
  EXPECT_FALSE(registry_.dirty());
}

TEST_F(RegistryTest, ForgetsChangesThatCancelOut) {
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  Upserts();
  registry_.Stage(ChangedSet(Key4("s:a"), Nets({"10.0.0.2"}), Nets({"10.0.0.1"})));
  registry_.Stage(ChangedSet(Key4("s:a"), Nets({"10.0.0.1"}), Nets({"10.0.0.2"})));
  EXPECT_FALSE(registry_.dirty());
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  EXPECT_FALSE(registry_.dirty());
}

TEST_F(RegistryTest, TakesBackARemovalThatHadToWait) {
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  Upserts();
  registry_.Stage(ChangedSet(Key4("s:a"), {}, Nets({"10.0.0.1"})));
  Upserts(true);
  registry_.Stage(ChangedSet(Key4("s:a"), Nets({"10.0.0.1"}), {}));
  EXPECT_FALSE(registry_.dirty());
  Removals();
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1"}));
}

TEST_F(RegistryTest, KeepsTheHalvesOfZeroApartFromExplicitOnes) {
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"0.0.0.0/0", "128.0.0.0/1"})));
  Upserts();
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"0.0.0.0/1", "128.0.0.0/1"}));
  registry_.Stage(ChangedSet(Key4("s:a"), {}, Nets({"0.0.0.0/0"})));
  Upserts(false);
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"128.0.0.0/1"}));
  registry_.Stage(ChangedSet(Key4("s:a"), Nets({"0.0.0.0/0"}), Nets({"128.0.0.0/1"})));
  Upserts(false);
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"0.0.0.0/1", "128.0.0.0/1"}));
}

TEST_F(RegistryTest, DividesZeroInVersionSixToo) {
  Registry registry(IpFamily::kV6, kernel_, RegistryOptions{});
  registry.Stage(NewSet(Key6("s:a"), NetSet({"::/0"})));
  ASSERT_TRUE(registry.ApplyUpserts(true).ok());
  EXPECT_EQ(kernel_.Members("cali60s:a"), Set({"::/1", "8000::/1"}));
}

TEST_F(RegistryTest, ReadsEachSetOnceAndThenBelievesItself) {
  kernel_.Put(Content("cali40s:a", NetSet({"10.0.0.1", "10.0.0.9"})));
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1", "10.0.0.2"})));
  Upserts();
  Removals();
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1", "10.0.0.2"}));
  registry_.Stage(ChangedSet(Key4("s:a"), Nets({"10.0.0.3"}), {}));
  Upserts();
  EXPECT_EQ(kernel_.reads(), 1U);
}

TEST_F(RegistryTest, DestroysAsManySetsAsTheBudgetAllows) {
  Registry registry(IpFamily::kV4, kernel_, RegistryOptions{1048576, std::chrono::milliseconds(0)});
  for (const char* name : {"cali40s:x", "cali40s:y", "cali4t7"}) kernel_.Put(Content(name, {}));
  ASSERT_TRUE(registry.ApplyUpserts(true).ok());
  for (std::size_t left = 3; left > 0; --left) {
    EXPECT_TRUE(registry.removals_pending());
    const auto stats = registry.ApplyRemovals();
    ASSERT_TRUE(stats.ok());
    EXPECT_EQ(stats->sets_destroyed, 1U);
    EXPECT_EQ(kernel_.Names().size(), left - 1);
  }
  EXPECT_FALSE(registry.removals_pending());
}

TEST_F(RegistryTest, DestroysNothingInTheFirstPhase) {
  kernel_.Put(Content("cali40s:old", {}));
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  Upserts();
  EXPECT_TRUE(kernel_.Exists("cali40s:old"));
  Removals();
  EXPECT_FALSE(kernel_.Exists("cali40s:old"));
}

TEST_F(RegistryTest, TakesUpASetThatComesBackBeforeItWasDestroyed) {
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  Upserts();
  registry_.Stage(RemovedSet(Key4("s:a")));
  Upserts();
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1", "10.0.0.2"})));
  const ApplyStats stats = Upserts();
  EXPECT_EQ(stats.sets_created, 0U);
  EXPECT_EQ(stats.members_added, 1U);
  Removals();
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1", "10.0.0.2"}));
}

TEST_F(RegistryTest, RefusesASecondIdWithTheSameKernelName) {
  const std::string stem = "s:0123456789abcdefghijklmnop";
  registry_.Stage(NewSet(Key4(stem + "1"), NetSet({"10.0.0.1"})));
  Upserts();
  registry_.Stage(NewSet(Key4(stem + "2"), NetSet({"10.0.0.2"})));
  const auto refused = registry_.ApplyUpserts(true);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(refused.status().message()),
              ::testing::AllOf(::testing::HasSubstr(stem + "1"), ::testing::HasSubstr(stem + "2")));
  EXPECT_THAT(registry_.failed_sets(), ElementsAre(Key4(stem + "2")));
  const std::string name = kernel_.Names().at(0);
  EXPECT_EQ(kernel_.Members(name), Set({"10.0.0.1"}));

  // The name is free for the second only when the first's set is gone from the kernel.
  registry_.Stage(RemovedSet(Key4(stem + "1")));
  EXPECT_FALSE(registry_.ApplyUpserts(true).ok());
  EXPECT_EQ(kernel_.Members(name), Set({"10.0.0.1"}));
  Removals();
  Upserts();
  EXPECT_EQ(kernel_.Members(name), Set({"10.0.0.2"}));
}

TEST_F(RegistryTest, DryRunPrintsAndWritesNothing) {
  kernel_.Put(Content("cali40s:a", NetSet({"10.0.0.1", "10.0.0.9"})));
  kernel_.Put(Content("cali40s:old", {}));
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1", "10.0.0.2"})));
  registry_.Stage(NewSet(Key4("s:b"), NetSet({"11.0.0.0/8"})));
  const auto lines = registry_.DryRun();
  ASSERT_TRUE(lines.ok()) << lines.status();
  EXPECT_THAT(*lines,
              ElementsAre("add cali40s:a 10.0.0.2", "del cali40s:a 10.0.0.9",
                          "create cali40s:b hash:net family inet hashsize 1024 maxelem 1048576",
                          "add cali40s:b 11.0.0.0/8", "destroy cali40s:old"));
  EXPECT_EQ(kernel_.steps(), 0U);
  Upserts(false);
  Removals();
  EXPECT_THAT(kernel_.Names(), ElementsAre("cali40s:a", "cali40s:b"));
  EXPECT_TRUE(registry_.DryRun()->empty());
}

TEST_F(RegistryTest, RecreatesASetWhoseKindChanged) {
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  Upserts();
  ir::AddressSet ports;
  ports.kind = ir::SetKind::kIpPort;
  ports.members = {felix::testing::Port("10.0.0.1", model::kTcp, 80)};
  registry_.Stage(NewSet(Key4("s:a"), ports));
  const ApplyStats stats = Upserts();
  EXPECT_EQ(stats.sets_destroyed, 1U);
  EXPECT_EQ(stats.sets_created, 1U);
  EXPECT_EQ(kernel_.Members("cali40s:a").size(), 1U);
}

}  // namespace
}  // namespace felix::ipset
