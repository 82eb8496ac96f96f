// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "ipset/mark_maps.h"
#include "ipset/set_name.h"
#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/mark_map_builders.h"

namespace felix::ipset {
namespace {

using felix::testing::Below;
using felix::testing::FakeKernelSets;
using felix::testing::KernelMembersOf;
using felix::testing::Mutate;
using felix::testing::Net;
using model::IpFamily;

// Somebody else meddles with our maps or adds some.
void Meddle(std::mt19937& random, FakeKernelSets& kernel) {
  static const std::vector<std::string> kNames = {"cali40e:from", "cali40e:to", "cali40e:x",
                                                  "cali4e0"};
  const std::string& name = kNames.at(Below(random, 4));
  if (Below(random, 3) == 0) {
    kernel.Vanish(name);
    return;
  }
  SetContent content;
  content.header.name = name;
  content.header.type = Below(random, 4) == 0 ? "hash:net" : std::string(kInterfaceTypeName);
  content.header.family = IpFamily::kV4;
  content.header.max_members = Below(random, 2) == 0 ? 1048576 : 7;
  content.header.has_marks = Below(random, 2) == 0;
  content.header.has_counters = Below(random, 2) == 0;
  content.header.plain = content.header.has_marks && content.header.has_counters;
  content.strange_members = Below(random, 4) == 0 ? 1 : 0;
  if (content.header.type == kInterfaceTypeName) {
    content.interface_members = {{Net("10.0.0.0/8").net, "cali1", 1, 0xff},
                                 {Net("10.0.0.1").net, "cali1", 1, 0xff}};
  }
  kernel.Put(content);
}

void ExpectKernelHolds(const FakeKernelSets& kernel, const ir::DesiredState& state) {
  std::vector<std::string> names;
  for (const auto& [key, map] : state.mark_maps) {
    const std::string name = KernelSetName(key);
    names.push_back(name);
    ASSERT_TRUE(kernel.Exists(name)) << name;
    EXPECT_EQ(kernel.InterfaceMembers(name), KernelMembersOf(map)) << name;
  }
  EXPECT_EQ(kernel.Names(), names);
}

// What the phase before the rules may leave: nothing that is new in a map that was there before,
// nothing that should be gone.
void ExpectOnlyOldMembers(const FakeKernelSets& kernel, const ir::DesiredState& before,
                          const ir::DesiredState& after) {
  for (const auto& [key, map] : after.mark_maps) {
    const auto old = before.mark_maps.find(key);
    if (old == before.mark_maps.end()) {
      // No rule names it yet.
      EXPECT_EQ(kernel.InterfaceMembers(KernelSetName(key)), KernelMembersOf(map));
      continue;
    }
    for (const InterfaceMember& member : kernel.InterfaceMembers(KernelSetName(key))) {
      const ir::LocalAddress at{member.interface, member.net.address()};
      EXPECT_TRUE(map.values.contains(at)) << member.ToString();
      EXPECT_EQ(member.mask, map.mask) << member.ToString();
      ASSERT_TRUE(old->second.values.contains(at)) << member.ToString();
      EXPECT_EQ(member.mark, old->second.values.at(at)) << member.ToString();
    }
  }
}

TEST(MarkMapsProperty, WhateverFailsTheKernelEndsWithWhatIsDesired) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    FakeKernelSets kernel;
    auto maps = std::make_unique<MarkMaps>(IpFamily::kV4, kernel, MarkMapOptions{});
    ir::DesiredState state;
    for (int round = 0; round < 40; ++round) {
      const ir::DesiredState before = state;
      for (auto changes = Below(random, 6); changes > 0; --changes) Mutate(random, state);
      maps->Stage(ir::Diff(before, state));
      if (Below(random, 3) == 0) {
        const auto code = Below(random, 3) == 0 ? absl::StatusCode::kResourceExhausted
                                                : absl::StatusCode::kUnavailable;
        kernel.FailStep(1 + Below(random, 6), absl::Status(code, "out of sorts"));
      }
      if (Below(random, 12) == 0) kernel.FailReads(1, absl::UnavailableError("out of sorts"));
      if (Below(random, 8) == 0) {
        Meddle(random, kernel);
        Below(random, 2) == 0 ? maps->ForgetKernel() : maps->Resync();
      }
      static_cast<void>(maps->ApplyLeaving());  // faults are the point
      if (Below(random, 3) != 0) static_cast<void>(maps->ApplyArriving());
      if (Below(random, 15) == 0) {
        // The program ends here, and a new one takes over what it finds.
        maps = std::make_unique<MarkMaps>(IpFamily::kV4, kernel, MarkMapOptions{});
        maps->Stage(ir::Diff({}, state));
      }
    }
    kernel.FailStep(1000000, absl::OkStatus());
    kernel.FailReads(0, absl::OkStatus());
    maps->ForgetKernel();
    ASSERT_TRUE(maps->ApplyLeaving().ok());
    ASSERT_TRUE(maps->ApplyArriving().ok());
    EXPECT_FALSE(maps->dirty());
    ExpectKernelHolds(kernel, state);
  }
}

TEST(MarkMapsProperty, WithoutFaultsEachPhaseLeavesExactlyWhatItMay) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    FakeKernelSets kernel;
    MarkMaps maps(IpFamily::kV4, kernel, MarkMapOptions{});
    ir::DesiredState state;
    for (int round = 0; round < 30; ++round) {
      const ir::DesiredState before = state;
      ir::DesiredState staged = state;
      for (auto changes = Below(random, 6); changes > 0; --changes) {
        // In several deltas, some of which take back others.
        Mutate(random, state);
        if (Below(random, 2) == 0) continue;
        maps.Stage(ir::Diff(staged, state));
        staged = state;
      }
      maps.Stage(ir::Diff(staged, state));
      if (Below(random, 3) == 0) maps.Resync();  // what we are about to change is no damage
      ASSERT_TRUE(maps.ApplyLeaving().ok());
      EXPECT_TRUE(maps.TakeDamage().empty());
      ASSERT_FALSE(maps.has_leaving());
      ExpectOnlyOldMembers(kernel, before, state);
      ASSERT_TRUE(maps.ApplyArriving().ok());
      ASSERT_FALSE(maps.dirty());
      ExpectKernelHolds(kernel, state);
      maps.Resync();
      ASSERT_TRUE(maps.ApplyLeaving().ok());
      ASSERT_FALSE(maps.dirty());
      EXPECT_TRUE(maps.TakeDamage().empty());
    }
  }
}

}  // namespace
}  // namespace felix::ipset
