// SPDX-License-Identifier: Apache-2.0
#include "ipset/planner.h"

#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/unit/ipset/set_builders.h"

namespace felix::ipset {
namespace {

using felix::testing::Content;
using felix::testing::ManyHosts;
using felix::testing::Nets;
using felix::testing::NetSet;
using model::IpFamily;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t kMax = 1048576;

SetPlan PlanFor(const ir::AddressSet& desired, const std::optional<SetContent>& actual,
                Removals removals = Removals::kNow, std::uint32_t max = kMax) {
  const Target target{"cali40s:a", IpFamily::kV4, max, &desired};
  return Plan(target, Compare(actual, target), removals, "cali4t0");
}

Operation Add(std::string name, std::vector<ir::SetMember> members) {
  return AddMembers{std::move(name), ir::SetKind::kNet, IpFamily::kV4, std::move(members)};
}
Operation Del(std::string name, std::vector<ir::SetMember> members) {
  return DeleteMembers{std::move(name), ir::SetKind::kNet, IpFamily::kV4, std::move(members)};
}
Operation Create(std::string name, std::uint32_t hash_size = 1024, std::uint32_t max = kMax) {
  return CreateSet{std::move(name), ir::SetKind::kNet, IpFamily::kV4, hash_size, max};
}

TEST(Planner, CreatesAndFillsAMissingSet) {
  EXPECT_THAT(PlanFor(NetSet({"10.0.0.0/8", "11.0.0.1"}), std::nullopt).operations,
              ElementsAre(Create("cali40s:a"), Add("cali40s:a", Nets({"10.0.0.0/8", "11.0.0.1"}))));
}

TEST(Planner, CreatesAnEmptySetWithoutAddingAnything) {
  EXPECT_THAT(PlanFor(NetSet({}), std::nullopt).operations, ElementsAre(Create("cali40s:a")));
}

TEST(Planner, DoesNothingWhenTheKernelIsRight) {
  const auto set = NetSet({"10.0.0.0/8", "11.0.0.1"});
  EXPECT_THAT(PlanFor(set, Content("cali40s:a", set)).operations, IsEmpty());
}

TEST(Planner, AddsBeforeItDeletes) {
  const SetPlan plan = PlanFor(NetSet({"10.0.0.1", "10.0.0.2"}),
                               Content("cali40s:a", NetSet({"10.0.0.2", "10.0.0.3"})));
  EXPECT_THAT(plan.operations, ElementsAre(Add("cali40s:a", Nets({"10.0.0.1"})),
                                           Del("cali40s:a", Nets({"10.0.0.3"}))));
  EXPECT_FALSE(plan.leaves_removals);
}

TEST(Planner, LeavesSuperfluousMembersWhenRulesStillHaveToChange) {
  const SetPlan plan =
      PlanFor(NetSet({"10.0.0.1"}), Content("cali40s:a", NetSet({"10.0.0.3"})), Removals::kLater);
  EXPECT_THAT(plan.operations, ElementsAre(Add("cali40s:a", Nets({"10.0.0.1"}))));
  EXPECT_TRUE(plan.leaves_removals);
}

TEST(Planner, SwapsWhenOtherParametersAreInTheKernel) {
  const auto set = NetSet({"10.0.0.1"});
  const std::vector<Operation> replacement = {Create("cali4t0"), Add("cali4t0", Nets({"10.0.0.1"})),
                                              SwapSets{"cali40s:a", "cali4t0"},
                                              DestroySet{"cali4t0"}};

  EXPECT_EQ(PlanFor(set, Content("cali40s:a", set, IpFamily::kV4, 1000)).operations, replacement);
  SetContent timeouts = Content("cali40s:a", set);
  timeouts.header.plain = false;
  EXPECT_EQ(PlanFor(set, timeouts).operations, replacement);
  SetContent holes = Content("cali40s:a", set);
  holes.strange_members = 1;
  EXPECT_EQ(PlanFor(set, holes).operations, replacement);
  EXPECT_EQ(PlanFor(set, holes).temporary, "cali4t0");
}

TEST(Planner, DestroysASetOfAnotherTypeBecauseNoSwapCanHelp) {
  const auto set = NetSet({"10.0.0.1"});
  SetContent other = Content("cali40s:a", set);
  other.header.type = "hash:ip,port";
  EXPECT_THAT(PlanFor(set, other).operations,
              ElementsAre(DestroySet{"cali40s:a"}, Create("cali40s:a"),
                          Add("cali40s:a", Nets({"10.0.0.1"}))));
  SetContent v6 = Content("cali40s:a", set, IpFamily::kV6);
  EXPECT_THAT(PlanFor(set, v6).operations.front(), Operation(DestroySet{"cali40s:a"}));
}

TEST(Planner, SwapsWhenMostOfALargeSetChanges) {
  const ir::AddressSet old_set = ManyHosts(3000);
  const ir::AddressSet new_set = ManyHosts(3000, 0x0b000000U);
  const SetPlan plan = PlanFor(new_set, Content("cali40s:a", old_set));
  ASSERT_EQ(plan.operations.size(), 4U);
  EXPECT_EQ(plan.operations[0], Create("cali4t0", 4096));
  EXPECT_EQ(plan.operations[2], Operation(SwapSets{"cali40s:a", "cali4t0"}));
  EXPECT_EQ(plan.operations[3], Operation(DestroySet{"cali4t0"}));
}

TEST(Planner, KeepsToDifferencesUpToAThousandChanges) {
  const SetPlan plan = PlanFor(NetSet({"11.0.0.1"}), Content("cali40s:a", ManyHosts(999)));
  ASSERT_EQ(plan.operations.size(), 2U);
  EXPECT_EQ(plan.operations[0], Add("cali40s:a", Nets({"11.0.0.1"})));
  EXPECT_EQ(PlanFor(NetSet({"11.0.0.1"}), Content("cali40s:a", ManyHosts(1000))).operations.size(),
            4U);
}

TEST(Planner, GrowsASetInPlaceHoweverMuchComes) {
  const SetPlan plan = PlanFor(ManyHosts(5000), Content("cali40s:a", ManyHosts(10)));
  ASSERT_EQ(plan.operations.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<AddMembers>(plan.operations[0]));
}

TEST(Planner, SwapsWhenOldAndNewMembersDoNotFitTogether) {
  const ir::AddressSet old_set = ManyHosts(3);
  const ir::AddressSet new_set = ManyHosts(3, 0x0b000000U);
  const SetContent content = Content("cali40s:a", old_set, IpFamily::kV4, 4);
  for (const Removals removals : {Removals::kNow, Removals::kLater}) {
    const SetPlan plan = PlanFor(new_set, content, removals, 4);
    EXPECT_EQ(plan.temporary, "cali4t0");
    EXPECT_FALSE(plan.leaves_removals);
  }
}

TEST(Planner, DividesPrefixLengthZeroInBothFamilies) {
  EXPECT_EQ(KernelMembers(NetSet({"0.0.0.0/0", "10.0.0.1"})),
            Nets({"0.0.0.0/1", "10.0.0.1", "128.0.0.0/1"}));
  EXPECT_EQ(KernelMembers(NetSet({"::/0"})), Nets({"::/1", "8000::/1"}));
}

TEST(Planner, KeepsAHalfThatIsAlsoThereInItsOwnRight) {
  EXPECT_EQ(KernelMembers(NetSet({"0.0.0.0/0", "128.0.0.0/1"})),
            Nets({"0.0.0.0/1", "128.0.0.0/1"}));
  EXPECT_EQ(KernelMembers(NetSet({"128.0.0.0/1"})), Nets({"128.0.0.0/1"}));
  EXPECT_TRUE(IsWanted(NetSet({"0.0.0.0/0"}), felix::testing::Net("128.0.0.0/1")));
  EXPECT_FALSE(IsWanted(NetSet({"0.0.0.0/1"}), felix::testing::Net("128.0.0.0/1")));
}

TEST(Planner, GivesEverySetBucketsForItsMembers) {
  EXPECT_EQ(HashSize(0), 1024U);
  EXPECT_EQ(HashSize(1024), 1024U);
  EXPECT_EQ(HashSize(1025), 2048U);
  EXPECT_EQ(HashSize(100000), 131072U);
}

}  // namespace
}  // namespace felix::ipset
