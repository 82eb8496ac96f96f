// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ipset/mark_maps.h"
#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/mark_map_builders.h"

namespace felix::ipset {
namespace {

using felix::testing::At;
using felix::testing::ChangedMap;
using felix::testing::FakeKernelSets;
using felix::testing::KernelMembersOf;
using felix::testing::Key4;
using felix::testing::kMask;
using felix::testing::ManyAddresses;
using felix::testing::MapOf;
using felix::testing::Net;
using felix::testing::NewMap;
using felix::testing::RemovedMap;
using model::IpFamily;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Status kBroken = absl::UnavailableError("the kernel is out of sorts");
const ir::SetKey kFrom = Key4("e:from");
const ir::SetKey kTo = Key4("e:to");

class MarkMapsFaults : public ::testing::Test {
 protected:
  void Apply() {
    ASSERT_TRUE(maps_.ApplyLeaving().ok());
    ASSERT_TRUE(maps_.ApplyArriving().ok());
  }
  void Settle(const ir::DesiredDelta& delta) {
    maps_.Stage(delta);
    Apply();
  }
  absl::Status Do(const Operation& operation) { return kernel_.Execute({&operation, 1}); }

  FakeKernelSets kernel_;
  MarkMaps maps_{IpFamily::kV4, kernel_, MarkMapOptions{}};
};

TEST_F(MarkMapsFaults, AMapThatCannotBeMadeIsNamedAndTheOtherIsMade) {
  ir::DesiredDelta delta = NewMap(kFrom, MapOf({{"cali1", "10.0.0.1", 1}}));
  delta.new_mark_maps.emplace(kTo, MapOf({{"cali1", "10.0.0.1", 1}}));
  maps_.Stage(delta);
  kernel_.FailStep(1, kBroken);
  EXPECT_EQ(maps_.ApplyLeaving().status(), kBroken);
  EXPECT_THAT(maps_.failed_maps(), ElementsAre(kFrom));
  ASSERT_TRUE(maps_.ApplyArriving().ok());
  EXPECT_THAT(kernel_.Names(), ElementsAre("cali40e:to"));
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:to").size(), 1U);
  EXPECT_TRUE(maps_.dirty());
  Apply();
  EXPECT_THAT(maps_.failed_maps(), IsEmpty());
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from").size(), 1U);
  EXPECT_FALSE(maps_.dirty());
}

TEST_F(MarkMapsFaults, WithoutAListingNoMapIsToBeNamed) {
  maps_.Stage(NewMap(kFrom, MapOf({})));
  kernel_.FailNextList(kBroken);
  EXPECT_EQ(maps_.ApplyLeaving().status(), kBroken);
  EXPECT_THAT(maps_.failed_maps(), ElementsAre(kFrom));
  Apply();
  kernel_.FailNextList(kBroken);
  maps_.Resync();
  EXPECT_EQ(maps_.ApplyLeaving().status(), kBroken);
  EXPECT_TRUE(maps_.has_leaving());
  Apply();
  EXPECT_FALSE(maps_.dirty());
}

TEST_F(MarkMapsFaults, NothingArrivesInAMapThatStillHoldsWhatShouldHaveGone) {
  Settle(NewMap(kFrom, MapOf({{"cali1", "10.0.0.1", 1}})));
  maps_.Stage(ChangedMap(kFrom, {{"cali2", "10.0.0.2", 1}}, {At("cali1", "10.0.0.1")}));
  kernel_.FailStep(1, kBroken);
  EXPECT_EQ(maps_.ApplyLeaving().status(), kBroken);
  EXPECT_THAT(maps_.failed_maps(), ElementsAre(kFrom));
  ASSERT_TRUE(maps_.ApplyArriving().ok());
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from"),
            KernelMembersOf(MapOf({{"cali1", "10.0.0.1", 1}})));
  Apply();
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from"),
            KernelMembersOf(MapOf({{"cali2", "10.0.0.2", 1}})));
}

TEST_F(MarkMapsFaults, ReadsAMapAgainAfterAFailedWrite) {
  Settle(NewMap(kFrom, MapOf({})));
  const ir::MarkMap wanted = ManyAddresses(10);
  maps_.Stage(NewMap(kFrom, wanted));
  kernel_.FailStep(4, kBroken);
  ASSERT_TRUE(maps_.ApplyLeaving().ok());
  EXPECT_EQ(maps_.ApplyArriving().status(), kBroken);
  EXPECT_EQ(kernel_.reads(), 0U);
  ASSERT_TRUE(maps_.ApplyLeaving().ok());
  EXPECT_EQ(kernel_.reads(), 1U);
  const auto stats = maps_.ApplyArriving();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->members_added, 7U);
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from"), KernelMembersOf(wanted));
}

