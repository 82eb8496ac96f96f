// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ipset/mark_maps.h"
#include "ipset/registry.h"
#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/mark_map_builders.h"

// What MarkMaps do to the sets of a namespace, be it the kernel's or the fake's. The environment is
// that of kernel_sets_contract.h, with PutUncounted(name), which makes a set of interfaces with
// marks and without counters that holds 10.0.0.1 at cali1 with 0x1/0xff.

namespace felix::testing {

template <typename Environment>
class MarkMapsContract : public ::testing::Test {
 protected:
  absl::Status Do(const ipset::Operation& operation) {
    return environment().kernel().Execute({&operation, 1});
  }
  absl::Status Add(const std::string& name, std::vector<ipset::InterfaceMember> members) {
    return Do(ipset::AddInterfaceMembers{name, model::IpFamily::kV4, std::move(members)});
  }
  // Both phases; true if both succeeded.
  bool Apply(ipset::MarkMaps& maps) {
    const auto leaving = maps.ApplyLeaving();
    EXPECT_TRUE(leaving.ok()) << leaving.status();
    const auto arriving = maps.ApplyArriving();
    EXPECT_TRUE(arriving.ok()) << arriving.status();
    return leaving.ok() && arriving.ok();
  }
  std::vector<ipset::InterfaceMember> Members(const std::string& name) {
    const auto content = environment().kernel().Read(name);
    EXPECT_TRUE(content.ok() && content->has_value()) << name;
    return content.ok() && content->has_value() ? (*content)->interface_members
                                                : std::vector<ipset::InterfaceMember>{};
  }
  std::optional<ipset::MemberCounters> CountersOf(const std::string& name,
                                                  const std::string& interface) {
    for (const ipset::InterfaceMember& member : Members(name)) {
      if (member.interface == interface) return member.counters;
    }
    return std::nullopt;
  }
  std::vector<std::string> Names() { return environment().kernel().ListNames().value(); }

  void SetUp() override {
    if (Environment::Require(); !::testing::Test::IsSkipped()) world_.emplace();
  }
  Environment& environment() { return world_->environment; }
  CountingKernelSets& kernel() { return world_->kernel; }
  ipset::MarkMaps& maps() { return world_->maps; }

  const ir::SetKey from_ = Key4("e:from");

 private:
  struct World {
    Environment environment;
    CountingKernelSets kernel{environment.kernel()};
    ipset::MarkMaps maps{model::IpFamily::kV4, kernel, ipset::MarkMapOptions{}};
  };
  std::optional<World> world_;
};

TYPED_TEST_SUITE_P(MarkMapsContract);

TYPED_TEST_P(MarkMapsContract, MembersGoBeforeTheRulesAndComeBehindThem) {
  EXPECT_TRUE(this->maps().dirty());
  this->maps().Stage(
      NewMap(this->from_, MapOf({{"cali1", "10.0.0.1", 1}, {"cali2", "10.0.0.2", 2}})));
  // Nothing names a set that is new.
  ASSERT_TRUE(this->maps().ApplyLeaving().ok());
  EXPECT_FALSE(this->maps().has_leaving());
  EXPECT_FALSE(this->maps().has_arriving());
  EXPECT_EQ(this->Members("cali40e:from"),
            KernelMembersOf(MapOf({{"cali1", "10.0.0.1", 1}, {"cali2", "10.0.0.2", 2}})));
  EXPECT_FALSE(this->maps().dirty());

  this->maps().Stage(ChangedMap(this->from_, {{"cali2", "10.0.0.2", 9}, {"cali3", "10.0.0.3", 3}},
                                {At("cali1", "10.0.0.1")}));
  ASSERT_TRUE(this->maps().ApplyLeaving().ok());
  EXPECT_EQ(this->Members("cali40e:from"), KernelMembersOf(MapOf({{"cali2", "10.0.0.2", 2}})));
  const auto stats = this->maps().ApplyArriving();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->members_added, 1U);
  EXPECT_EQ(stats->marks_changed, 1U);
  EXPECT_EQ(stats->kernel_calls, 1U);
  EXPECT_EQ(this->Members("cali40e:from"),
            KernelMembersOf(MapOf({{"cali2", "10.0.0.2", 9}, {"cali3", "10.0.0.3", 3}})));

  this->maps().Stage(RemovedMap(this->from_));
  ASSERT_TRUE(this->maps().ApplyLeaving().ok());
  EXPECT_EQ(this->Members("cali40e:from").size(), 2U);
  ASSERT_TRUE(this->maps().ApplyArriving().ok());
  EXPECT_TRUE(this->Names().empty());
  EXPECT_FALSE(this->maps().dirty());
}

