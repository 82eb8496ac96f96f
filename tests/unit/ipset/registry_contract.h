// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
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

TYPED_TEST_P(RegistryContract, AHeaderRoundFindsAndReportsWhatOthersDid) {
  ir::DesiredDelta delta = NewSet(Key4("s:edited"), NetSet({"10.0.0.1"}));
  delta.new_sets.emplace(Key4("s:gone"), NetSet({"10.0.0.1"}));
  delta.new_sets.emplace(Key4("s:retyped"), NetSet({"10.0.0.1"}));
  delta.new_sets.emplace(Key4("s:right"), NetSet({"10.0.0.1"}));
  this->registry().Stage(delta);
  ASSERT_TRUE(this->Apply(this->registry()));
  ASSERT_TRUE(this->Do(ipset::AddMembers{"cali40s:edited", ir::SetKind::kNet, model::IpFamily::kV4,
                                         Nets({"66.0.0.0/8"})})
                  .ok());
  for (const char* name : {"cali40s:gone", "cali40s:retyped"}) {
    ASSERT_TRUE(this->Do(ipset::DestroySet{name}).ok());
  }
  ASSERT_TRUE(this->Do(ipset::CreateSet{"cali40s:retyped", ir::SetKind::kIpPort}).ok());
  ASSERT_TRUE(this->Do(ipset::CreateSet{"cali4t9"}).ok());

  this->registry().Resync();
  ASSERT_TRUE(this->Apply(this->registry(), false));
  EXPECT_THAT(this->registry().TakeDamage(),
              ::testing::ElementsAre("set cali40s:edited: 2 members instead of 1",
                                     "set cali40s:gone: is gone",
                                     "set cali40s:retyped: is of type hash:ip,port now"));
  for (const char* name : {"cali40s:edited", "cali40s:gone", "cali40s:retyped"}) {
    EXPECT_EQ(this->Members(name), Nets({"10.0.0.1"})) << name;
  }
  EXPECT_EQ(this->Names().size(), 4U);  // the left-over temporary is gone
}

TYPED_TEST_P(RegistryContract, VerifyFindsAnEditThatKeepsTheCount) {
  this->registry().Stage(NewSet(Key4("s:a"), ManyHosts(5000)));
  this->registry().Stage(NewSet(Key4("s:b"), NetSet({"0.0.0.0/0"})));
  ASSERT_TRUE(this->Apply(this->registry()));
  const auto net = ir::SetKind::kNet;
  const auto v4 = model::IpFamily::kV4;
  ASSERT_TRUE(this->Do(ipset::DeleteMembers{"cali40s:a", net, v4, Nets({"10.0.0.9"})}).ok());
  ASSERT_TRUE(this->Do(ipset::AddMembers{"cali40s:a", net, v4, Nets({"66.0.0.0/8"})}).ok());

  this->registry().Resync();
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_TRUE(this->registry().TakeDamage().empty());
  while (this->registry().verify_pending()) ASSERT_TRUE(this->registry().Verify().ok());
  EXPECT_THAT(this->registry().TakeDamage(),
              ::testing::ElementsAre(
                  "set cali40s:a: 1 members are missing and 1 are there that nobody wants"));
  ASSERT_TRUE(this->Apply(this->registry()));
  const ir::AddressSet wanted = ManyHosts(5000);
  EXPECT_EQ(this->Members("cali40s:a"),
            std::vector<ir::SetMember>(wanted.members.begin(), wanted.members.end()));
}

TYPED_TEST_P(RegistryContract, VerifyIsNotConfusedByWritesOfItsOwn) {
  ipset::RegistryOptions options;
  options.verify_budget = std::chrono::microseconds(0);  // one portion each time
  ipset::Registry registry(model::IpFamily::kV4, this->kernel(), options);
  registry.Stage(NewSet(Key4("s:a"), ManyHosts(20000)));
  ASSERT_TRUE(this->Apply(registry));
  registry.Resync();
  ASSERT_TRUE(this->Apply(registry));
  std::uint32_t host = 0;
  for (; registry.verify_pending(); ++host) {
    ASSERT_TRUE(registry.Verify().ok());
    const auto last = ManyHosts(1, 0x0a000000U + 19999U - host);
    const auto more = ManyHosts(1, 0x0b000000U + host);
    registry.Stage(ChangedSet(Key4("s:a"), {more.members.begin(), more.members.end()},
                              {last.members.begin(), last.members.end()}));
    ASSERT_TRUE(this->Apply(registry, false));
  }
  EXPECT_GT(host, 3U);
  EXPECT_TRUE(registry.TakeDamage().empty());
}

