// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ipset/registry.h"
#include "ipset/set_name.h"
#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/set_builders.h"

// What a Registry does to the sets of a namespace, be it the kernel's or the fake's. The
// environment is that of kernel_sets_contract.h, with PutWithTimeout(name), which makes a network
// set whose members would expire.

namespace felix::testing {

template <typename Environment>
class RegistryContract : public ::testing::Test {
 protected:
  absl::Status Do(const ipset::Operation& operation) {
    return environment().kernel().Execute({&operation, 1});
  }
  // Both phases; true if both succeeded.
  bool Apply(ipset::Registry& registry, bool tables_change = true) {
    const auto upserts = registry.ApplyUpserts(tables_change);
    EXPECT_TRUE(upserts.ok()) << upserts.status();
    const auto removals = registry.ApplyRemovals();
    EXPECT_TRUE(removals.ok()) << removals.status();
    return upserts.ok() && removals.ok();
  }
  std::vector<ir::SetMember> Members(const std::string& name) {
    const auto content = environment().kernel().Read(name);
    EXPECT_TRUE(content.ok() && content->has_value()) << name;
    return content.ok() && content->has_value() ? (*content)->members
                                                : std::vector<ir::SetMember>{};
  }
  std::vector<std::string> Names() { return environment().kernel().ListNames().value(); }

  void SetUp() override {
    if (Environment::Require(); !::testing::Test::IsSkipped()) world_.emplace();
  }
  Environment& environment() { return world_->environment; }
  CountingKernelSets& kernel() { return world_->kernel; }
  ipset::Registry& registry() { return world_->registry; }

 private:
  struct World {
    Environment environment;
    CountingKernelSets kernel{environment.kernel()};
    ipset::Registry registry{model::IpFamily::kV4, kernel, ipset::RegistryOptions{}};
  };
  std::optional<World> world_;
};

TYPED_TEST_SUITE_P(RegistryContract);

TYPED_TEST_P(RegistryContract, CreatesChangesAndDestroysSets) {
  this->registry().Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1", "10.0.0.2"})));
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_EQ(this->Members("cali40s:a"), Nets({"10.0.0.1", "10.0.0.2"}));
  this->registry().Stage(ChangedSet(Key4("s:a"), Nets({"10.0.0.3"}), Nets({"10.0.0.1"})));
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_EQ(this->Members("cali40s:a"), Nets({"10.0.0.2", "10.0.0.3"}));
  this->registry().Stage(RemovedSet(Key4("s:a")));
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_TRUE(this->Names().empty());
  EXPECT_FALSE(this->registry().dirty());
}

TYPED_TEST_P(RegistryContract, RestartAdoptsWhatIsThereWithoutAWrite) {
  ir::AddressSet ports;
  ports.kind = ir::SetKind::kIpPort;
  ports.members = {Port("10.0.0.1", model::kTcp, 80), Port("10.0.0.1", model::kSctp, 9)};
  ir::DesiredDelta delta = NewSet(Key4("s:a"), NetSet({"0.0.0.0/0", "10.0.0.0/8", "10.0.0.1"}));
  delta.new_sets.emplace(Key4("n:b"), ports);
  delta.new_sets.emplace(Key4("s:empty"), NetSet({}));
  this->registry().Stage(delta);
  ASSERT_TRUE(this->Apply(this->registry()));
  const std::size_t before = this->kernel().executes();

  ipset::Registry again(model::IpFamily::kV4, this->kernel(), ipset::RegistryOptions{});
  again.Stage(delta);
  ASSERT_TRUE(this->Apply(again));
  EXPECT_EQ(this->kernel().executes(), before);
  EXPECT_FALSE(again.dirty());
}

TYPED_TEST_P(RegistryContract, SweepsLeftOversAndLeavesForeignSetsAlone) {
  for (const char* name : {"cali40s:old", "cali4t0", "felix-4old", "cali60s:other", "KUBE-X"}) {
    ASSERT_TRUE(this->Do(ipset::CreateSet{name}).ok());
  }
  this->registry().Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_THAT(this->Names(), ::testing::ElementsAre("KUBE-X", "cali40s:a", "cali60s:other"));
}

TYPED_TEST_P(RegistryContract, ResyncRepairsFlushedEditedAndDestroyedSets) {
  ir::DesiredDelta delta = NewSet(Key4("s:flushed"), NetSet({"10.0.0.1", "10.0.0.2"}));
  delta.new_sets.emplace(Key4("s:edited"), NetSet({"10.0.0.1"}));
  delta.new_sets.emplace(Key4("s:gone"), NetSet({"10.0.0.1"}));
  this->registry().Stage(delta);
  ASSERT_TRUE(this->Apply(this->registry()));
  const auto net = ir::SetKind::kNet;
  const auto v4 = model::IpFamily::kV4;
  ASSERT_TRUE(
      this->Do(ipset::DeleteMembers{"cali40s:flushed", net, v4, Nets({"10.0.0.1", "10.0.0.2"})})
          .ok());
  ASSERT_TRUE(this->Do(ipset::AddMembers{"cali40s:edited", net, v4, Nets({"66.0.0.0/8"})}).ok());
  ASSERT_TRUE(this->Do(ipset::DestroySet{"cali40s:gone"}).ok());

  this->registry().Resync();
  EXPECT_TRUE(this->registry().dirty());
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_EQ(this->Members("cali40s:flushed"), Nets({"10.0.0.1", "10.0.0.2"}));
  EXPECT_EQ(this->Members("cali40s:edited"), Nets({"10.0.0.1"}));
  EXPECT_EQ(this->Members("cali40s:gone"), Nets({"10.0.0.1"}));
}

TYPED_TEST_P(RegistryContract, ReplacesASetWithOtherParametersEvenWhileRulesNameIt) {
  this->environment().PutWithTimeout("cali40s:a");
  this->environment().Reference("cali40s:a");
  this->registry().Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  const auto stats = this->registry().ApplyUpserts(true);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->sets_swapped, 1U);
  EXPECT_EQ(this->Members("cali40s:a"), Nets({"10.0.0.1"}));
  EXPECT_TRUE((*this->environment().kernel().Read("cali40s:a"))->header.plain);
  EXPECT_THAT(this->Names(), ::testing::ElementsAre("cali40s:a"));
}