TYPED_TEST_P(MarkMapsContract, HoldsVersionSixBesideVersionFour) {
  ipset::MarkMaps six(model::IpFamily::kV6, this->kernel(), ipset::MarkMapOptions{});
  ir::DesiredDelta delta = NewMap(Key6("e:from"), MapOf({{"cali1", "fd00::1", 1}}));
  delta.new_mark_maps.emplace(this->from_, MapOf({{"cali1", "10.0.0.1", 2}}));
  six.Stage(delta);
  this->maps().Stage(delta);
  ASSERT_TRUE(this->Apply(six));
  ASSERT_TRUE(this->Apply(this->maps()));
  EXPECT_EQ(this->Members("cali60e:from"), KernelMembersOf(MapOf({{"cali1", "fd00::1", 1}})));
  EXPECT_EQ(this->Members("cali40e:from"), KernelMembersOf(MapOf({{"cali1", "10.0.0.1", 2}})));
  six.RemoveEverything();
  ASSERT_TRUE(this->Apply(six));
  EXPECT_THAT(this->Names(), ::testing::ElementsAre("cali40e:from"));
}

TYPED_TEST_P(MarkMapsContract, ARestartWritesNothing) {
  const ir::DesiredDelta delta = NewMap(this->from_, ManyAddresses(3000));
  this->maps().Stage(delta);
  ASSERT_TRUE(this->Apply(this->maps()));
  const std::size_t before = this->kernel().executes();
  ipset::MarkMaps again(model::IpFamily::kV4, this->kernel(), ipset::MarkMapOptions{});
  again.Stage(delta);
  ASSERT_TRUE(this->Apply(again));
  EXPECT_EQ(this->kernel().executes(), before);
  EXPECT_FALSE(again.dirty());
  EXPECT_TRUE(again.TakeDamage().empty());
}

TYPED_TEST_P(MarkMapsContract, ARestartCorrectsWhatIsNotRight) {
  this->maps().Stage(NewMap(this->from_, ManyAddresses(100)));
  ASSERT_TRUE(this->Apply(this->maps()));
  ir::MarkMap other = ManyAddresses(101);
  other.values.erase(At("cali7", "10.0.0.7"));
  other.values[At("cali8", "10.0.0.8")] = 0x80;
  ASSERT_TRUE(this->Add("cali40e:from", {{Net("10.8.0.0/16").net, "cali9", 1, kMask},
                                         {Net("10.0.0.9").net, "cali9", 9, 0xffff}})
                  .ok());
  ipset::MarkMaps again(model::IpFamily::kV4, this->kernel(), ipset::MarkMapOptions{});
  again.Stage(NewMap(this->from_, other));
  const auto leaving = again.ApplyLeaving();
  ASSERT_TRUE(leaving.ok()) << leaving.status();
  EXPECT_EQ(leaving->members_removed, 3U);
  const auto arriving = again.ApplyArriving();
  ASSERT_TRUE(arriving.ok()) << arriving.status();
  EXPECT_EQ(arriving->members_added, 2U);
  EXPECT_EQ(arriving->marks_changed, 1U);
  EXPECT_EQ(this->Members("cali40e:from"), KernelMembersOf(other));
}

TYPED_TEST_P(MarkMapsContract, SweepsLeftOversAndLeavesAllOtherSetsAlone) {
  for (const char* name : {"cali40s:x", "cali4t0", "cali60e:to", "KUBE-X"}) {
    ASSERT_TRUE(this->Do(ipset::CreateSet{name}).ok());
  }
  for (const char* name : {"cali40e:old", "cali4e0"}) {
    ASSERT_TRUE(this->Do(ipset::CreateInterfaceSet{name}).ok());
  }
  this->maps().Stage(NewMap(this->from_, MapOf({})));
  ASSERT_TRUE(this->Apply(this->maps()));
  EXPECT_THAT(this->Names(), ::testing::ElementsAre("KUBE-X", "cali40e:from", "cali40s:x",
                                                    "cali4t0", "cali60e:to"));
}

