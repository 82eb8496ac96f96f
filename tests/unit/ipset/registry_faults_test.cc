// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <set>
#include <string>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ipset/registry.h"
#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/set_builders.h"

namespace felix::ipset {
namespace {

using felix::testing::ChangedSet;
using felix::testing::Content;
using felix::testing::FakeKernelSets;
using felix::testing::Key4;
using felix::testing::ManyHosts;
using felix::testing::Nets;
using felix::testing::NetSet;
using felix::testing::NewSet;
using felix::testing::RemovedSet;
using model::IpFamily;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::set<ir::SetMember> Set(std::initializer_list<std::string_view> texts) {
  const auto members = Nets(texts);
  return {members.begin(), members.end()};
}

const absl::Status kBroken = absl::UnavailableError("the kernel is out of sorts");

class RegistryFaults : public ::testing::Test {
 protected:
  void Settle(const ir::DesiredDelta& delta) {
    registry_.Stage(delta);
    ASSERT_TRUE(registry_.ApplyUpserts(true).ok());
    ASSERT_TRUE(registry_.ApplyRemovals().ok());
  }

  FakeKernelSets kernel_;
  Registry registry_{IpFamily::kV4, kernel_, RegistryOptions{}};
};

TEST_F(RegistryFaults, OneFailingSetLeavesTheOthersToGoOn) {
  Settle({});
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  registry_.Stage(NewSet(Key4("s:b"), NetSet({"10.0.0.1", "10.0.0.2"})));
  registry_.Stage(NewSet(Key4("s:c"), NetSet({"10.0.0.1"})));
  kernel_.FailStep(5, kBroken);  // the second member of s:b
  const auto failed = registry_.ApplyUpserts(true);
  EXPECT_EQ(failed.status(), kBroken);
  EXPECT_THAT(registry_.failed_sets(), ElementsAre(Key4("s:b")));
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1"}));
  EXPECT_EQ(kernel_.Members("cali40s:c"), Set({"10.0.0.1"}));
  EXPECT_TRUE(registry_.dirty());

  const auto again = registry_.ApplyUpserts(true);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->members_added, 1U);
  EXPECT_EQ(kernel_.Members("cali40s:b"), Set({"10.0.0.1", "10.0.0.2"}));
  EXPECT_THAT(registry_.failed_sets(), IsEmpty());
  EXPECT_FALSE(registry_.dirty());
}

TEST_F(RegistryFaults, CountsFurtherFailures) {
  Registry registry(IpFamily::kV4, kernel_, RegistryOptions{2});
  registry.Stage(NewSet(Key4("s:a"), ManyHosts(3)));
  registry.Stage(NewSet(Key4("s:b"), ManyHosts(3)));
  registry.Stage(NewSet(Key4("s:c"), ManyHosts(3)));
  const absl::Status status = registry.ApplyUpserts(true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()),
              ::testing::AllOf(::testing::HasSubstr("cali40s:a"),
                               ::testing::HasSubstr("and 2 more failures")));
}