TYPED_TEST_P(RegistryContract, QuarantinesASetAboveTheCeilingUntilItShrinks) {
  ipset::RegistryOptions options;
  options.max_set_size = 3;
  ipset::Registry registry(model::IpFamily::kV4, this->kernel(), options);
  registry.Stage(NewSet(Key4("s:a"), ManyHosts(4)));
  registry.Stage(NewSet(Key4("s:b"), ManyHosts(3)));
  EXPECT_FALSE(registry.ApplyUpserts(true).ok());
  ASSERT_EQ(registry.quarantined().size(), 1U);
  EXPECT_EQ(registry.quarantined().begin()->first, "s:a");
  EXPECT_EQ(
      registry.quarantined().begin()->second,
      absl::ResourceExhaustedError("set cali40s:a: no room for member 10.0.0.3: at most 3 may be"));
  EXPECT_EQ(this->Members("cali40s:b").size(), 3U);
  registry.Stage(ChangedSet(Key4("s:a"), {}, Nets({"10.0.0.0"})));
  ASSERT_TRUE(this->Apply(registry));
  EXPECT_TRUE(registry.quarantined().empty());
  EXPECT_EQ(this->Members("cali40s:a"), Nets({"10.0.0.1", "10.0.0.2", "10.0.0.3"}));
}

TYPED_TEST_P(RegistryContract, RaisesTheCeilingOfSetsInUse) {
  ipset::RegistryOptions options;
  options.max_set_size = 2;
  ipset::Registry registry(model::IpFamily::kV4, this->kernel(), options);
  registry.Stage(NewSet(Key4("s:a"), ManyHosts(2)));
  ASSERT_TRUE(this->Apply(registry));
  this->environment().Reference("cali40s:a");
  registry.Stage(ChangedSet(Key4("s:a"), Nets({"11.0.0.1"}), {}));
  EXPECT_FALSE(registry.ApplyUpserts(true).ok());
  EXPECT_EQ(registry.quarantined().size(), 1U);
  registry.SetMaxSetSize(5);
  ASSERT_TRUE(this->Apply(registry));
  EXPECT_TRUE(registry.quarantined().empty());
  EXPECT_EQ(this->Members("cali40s:a").size(), 3U);
  EXPECT_EQ((*this->environment().kernel().Read("cali40s:a"))->header.max_members, 5U);
  EXPECT_THAT(this->Names(), ::testing::ElementsAre("cali40s:a"));
}

TYPED_TEST_P(RegistryContract, GrowsASetThatSomebodyMadeSmaller) {
  this->registry().Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1", "10.0.0.2"})));
  ASSERT_TRUE(this->Apply(this->registry()));
  ASSERT_TRUE(this->Do(ipset::DestroySet{"cali40s:a"}).ok());
  ASSERT_TRUE(
      this->Do(ipset::CreateSet{"cali40s:a", ir::SetKind::kNet, model::IpFamily::kV4, 1024, 2})
          .ok());
  ASSERT_TRUE(this->Do(ipset::AddMembers{"cali40s:a", ir::SetKind::kNet, model::IpFamily::kV4,
                                         Nets({"10.0.0.1", "10.0.0.2"})})
                  .ok());
  this->registry().Stage(ChangedSet(Key4("s:a"), Nets({"10.0.0.3"}), {}));
  ASSERT_TRUE(this->Apply(this->registry()));
  EXPECT_EQ(this->Members("cali40s:a"), Nets({"10.0.0.1", "10.0.0.2", "10.0.0.3"}));
  EXPECT_THAT(this->Names(), ::testing::ElementsAre("cali40s:a"));
}

REGISTER_TYPED_TEST_SUITE_P(
    RegistryContract, CreatesChangesAndDestroysSets, RestartAdoptsWhatIsThereWithoutAWrite,
    SweepsLeftOversAndLeavesForeignSetsAlone, ResyncRepairsFlushedEditedAndDestroyedSets,
    ReplacesASetWithOtherParametersEvenWhileRulesNameIt,
    RecreatesASetOfAnotherTypeOnceNothingNamesIt, SwapsALargeChangeInOneStep,
    PostponesTheDestroyOfASetInUseToTheNextResync, RemoveEverythingLeavesOnlyForeignSets,
    AHeaderRoundFindsAndReportsWhatOthersDid, VerifyFindsAnEditThatKeepsTheCount,
    VerifyIsNotConfusedByWritesOfItsOwn, QuarantinesASetAboveTheCeilingUntilItShrinks,
    RaisesTheCeilingOfSetsInUse, GrowsASetThatSomebodyMadeSmaller);

}  // namespace felix::testing