TEST_F(MarkMapsFaults, AMemberThatIsRefusedHoldsUpNoOther) {
  MarkMaps small(IpFamily::kV4, kernel_, MarkMapOptions{4});
  ir::MarkMap map = ManyAddresses(4);
  map.values[At("an interface whose name is long", "10.0.0.9")] = 1;
  small.Stage(NewMap(kFrom, map));
  ASSERT_TRUE(small.ApplyLeaving().ok());
  const absl::Status status = small.ApplyArriving().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("set cali40e:from"));
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from"), KernelMembersOf(ManyAddresses(4)));

  map = ManyAddresses(5);
  small.Stage(NewMap(kFrom, map));
  ASSERT_TRUE(small.ApplyLeaving().ok());
  EXPECT_EQ(small.ApplyArriving().status(),
            absl::ResourceExhaustedError("adding 10.0.0.4/32,cali4 skbmark 0x4/0xff of set "
                                         "cali40e:from: full"));
  EXPECT_TRUE(small.has_arriving());
  EXPECT_FALSE(small.has_leaving());
  small.Stage(ChangedMap(kFrom, {}, {At("cali0", "10.0.0.0")}));
  ASSERT_TRUE(small.ApplyLeaving().ok());
  ASSERT_TRUE(small.ApplyArriving().ok());
  map.values.erase(At("cali0", "10.0.0.0"));
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from"), KernelMembersOf(map));
  EXPECT_FALSE(small.dirty());
}

TEST_F(MarkMapsFaults, ReplacesAHashThatCannotGrowAndKeepsItsCounters) {
  ir::MarkMap map = ManyAddresses(100);
  Settle(NewMap(kFrom, map));
  kernel_.Count("cali40e:from", Net("10.0.0.5").net, "cali5", 60);
  kernel_.Poison("cali40e:from");
  maps_.Stage(ChangedMap(kFrom, {{"cali100", "10.0.0.100", 100}}));
  ASSERT_TRUE(maps_.ApplyLeaving().ok());
  EXPECT_EQ(maps_.ApplyArriving().status(),
            absl::ResourceExhaustedError(
                "adding 10.0.0.100/32,cali100 skbmark 0x64/0xff of set cali40e:from: full, at 100 "
                "of 1048576 members: its hash cannot grow, and is to be replaced"));
  kernel_.Count("cali40e:from", Net("10.0.0.5").net, "cali5", 60);
  const auto stats = maps_.ApplyLeaving();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->sets_swapped, 1U);
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from"), KernelMembersOf(map));
  ASSERT_TRUE(maps_.ApplyArriving().ok());
  map.values[At("cali100", "10.0.0.100")] = 100;
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from"), KernelMembersOf(map));
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from").at(5).counters, (MemberCounters{2, 120}));
  EXPECT_FALSE(maps_.dirty());
}

TEST_F(MarkMapsFaults, SweepsTheTemporaryOfAReplacementThatFailed) {
  ASSERT_TRUE(Do(CreateInterfaceSet{"cali40e:from", IpFamily::kV4, 1024, 5}).ok());
  maps_.Stage(NewMap(kFrom, MapOf({{"cali1", "10.0.0.1", 1}})));
  kernel_.FailStep(2, kBroken);  // the temporary is created, then the swap fails
  EXPECT_EQ(maps_.ApplyLeaving().status(), kBroken);
  EXPECT_THAT(kernel_.Names(), ElementsAre("cali40e:from", "cali4e0"));
  Apply();
  EXPECT_THAT(kernel_.Names(), ElementsAre("cali40e:from"));
  EXPECT_EQ(kernel_.Read("cali40e:from").value()->header.max_members, 1048576U);
}

TEST_F(MarkMapsFaults, RecreatesAMapThatVanishedUnderItsFeet) {
  Settle(NewMap(kFrom, MapOf({{"cali1", "10.0.0.1", 1}})));
  kernel_.Vanish("cali40e:from");
  maps_.Stage(ChangedMap(kFrom, {{"cali2", "10.0.0.2", 2}}, {At("cali1", "10.0.0.1")}));
  Apply();
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from"),
            KernelMembersOf(MapOf({{"cali2", "10.0.0.2", 2}})));

  kernel_.Vanish("cali40e:from");
  maps_.Stage(ChangedMap(kFrom, {{"cali3", "10.0.0.3", 3}}));
  ASSERT_TRUE(maps_.ApplyLeaving().ok());
  EXPECT_EQ(maps_.ApplyArriving().status().code(), absl::StatusCode::kNotFound);
  Apply();
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from").size(), 2U);
}

