// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "ipset/registry.h"
#include "ipset/set_name.h"
#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/set_builders.h"

namespace felix::ipset {
namespace {

using felix::testing::Below;
using felix::testing::Content;
using felix::testing::FakeKernelSets;
using felix::testing::Key4;
using felix::testing::Net;
using model::IpFamily;

ir::SetMember RandomMember(std::mt19937& random) {
  switch (Below(random, 8)) {
    case 0:
      return Net("0.0.0.0/0");
    case 1:
      return Net("0.0.0.0/1");
    case 2:
      return Net("128.0.0.0/1");
    default:
      return ir::SetMember{
          model::Cidr::Host(model::IpAddress::V4(0x0a000000U + Below(random, 20))), {}, 0};
  }
}

void Mutate(std::mt19937& random, ir::DesiredState& state) {
  const ir::SetKey key = Key4("s:" + std::to_string(Below(random, 5)));
  if (Below(random, 6) == 0) {
    state.sets.erase(key);
    return;
  }
  ir::AddressSet& set = state.sets[key];
  const ir::SetMember member = RandomMember(random);
  if (Below(random, 2) == 0) {
    set.members.insert(member);
  } else {
    set.members.erase(member);
  }
}

// Somebody else meddles with our sets or adds some.
void Meddle(std::mt19937& random, FakeKernelSets& kernel) {
  const std::string name = "cali40s:" + std::to_string(Below(random, 7));
  if (Below(random, 2) == 0) {
    kernel.Vanish(name);
    return;
  }
  ir::AddressSet set;
  set.members.insert(Net("66.0.0.0/8"));
  kernel.Put(Content(name, set, IpFamily::kV4, Below(random, 2) == 0 ? 1048576 : 99));
}

void ExpectKernelHolds(const FakeKernelSets& kernel, const ir::DesiredState& state) {
  std::vector<std::string> names;
  for (const auto& [key, set] : state.sets) {
    const std::string name = KernelSetName(key);
    names.push_back(name);
    ASSERT_TRUE(kernel.Exists(name)) << name;
    const auto members = KernelMembers(set);
    EXPECT_EQ(kernel.Members(name), std::set<ir::SetMember>(members.begin(), members.end()))
        << name;
  }
  EXPECT_EQ(kernel.Names(), names);
}

TEST(RegistryProperty, WhateverFailsTheKernelEndsWithWhatIsDesired) {
  for (unsigned seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    FakeKernelSets kernel;
    Registry registry(IpFamily::kV4, kernel, RegistryOptions{});
    ir::DesiredState state;
    for (int round = 0; round < 30; ++round) {
      const ir::DesiredState before = state;
      for (auto changes = Below(random, 6); changes > 0; --changes) Mutate(random, state);
      registry.Stage(ir::Diff(before, state));
      if (Below(random, 3) == 0) {
        kernel.FailStep(1 + Below(random, 6), absl::UnavailableError("out of sorts"));
      }
      if (Below(random, 8) == 0) {
        Meddle(random, kernel);
        registry.ForgetKernel();
      }
      static_cast<void>(registry.ApplyUpserts(Below(random, 2) == 0));  // faults are the point
      if (Below(random, 2) == 0) static_cast<void>(registry.ApplyRemovals());
    }
    kernel.FailStep(1000000, absl::OkStatus());
    registry.ForgetKernel();
    ASSERT_TRUE(registry.ApplyUpserts(false).ok());
    ASSERT_TRUE(registry.ApplyRemovals().ok());
    EXPECT_FALSE(registry.dirty());
    ExpectKernelHolds(kernel, state);
  }
}

TEST(RegistryProperty, WithoutFaultsEveryApplyLeavesExactlyTheDesiredSets) {
  for (unsigned seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    FakeKernelSets kernel;
    Registry registry(IpFamily::kV4, kernel, RegistryOptions{});
    ir::DesiredState state;
    for (int round = 0; round < 30; ++round) {
      const ir::DesiredState before = state;
      for (auto changes = Below(random, 6); changes > 0; --changes) Mutate(random, state);
      registry.Stage(ir::Diff(before, state));
      ASSERT_TRUE(registry.ApplyUpserts(Below(random, 2) == 0).ok());
      ASSERT_TRUE(registry.ApplyRemovals().ok());
      ASSERT_FALSE(registry.dirty());
      ExpectKernelHolds(kernel, state);
    }
    EXPECT_EQ(kernel.reads(), 0U);  // it knew all along
  }
}

}  // namespace
}  // namespace felix::ipset