TYPED_TEST_P(RegistryContract, RecreatesASetOfAnotherTypeOnceNothingNamesIt) {
  ASSERT_TRUE(this->Do(ipset::CreateSet{"cali40s:a", ir::SetKind::kIpPort}).ok());
  this->registry().Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_EQ(this->Members("cali40s:a"), Nets({"10.0.0.1"}));
}

TYPED_TEST_P(RegistryContract, SwapsALargeChangeInOneStep) {
  this->registry().Stage(NewSet(Key4("s:a"), ManyHosts(3000)));
  ASSERT_TRUE(this->Apply(this->registry()));
  const ir::AddressSet next = ManyHosts(2500, 0x0b000000U);
  const ir::AddressSet first = ManyHosts(3000);
  this->registry().Stage(ChangedSet(Key4("s:a"), {next.members.begin(), next.members.end()},
                                    {first.members.begin(), first.members.end()}));
  const auto stats = this->registry().ApplyUpserts(false);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->sets_swapped, 1U);
  EXPECT_EQ(this->Members("cali40s:a").size(), 2500U);
  EXPECT_THAT(this->Names(), ::testing::ElementsAre("cali40s:a"));
}

TYPED_TEST_P(RegistryContract, PostponesTheDestroyOfASetInUseToTheNextResync) {
  this->registry().Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  ASSERT_TRUE(this->Apply(this->registry()));
  this->environment().Reference("cali40s:a");
  this->registry().Stage(RemovedSet(Key4("s:a")));
  ASSERT_TRUE(this->registry().ApplyUpserts(true).ok());
  const auto stats = this->registry().ApplyRemovals();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->destroys_refused, 1U);
  EXPECT_FALSE(this->registry().dirty());
  const std::size_t before = this->kernel().executes();
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_EQ(this->kernel().executes(), before);
  this->environment().Release("cali40s:a");
  this->registry().Resync();
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_TRUE(this->Names().empty());
}

TYPED_TEST_P(RegistryContract, RemoveEverythingLeavesOnlyForeignSets) {
  ASSERT_TRUE(this->Do(ipset::CreateSet{"KUBE-X"}).ok());
  ASSERT_TRUE(this->Do(ipset::CreateSet{"cali40s:old"}).ok());
  this->registry().Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  ASSERT_TRUE(this->registry().ApplyUpserts(true).ok());
  this->registry().RemoveEverything();
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_THAT(this->Names(), ::testing::ElementsAre("KUBE-X"));
}

REGISTER_TYPED_TEST_SUITE_P(
    RegistryContract, CreatesChangesAndDestroysSets, RestartAdoptsWhatIsThereWithoutAWrite,
    SweepsLeftOversAndLeavesForeignSetsAlone, ResyncRepairsFlushedEditedAndDestroyedSets,
    ReplacesASetWithOtherParametersEvenWhileRulesNameIt,
    RecreatesASetOfAnotherTypeOnceNothingNamesIt, SwapsALargeChangeInOneStep,
    PostponesTheDestroyOfASetInUseToTheNextResync, RemoveEverythingLeavesOnlyForeignSets);

}  // namespace felix::testing