TEST_F(MarkMapsFaults, AdoptsASetThatSomebodyElseMadeFirst) {
  Settle({});
  maps_.Stage(NewMap(kFrom, MapOf({{"cali1", "10.0.0.1", 1}})));
  ASSERT_TRUE(Do(CreateInterfaceSet{"cali40e:from", IpFamily::kV4, 1024, 1048576}).ok());
  Apply();
  EXPECT_EQ(kernel_.InterfaceMembers("cali40e:from").size(), 1U);
  EXPECT_FALSE(maps_.dirty());
}

TEST_F(MarkMapsFaults, KeepsALeftOverThatCannotBeDestroyedForTheNextTime) {
  Settle(NewMap(kFrom, MapOf({})));
  maps_.Stage(RemovedMap(kFrom));
  kernel_.FailStep(1, kBroken);
  ASSERT_TRUE(maps_.ApplyLeaving().ok());
  EXPECT_EQ(maps_.ApplyArriving().status(), kBroken);
  ASSERT_TRUE(maps_.ApplyArriving().ok());
  EXPECT_THAT(kernel_.Names(), IsEmpty());
}

TEST_F(MarkMapsFaults, WhatIsTakenBackBeforeAnApplyCostsNothing) {
  Settle(NewMap(kFrom, MapOf({{"cali1", "10.0.0.1", 1}})));
  const std::size_t before = kernel_.steps();
  maps_.Stage(ChangedMap(kFrom, {{"cali2", "10.0.0.2", 2}}, {At("cali1", "10.0.0.1")}));
  EXPECT_TRUE(maps_.has_leaving());
  EXPECT_TRUE(maps_.has_arriving());
  maps_.Stage(ChangedMap(kFrom, {{"cali1", "10.0.0.1", 1}}, {At("cali2", "10.0.0.2")}));
  EXPECT_FALSE(maps_.dirty());
  maps_.Stage(ChangedMap(kFrom, {{"cali1", "10.0.0.1", 5}}));
  EXPECT_FALSE(maps_.has_leaving());
  EXPECT_TRUE(maps_.has_arriving());
  maps_.Stage(ChangedMap(kFrom, {{"cali1", "10.0.0.1", 1}}));
  EXPECT_FALSE(maps_.dirty());
  Apply();
  EXPECT_EQ(kernel_.steps(), before);
}

TEST_F(MarkMapsFaults, NamesATypeThatTheKernelLacks) {
  kernel_.LackType("hash:net,iface");
  maps_.Stage(NewMap(kFrom, MapOf({})));
  const absl::Status status = maps_.ApplyLeaving().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("hash:net,iface"));
  EXPECT_THAT(maps_.failed_maps(), ElementsAre(kFrom));
}

TEST_F(MarkMapsFaults, PresizesTheHash) {
  Settle(NewMap(kFrom, ManyAddresses(5000)));
  EXPECT_EQ(kernel_.Read("cali40e:from").value()->header.hash_size, 8192U);
}

TEST_F(MarkMapsFaults, DryRunPrintsAndWritesNothing) {
  ASSERT_TRUE(Do(CreateInterfaceSet{"cali40e:from", IpFamily::kV4, 1024, 1048576}).ok());
  ASSERT_TRUE(Do(AddInterfaceMembers{"cali40e:from",
                                     IpFamily::kV4,
                                     {{Net("10.0.0.1").net, "cali1", 1, kMask},
                                      {Net("10.0.0.2").net, "cali2", 2, kMask}}})
                  .ok());
  ASSERT_TRUE(Do(CreateInterfaceSet{"cali40e:old"}).ok());
  const std::size_t before = kernel_.steps();
  ir::DesiredDelta delta =
      NewMap(kFrom, MapOf({{"cali2", "10.0.0.2", 3}, {"cali3", "10.0.0.3", 3}}));
  delta.new_mark_maps.emplace(kTo, MapOf({{"cali3", "10.0.0.3", 3}}));
  maps_.Stage(delta);
  const auto lines = maps_.DryRun();
  ASSERT_TRUE(lines.ok()) << lines.status();
  EXPECT_THAT(*lines,
              ElementsAre("del cali40e:from 10.0.0.1/32,cali1",
                          "add cali40e:from 10.0.0.2/32,cali2 skbmark 0x3/0xff",
                          "add cali40e:from 10.0.0.3/32,cali3 skbmark 0x3/0xff packets 0 bytes 0",
                          "create cali40e:to hash:net,iface family inet hashsize 1024 maxelem "
                          "1048576 counters skbinfo",
                          "add cali40e:to 10.0.0.3/32,cali3 skbmark 0x3/0xff packets 0 bytes 0",
                          "destroy cali40e:old"));
  EXPECT_EQ(kernel_.steps(), before);
  EXPECT_TRUE(maps_.dirty());
}

}  // namespace
}  // namespace felix::ipset