TEST_F(RegistryFaults, RefusesASetThatCannotFitBeforeTouchingTheKernel) {
  Registry registry(IpFamily::kV4, kernel_, RegistryOptions{2});
  registry.Stage(NewSet(Key4("s:a"), ManyHosts(3)));
  EXPECT_EQ(registry.ApplyUpserts(true).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(kernel_.steps(), 0U);
  registry.Stage(ChangedSet(Key4("s:a"), {}, Nets({"10.0.0.0"})));
  EXPECT_TRUE(registry.ApplyUpserts(true).ok());
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1", "10.0.0.2"}));
}

TEST_F(RegistryFaults, ExchangesTheMembersOfAFullSet) {
  Registry registry(IpFamily::kV4, kernel_, RegistryOptions{2});
  registry.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1", "10.0.0.2"})));
  ASSERT_TRUE(registry.ApplyUpserts(true).ok());
  registry.Stage(
      ChangedSet(Key4("s:a"), Nets({"10.0.0.3", "10.0.0.4"}), Nets({"10.0.0.1", "10.0.0.2"})));
  const auto stats = registry.ApplyUpserts(true);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.3", "10.0.0.4"}));
}

TEST_F(RegistryFaults, RecreatesASetThatVanishedUnderItsFeet) {
  Settle(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  kernel_.Vanish("cali40s:a");
  registry_.Stage(ChangedSet(Key4("s:a"), Nets({"10.0.0.2"}), {}));
  const auto stats = registry_.ApplyUpserts(true);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1", "10.0.0.2"}));
}

TEST_F(RegistryFaults, AdoptsASetThatSomebodyElseCreatedFirst) {
  Settle({});
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  kernel_.Put(Content("cali40s:a", NetSet({"10.0.0.1", "66.0.0.0/8"})));
  ASSERT_TRUE(registry_.ApplyUpserts(false).ok());
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1"}));
  EXPECT_FALSE(registry_.dirty());
}

TEST_F(RegistryFaults, FindsNothingToDoAfterAConflictAndSaysSo) {
  Settle({});
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  kernel_.Put(Content("cali40s:a", NetSet({"10.0.0.1"})));
  EXPECT_TRUE(registry_.ApplyUpserts(false).ok());
  EXPECT_THAT(registry_.failed_sets(), IsEmpty());
}

TEST_F(RegistryFaults, ForgetsNothingWhenAListingFails) {
  kernel_.FailNextList(kBroken);
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  EXPECT_EQ(registry_.ApplyUpserts(true).status(), kBroken);
  EXPECT_THAT(registry_.failed_sets(), ElementsAre(Key4("s:a")));
  EXPECT_TRUE(registry_.dirty());
  EXPECT_TRUE(registry_.ApplyUpserts(true).ok());
  EXPECT_TRUE(kernel_.Exists("cali40s:a"));
}

TEST_F(RegistryFaults, ReplacesASetThatCannotBeReadTwiceInARow) {
  kernel_.Put(Content("cali40s:a", NetSet({"66.0.0.0/8"})));
  kernel_.FailReads(2, kBroken);
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  EXPECT_EQ(registry_.ApplyUpserts(true).status(), kBroken);
  const auto stats = registry_.ApplyUpserts(true);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->sets_swapped, 1U);
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1"}));
}

TEST_F(RegistryFaults, SweepsTheTemporaryOfAReplacementThatFailed) {
  Settle(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  ir::AddressSet big = ManyHosts(1500);
  kernel_.Put(Content("cali40s:a", big, IpFamily::kV4, 5));  // other parameters
  registry_.Resync();
  kernel_.FailStep(2, kBroken);  // the temporary is created, then its first member fails
  EXPECT_EQ(registry_.ApplyUpserts(true).status(), kBroken);
  EXPECT_THAT(kernel_.Names(), ElementsAre("cali40s:a", "cali4t0"));
  ASSERT_TRUE(registry_.ApplyUpserts(true).ok());
  ASSERT_TRUE(registry_.ApplyRemovals().ok());
  EXPECT_THAT(kernel_.Names(), ElementsAre("cali40s:a"));
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1"}));
}

TEST_F(RegistryFaults, RetriesMembersThatCouldNotBeRemoved) {
  Settle(NewSet(Key4("s:a"), NetSet({"10.0.0.1", "10.0.0.2"})));
  registry_.Stage(ChangedSet(Key4("s:a"), {}, Nets({"10.0.0.1"})));
  ASSERT_TRUE(registry_.ApplyUpserts(true).ok());
  kernel_.FailStep(1, kBroken);
  EXPECT_EQ(registry_.ApplyRemovals().status(), kBroken);
  EXPECT_TRUE(registry_.dirty());
  ASSERT_TRUE(registry_.ApplyUpserts(false).ok());
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.2"}));
  EXPECT_FALSE(registry_.dirty());
}

TEST_F(RegistryFaults, ReportsADestroyThatFailsForNoKnownReasonOnce) {
  Settle(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  registry_.Stage(RemovedSet(Key4("s:a")));
  kernel_.FailStep(1, kBroken);
  EXPECT_EQ(registry_.ApplyRemovals().status(), kBroken);
  EXPECT_FALSE(registry_.dirty());
  registry_.Resync();
  ASSERT_TRUE(registry_.ApplyUpserts(true).ok());
  ASSERT_TRUE(registry_.ApplyRemovals().ok());
  EXPECT_THAT(kernel_.Names(), IsEmpty());
}

TEST_F(RegistryFaults, WaitsWithASetOfAnotherTypeThatRulesStillName) {
  ir::AddressSet ports;
  ports.kind = ir::SetKind::kIpPort;
  kernel_.Put(Content("cali40s:a", ports));
  kernel_.Reference("cali40s:a");
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  EXPECT_EQ(registry_.ApplyUpserts(true).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(registry_.failed_sets(), ElementsAre(Key4("s:a")));
  kernel_.Release("cali40s:a");
  EXPECT_TRUE(registry_.ApplyUpserts(true).ok());
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1"}));
}

TEST_F(RegistryFaults, QuarantinesASetThatFailsThreeTimesInARow) {
  Settle(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  kernel_.BreakSet("cali40s:a");
  registry_.Stage(ChangedSet(Key4("s:a"), Nets({"10.0.0.2"}), {}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(registry_.ApplyUpserts(true).ok());
    EXPECT_TRUE(registry_.quarantined().empty());
  }
  EXPECT_FALSE(registry_.ApplyUpserts(true).ok());
  ASSERT_EQ(registry_.quarantined().size(), 1U);
  EXPECT_THAT(registry_.failed_sets(), ElementsAre(Key4("s:a")));
  kernel_.BreakSet("");
  EXPECT_TRUE(registry_.ApplyUpserts(true).ok());
  EXPECT_TRUE(registry_.quarantined().empty());
  EXPECT_EQ(kernel_.Members("cali40s:a"), Set({"10.0.0.1", "10.0.0.2"}));
}

TEST_F(RegistryFaults, AHopelessSetHoldsUpNoOther) {
  RegistryOptions hurried;
  hurried.upsert_budget = std::chrono::milliseconds(0);
  Registry registry(IpFamily::kV4, kernel_, hurried);
  registry.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  kernel_.FailStep(1, kBroken);
  EXPECT_FALSE(registry.ApplyUpserts(true).ok());
  registry.Stage(NewSet(Key4("s:b"), NetSet({"10.0.0.1"})));
  registry.Stage(NewSet(Key4("s:c"), NetSet({"10.0.0.1"})));
  ASSERT_TRUE(registry.ApplyUpserts(true).ok());
  EXPECT_TRUE(kernel_.Exists("cali40s:b"));
  EXPECT_TRUE(registry.upserts_pending());
  EXPECT_THAT(registry.failed_sets(), ElementsAre(Key4("s:a"), Key4("s:c")));
  ASSERT_TRUE(registry.ApplyUpserts(true).ok());
  EXPECT_TRUE(kernel_.Exists("cali40s:c"));
  EXPECT_FALSE(registry.upserts_pending());
  ASSERT_TRUE(registry.ApplyUpserts(true).ok());
  EXPECT_TRUE(kernel_.Exists("cali40s:a"));
  EXPECT_FALSE(registry.dirty());
}

TEST_F(RegistryFaults, NamesATypeThatTheKernelLacks) {
  kernel_.LackType("hash:ip,port");
  ir::AddressSet ports;
  ports.kind = ir::SetKind::kIpPort;
  registry_.Stage(NewSet(Key4("n:ports"), ports));
  registry_.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  const absl::Status status = registry_.ApplyUpserts(true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("hash:ip,port"));
  EXPECT_TRUE(kernel_.Exists("cali40s:a"));
}

TEST_F(RegistryFaults, NamesTheFirstSetBeyondTheKernelsLimitAndLosesNothingElse) {
  ir::DesiredDelta delta;
  for (int i = 0; i < 66000; ++i) {
    delta.new_sets.emplace(Key4(fmt::format("s:{:05}", i)), NetSet({"10.0.0.1"}));
  }
  RegistryOptions patient;
  patient.upsert_budget = std::chrono::hours(1);
  Registry registry(IpFamily::kV4, kernel_, patient);
  registry.Stage(delta);
  const absl::Status status = registry.ApplyUpserts(true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("cali40s:65472"));
  EXPECT_EQ(kernel_.Names().size(), FakeKernelSets::kMaxSets);
  EXPECT_EQ(registry.failed_sets().size(), 66000U - FakeKernelSets::kMaxSets);
  EXPECT_TRUE(kernel_.Exists("cali40s:65471"));
}

TEST_F(RegistryFaults, KeepsMessagesShortWhileATableWaits) {
  std::vector<Pace> paces;
  kernel_.OnStep([&] { paces.push_back(kernel_.pace()); });
  registry_.Stage(NewSet(Key4("s:a"), NetSet({})));
  ASSERT_TRUE(registry_.ApplyUpserts(true).ok());
  registry_.Stage(NewSet(Key4("s:b"), NetSet({})));
  ASSERT_TRUE(registry_.ApplyUpserts(false).ok());
  EXPECT_THAT(paces, ElementsAre(Pace::kShort, Pace::kBulk));
}

TEST_F(RegistryFaults, AFailedRefreshIsTriedAgain) {
  Settle(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  kernel_.Vanish("cali40s:a");
  registry_.Resync();
  kernel_.FailNextList(kBroken);
  EXPECT_EQ(registry_.ApplyUpserts(false).status(), kBroken);
  EXPECT_TRUE(registry_.dirty());
  ASSERT_TRUE(registry_.ApplyUpserts(false).ok());
  EXPECT_TRUE(kernel_.Exists("cali40s:a"));
}

}  // namespace
}  // namespace felix::ipset
