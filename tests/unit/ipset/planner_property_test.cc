// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <random>
#include <set>

#include "gtest/gtest.h"

#include "ipset/planner.h"
#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/set_builders.h"

namespace felix::ipset {
namespace {

using felix::testing::Below;
using felix::testing::Content;
using felix::testing::FakeKernelSets;
using model::IpFamily;

constexpr char kName[] = "cali40s:a";

// Few addresses, so that old and new sets overlap; /0 and /1 are frequent.
ir::AddressSet RandomSet(std::mt19937& random, std::uint32_t size, ir::SetKind kind) {
  ir::AddressSet set;
  set.kind = kind;
  for (std::uint32_t i = 0; i < size; ++i) {
    const auto address = model::IpAddress::V4(0x0a000000U + Below(random, size * 2));
    if (kind == ir::SetKind::kIpPort) {
      set.members.insert({model::Cidr::Host(address),
                          Below(random, 2) == 0 ? model::kTcp : model::kUdp,
                          static_cast<std::uint16_t>(80 + Below(random, 3))});
      continue;
    }
    const int length = Below(random, 20) == 0 ? static_cast<int>(Below(random, 3)) : 32;
    const auto high = model::IpAddress::V4(Below(random, 0xffffffffU));
    set.members.insert({model::Cidr(length < 32 ? high : address, length), {}, 0});
  }
  return set;
}

std::set<ir::SetMember> KernelSetOf(const ir::AddressSet& set) {
  const auto members = KernelMembers(set);
  return {members.begin(), members.end()};
}

bool Includes(const std::set<ir::SetMember>& big, const std::set<ir::SetMember>& small) {
  return std::includes(big.begin(), big.end(), small.begin(), small.end());
}

struct Case {
  ir::AddressSet old_set;
  ir::AddressSet new_set;
  bool other_parameters = false;
};

Case RandomCase(std::mt19937& random) {
  const ir::SetKind kind = Below(random, 2) == 0 ? ir::SetKind::kNet : ir::SetKind::kIpPort;
  const std::uint32_t size = Below(random, 40) == 0 ? 1500 : 1 + Below(random, 40);
  return {RandomSet(random, size, kind), RandomSet(random, size, kind), Below(random, 4) == 0};
}

// What the kernel holds for `old_set` before the plan.
SetContent Before(const Case& c) {
  SetContent content = Content(kName, c.old_set, IpFamily::kV4, c.other_parameters ? 5000 : 65536);
  content.members = KernelMembers(c.old_set);
  return content;
}

TEST(PlannerProperty, EveryPlanReachesTheDesiredContentAndLeavesNoTemporary) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const Case c = RandomCase(random);
    FakeKernelSets kernel;
    std::optional<SetContent> before;
    if (Below(random, 4) != 0) before = Before(c);
    if (before.has_value()) kernel.Put(*before);
    const ir::AddressSet& desired = c.new_set;
    const Target target{kName, IpFamily::kV4, 65536, &desired};
    const SetPlan plan = Plan(target, Compare(before, target), Removals::kNow, "cali4t0");
    ASSERT_TRUE(kernel.Execute(plan.operations).ok());
    EXPECT_EQ(kernel.Members(kName), KernelSetOf(c.new_set));
    EXPECT_EQ(kernel.Names(), std::vector<std::string>{kName});
    const auto after = kernel.Read(kName);
    ASSERT_TRUE(after.ok());
    EXPECT_TRUE(Plan(target, Compare(*after, target), Removals::kNow, "cali4t0").empty());
  }
}

TEST(PlannerProperty, NoStepShowsLessThanBothOrMoreThanEither) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const Case c = RandomCase(random);
    const std::set<ir::SetMember> old_members = KernelSetOf(c.old_set);
    const std::set<ir::SetMember> new_members = KernelSetOf(c.new_set);
    std::set<ir::SetMember> both;
    std::set_intersection(old_members.begin(), old_members.end(), new_members.begin(),
                          new_members.end(), std::inserter(both, both.end()));
    std::set<ir::SetMember> either = old_members;
    either.insert(new_members.begin(), new_members.end());

    FakeKernelSets kernel;
    kernel.Put(Before(c));
    kernel.Reference(kName);  // a rule looks all the time: the set may never go away
    const ir::AddressSet& desired = c.new_set;
    const Target target{kName, IpFamily::kV4, 65536, &desired};
    const SetPlan plan = Plan(target, Compare(Before(c), target), Removals::kNow, "cali4t0");
    bool seen_new = false;
    kernel.OnStep([&] {
      const std::set<ir::SetMember>& now = kernel.Members(kName);
      if (plan.rebuilds) {
        seen_new = seen_new || now == new_members;
        EXPECT_EQ(now, seen_new ? new_members : old_members);
      } else {
        EXPECT_TRUE(Includes(now, both));
        EXPECT_TRUE(Includes(either, now));
      }
    });
    ASSERT_TRUE(kernel.Execute(plan.operations).ok());
  }
}

TEST(PlannerProperty, AnInterruptedPlanIsFinishedByTheNext) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const Case c = RandomCase(random);
    FakeKernelSets kernel;
    kernel.Put(Before(c));
    const ir::AddressSet& desired = c.new_set;
    const Target target{kName, IpFamily::kV4, 65536, &desired};
    const SetPlan plan = Plan(target, Compare(Before(c), target), Removals::kNow, "cali4t0");
    kernel.FailStep(1 + Below(random, 20), absl::UnavailableError("interrupted"));
    const bool interrupted = !kernel.Execute(plan.operations).ok();
    const auto between = kernel.Read(kName);
    ASSERT_TRUE(between.ok());
    const SetPlan rest = Plan(target, Compare(*between, target), Removals::kNow, "cali4t1");
    EXPECT_TRUE(interrupted || rest.empty());
    ASSERT_TRUE(kernel.Execute(rest.operations).ok());
    EXPECT_EQ(kernel.Members(kName), KernelSetOf(c.new_set));
  }
}

}  // namespace
}  // namespace felix::ipset