TYPED_TEST_P(MarkMapsContract, ARegistryLeavesMapsAlone) {
  this->maps().Stage(NewMap(this->from_, MapOf({{"cali1", "10.0.0.1", 1}})));
  ASSERT_TRUE(this->Apply(this->maps()));
  ASSERT_TRUE(this->Do(ipset::CreateInterfaceSet{"cali4e0"}).ok());
  ipset::Registry registry(model::IpFamily::kV4, this->kernel(), ipset::RegistryOptions{});
  registry.RemoveEverything();
  ASSERT_TRUE(registry.ApplyUpserts(false).ok());
  ASSERT_TRUE(registry.ApplyRemovals().ok());
  registry.Resync();
  ASSERT_TRUE(registry.ApplyUpserts(false).ok());
  ASSERT_TRUE(registry.ApplyRemovals().ok());
  EXPECT_TRUE(registry.TakeDamage().empty());
  EXPECT_THAT(this->Names(), ::testing::ElementsAre("cali40e:from", "cali4e0"));
}

TYPED_TEST_P(MarkMapsContract, NoMemberOfAnotherMaskMeetsTheNewRules) {
  this->maps().Stage(
      NewMap(this->from_, MapOf({{"cali1", "10.0.0.1", 1}, {"cali2", "10.0.0.2", 2}})));
  ASSERT_TRUE(this->Apply(this->maps()));
  const ir::MarkMap wide = MapOf({{"cali1", "10.0.0.1", 0x100}, {"cali2", "10.0.0.2", 2}}, 0xfff);
  this->maps().Stage(NewMap(this->from_, wide));
  ASSERT_TRUE(this->maps().ApplyLeaving().ok());
  EXPECT_TRUE(this->Members("cali40e:from").empty());
  ASSERT_TRUE(this->maps().ApplyArriving().ok());
  EXPECT_EQ(this->Members("cali40e:from"), KernelMembersOf(wide));
}

TYPED_TEST_P(MarkMapsContract, ReplacesASetWithOtherParametersEvenWhileRulesNameIt) {
  for (const bool counted : {true, false}) {
    if (counted) {
      ASSERT_TRUE(
          this->Do(ipset::CreateInterfaceSet{"cali40e:from", model::IpFamily::kV4, 1024, 99}).ok());
      ASSERT_TRUE(this->Add("cali40e:from", {{Net("10.0.0.1").net, "cali1", 1, kMask,
                                              ipset::MemberCounters{7, 700}}})
                      .ok());
    } else {
      this->environment().PutUncounted("cali40e:from");
    }
    ASSERT_TRUE(this->Add("cali40e:from", {{Net("10.0.0.9").net, "cali9", 9, kMask},
                                           {Net("10.0.0.2").net, "cali2", 2, 0xf}})
                    .ok());
    this->environment().Reference("cali40e:from");
    ipset::MarkMaps maps(model::IpFamily::kV4, this->kernel(), ipset::MarkMapOptions{});
    const ir::MarkMap wanted = MapOf({{"cali1", "10.0.0.1", 0x11}, {"cali2", "10.0.0.2", 2}});
    maps.Stage(NewMap(this->from_, wanted));
    const auto leaving = maps.ApplyLeaving();
    ASSERT_TRUE(leaving.ok()) << leaving.status();
    EXPECT_EQ(leaving->sets_swapped, 1U);
    EXPECT_EQ(this->Members("cali40e:from"), KernelMembersOf(MapOf({{"cali1", "10.0.0.1", 1}})));
    ASSERT_TRUE(maps.ApplyArriving().ok());
    EXPECT_EQ(this->Members("cali40e:from"), KernelMembersOf(wanted));
    EXPECT_TRUE((*this->kernel().Read("cali40e:from"))->header.plain);
    EXPECT_THAT(this->Names(), ::testing::ElementsAre("cali40e:from"));
    EXPECT_EQ(this->CountersOf("cali40e:from", "cali1"),
              (counted ? ipset::MemberCounters{7, 700} : ipset::MemberCounters{}));
    this->environment().Release("cali40e:from");
    maps.RemoveEverything();
    ASSERT_TRUE(this->Apply(maps));
  }
}

TYPED_TEST_P(MarkMapsContract, RecreatesASetOfAnotherTypeOnceNothingNamesIt) {
  ASSERT_TRUE(this->Do(ipset::CreateSet{"cali40e:from"}).ok());
  this->environment().Reference("cali40e:from");
  const ir::MarkMap wanted = MapOf({{"cali1", "10.0.0.1", 1}});
  this->maps().Stage(NewMap(this->from_, wanted));
  const auto refused = this->maps().ApplyLeaving();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()),
              ::testing::StartsWith(
                  "set cali40e:from is of another type and something names it: destroying"));
  EXPECT_THAT(this->maps().failed_maps(), ::testing::ElementsAre(this->from_));
  ASSERT_TRUE(this->maps().ApplyArriving().ok());
  this->environment().Release("cali40e:from");
  ASSERT_TRUE(this->Apply(this->maps()));
  EXPECT_TRUE(this->maps().failed_maps().empty());
  EXPECT_EQ(this->Members("cali40e:from"), KernelMembersOf(wanted));
}

TYPED_TEST_P(MarkMapsContract, RetriesTheDestroyOfAMapInUse) {
  this->maps().Stage(NewMap(this->from_, MapOf({})));
  ASSERT_TRUE(this->Apply(this->maps()));
  this->environment().Reference("cali40e:from");
  this->maps().Stage(RemovedMap(this->from_));
  ASSERT_TRUE(this->maps().ApplyLeaving().ok());
  const auto stats = this->maps().ApplyArriving();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->destroys_refused, 1U);
  EXPECT_FALSE(this->maps().dirty());
  this->environment().Release("cali40e:from");
  this->maps().Resync();
  EXPECT_TRUE(this->maps().dirty());
  ASSERT_TRUE(this->Apply(this->maps()));
  EXPECT_TRUE(this->Names().empty());
}

TYPED_TEST_P(MarkMapsContract, AMapThatComesBackIsAdopted) {
  const ir::MarkMap map = MapOf({{"cali1", "10.0.0.1", 1}});
  this->maps().Stage(NewMap(this->from_, map));
  ASSERT_TRUE(this->Apply(this->maps()));
  const std::size_t before = this->kernel().executes();
  this->maps().Stage(RemovedMap(this->from_));
  this->maps().Stage(NewMap(this->from_, map));
  ASSERT_TRUE(this->Apply(this->maps()));
  EXPECT_EQ(this->kernel().executes(), before);
  EXPECT_EQ(this->Members("cali40e:from"), KernelMembersOf(map));
}

TYPED_TEST_P(MarkMapsContract, ResyncFindsRepairsAndReportsWhatOthersDid) {
  const ir::SetKey to = Key4("e:to");
  ir::DesiredDelta delta = NewMap(this->from_, ManyAddresses(50));
  delta.new_mark_maps.emplace(to, MapOf({{"cali1", "10.0.0.1", 1}}));
  this->maps().Stage(delta);
  ASSERT_TRUE(this->Apply(this->maps()));
  this->maps().Resync();
  ASSERT_TRUE(this->Apply(this->maps()));
  EXPECT_TRUE(this->maps().TakeDamage().empty());

  ASSERT_TRUE(this->Do(ipset::DeleteInterfaceMembers{
                           "cali40e:from", model::IpFamily::kV4, {{Net("10.0.0.3").net, "cali3"}}})
                  .ok());
  ASSERT_TRUE(this->Add("cali40e:from", {{Net("10.0.0.4").net, "cali4", 0x44, kMask},
                                         {Net("10.0.0.5").net, "cali5", 5, 0xf},
                                         {Net("10.0.0.3").net, "mine", 3, kMask},
                                         {Net("10.0.0.0/8").net, "mine", 3, kMask}})
                  .ok());
  ASSERT_TRUE(this->Do(ipset::DestroySet{"cali40e:to"}).ok());
  this->maps().Resync();
  ASSERT_TRUE(this->Apply(this->maps()));
  EXPECT_THAT(
      this->maps().TakeDamage(),
      ::testing::ElementsAre("set cali40e:from: 1 members are missing, 2 are there that nobody "
                             "wants, and 2 have other marks",
                             "set cali40e:to: is gone"));
  EXPECT_EQ(this->Members("cali40e:from"), KernelMembersOf(ManyAddresses(50)));
  EXPECT_EQ(this->Members("cali40e:to").size(), 1U);
}

TYPED_TEST_P(MarkMapsContract, CountsOnAfterAnotherMarkAndFromZeroAfterAnAbsence) {
  this->maps().Stage(NewMap(this->from_, ManyAddresses(500)));
  ASSERT_TRUE(this->Apply(this->maps()));
  std::vector<ipset::InterfaceMember> counted = KernelMembersOf(ManyAddresses(500));
  for (ipset::InterfaceMember& member : counted) member.counters = {5, 500};
  ASSERT_TRUE(this->Add("cali40e:from", counted).ok());

  this->maps().Stage(ChangedMap(this->from_, {{"cali1", "10.0.0.1", 0x77}}));
  ASSERT_TRUE(this->Apply(this->maps()));
  EXPECT_EQ(this->CountersOf("cali40e:from", "cali1"), (ipset::MemberCounters{5, 500}));
  for (std::uint32_t i = 0; i < 500; ++i) {
    const ir::LocalAddress at{fmt::format("cali{}", i), model::IpAddress::V4(0x0a000000U + i)};
    ir::DesiredDelta gone;
    gone.changed_mark_maps[this->from_].removed = {at};
    ir::DesiredDelta back;
    back.changed_mark_maps[this->from_].set = {{at, 1}};
    this->maps().Stage(gone);
    ASSERT_TRUE(this->Apply(this->maps()));
    this->maps().Stage(back);
    ASSERT_TRUE(this->Apply(this->maps()));
  }
  const auto counters = this->maps().ReadCounters();
  ASSERT_TRUE(counters.ok()) << counters.status();
  ASSERT_EQ(counters->size(), 1U);
  EXPECT_EQ(counters->front().id, "e:from");
  EXPECT_EQ(counters->front().addresses.size(), 500U);
  for (const ipset::AddressCounters& each : counters->front().addresses) {
    EXPECT_EQ(each.counters, ipset::MemberCounters{}) << each.address.interface_name;
  }
}

TYPED_TEST_P(MarkMapsContract, CountersSurviveAnotherMask) {
  this->maps().Stage(NewMap(this->from_, MapOf({{"cali1", "10.0.0.1", 1}})));
  ASSERT_TRUE(this->Apply(this->maps()));
  ASSERT_TRUE(this->Add("cali40e:from",
                        {{Net("10.0.0.1").net, "cali1", 1, kMask, ipset::MemberCounters{4, 400}}})
                  .ok());
  this->maps().Stage(NewMap(this->from_, MapOf({{"cali1", "10.0.0.1", 1}}, 0xfff)));
  ASSERT_TRUE(this->Apply(this->maps()));
  const auto counters = this->maps().ReadCounters();
  ASSERT_TRUE(counters.ok()) << counters.status();
  EXPECT_EQ(*counters,
            (std::vector<ipset::MapCounters>{{"e:from", {{At("cali1", "10.0.0.1"), {4, 400}}}}}));
}

TYPED_TEST_P(MarkMapsContract, TellsWhyTheKernelTakesNoMoreInterfacesOfAnAddress) {
  ir::MarkMap map = ManyAddresses(100);
  for (int i = 0; i < 70; ++i) map.values[At(fmt::format("tap{}", i), "10.9.9.9")] = 1;
  this->maps().Stage(NewMap(this->from_, map));
  ASSERT_TRUE(this->maps().ApplyLeaving().ok());
  const absl::Status status = this->maps().ApplyArriving().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()),
              ::testing::AllOf(::testing::StartsWith("adding 10.9.9.9/32,tap"),
                               ::testing::HasSubstr("of set cali40e:from"),
                               ::testing::HasSubstr("at most 64 interfaces of one address, and "
                                                    "10.9.9.9 has 70"),
                               ::testing::HasSubstr("more failures")));
  EXPECT_GE(this->Members("cali40e:from").size(), 160U);
  EXPECT_TRUE(this->maps().has_arriving());
  // With fewer of them all is well, be it that the kernel's hash has suffered so much that it
  // must be replaced first.
  for (int i = 40; i < 70; ++i) map.values.erase(At(fmt::format("tap{}", i), "10.9.9.9"));
  this->maps().Stage(NewMap(this->from_, map));
  ASSERT_TRUE(this->maps().ApplyLeaving().ok());
  static_cast<void>(this->maps().ApplyArriving());
  ASSERT_TRUE(this->Apply(this->maps()));
  EXPECT_EQ(this->Members("cali40e:from"), KernelMembersOf(map));
}

REGISTER_TYPED_TEST_SUITE_P(
    MarkMapsContract, MembersGoBeforeTheRulesAndComeBehindThem, HoldsVersionSixBesideVersionFour,
    ARestartWritesNothing, ARestartCorrectsWhatIsNotRight,
    SweepsLeftOversAndLeavesAllOtherSetsAlone, ARegistryLeavesMapsAlone,
    NoMemberOfAnotherMaskMeetsTheNewRules, ReplacesASetWithOtherParametersEvenWhileRulesNameIt,
    RecreatesASetOfAnotherTypeOnceNothingNamesIt, RetriesTheDestroyOfAMapInUse,
    AMapThatComesBackIsAdopted, ResyncFindsRepairsAndReportsWhatOthersDid,
    CountsOnAfterAnotherMarkAndFromZeroAfterAnAbsence, CountersSurviveAnotherMask,
    TellsWhyTheKernelTakesNoMoreInterfacesOfAnAddress);

}  // namespace felix::testing
