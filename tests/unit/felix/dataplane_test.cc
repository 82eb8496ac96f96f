// SPDX-License-Identifier: Apache-2.0
#include "felix/dataplane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "felix/cleanup.h"
#include "ipset/set_name.h"
#include "tests/unit/felix/fake_host_kernel.h"
#include "tests/unit/felix/manual_clock.h"

namespace felix {
namespace {

using model::IpFamily;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kSetId = "s:abc";

ir::SetMember Net(const std::string& text) {
  return {.net = model::Cidr::Parse(text).value(), .protocol = {}, .port = 0};
}

std::string SetName(IpFamily family, const std::string& id = kSetId) {
  return ipset::KernelSetName({family, id});
}

// One set, one chain that names it, one hook that leads there.
void AddFamily(IpFamily family, const std::string& set_id, ir::DesiredState& state) {
  const std::string net = family == IpFamily::kV4 ? "10.0.0.1/32" : "fd00::1/128";
  state.sets[{family, set_id}].members.insert(Net(net));
  state.chains[{family, ir::Table::kFilter, "cali-x"}].rules = {
      ir::When(ir::SetMatch{.set_id = set_id}).Then(ir::Accept{})};
  state.hooks[{family, ir::Table::kFilter, ir::BaseChain::kForward, ir::HookPosition::kFirst}] = {
      ir::When().Then(ir::Jump{"cali-x"})};
}

ir::DesiredState BothFamilies(const std::string& set_id = kSetId) {
  ir::DesiredState state;
  for (const IpFamily family : model::kIpFamilies) AddFamily(family, set_id, state);
  return state;
}

class DataplaneTest : public ::testing::Test {
 protected:
  void Stage(const ir::DesiredState& state) {
    dataplane.Stage(ir::Diff(staged, state));
    staged = state;
  }

  testing::ManualClock clock;
  testing::FakeHost host;
  testing::FakeHostKernel kernel{host};
  Dataplane dataplane{clock, kernel, {}};
  ir::DesiredState staged;
};

TEST_F(DataplaneTest, DoesNothingToTheKernelBeforeItIsToldToApply) {
  Stage(BothFamilies());
  EXPECT_TRUE(host.Untouched());
}

TEST_F(DataplaneTest, BringsSetsAndRulesOfBothFamilies) {
  Stage(BothFamilies());
  const ApplyReport report = dataplane.Apply();
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.sets_created, 2U);
  EXPECT_EQ(report.members_added, 2U);
  EXPECT_EQ(report.commits, 2U);
  EXPECT_EQ(report.rules_written, 4U);
  for (const IpFamily family : model::kIpFamilies) {
    EXPECT_TRUE(host.HasChain(family, "cali-x"));
    EXPECT_TRUE(host.sets.Exists(SetName(family)));
  }
}

TEST_F(DataplaneTest, WritesNothingIfNothingChanged) {
  Stage(BothFamilies());
  dataplane.Apply();
  dataplane.ResyncSets();
  dataplane.ResyncTables();
  const ApplyReport report = dataplane.Apply();
  EXPECT_TRUE(report.ok());
  EXPECT_FALSE(report.wrote());
  EXPECT_EQ(report.tables_applied, 2);
}

TEST_F(DataplaneTest, AdoptsWhatAnotherProcessLeft) {
  Stage(BothFamilies());
  dataplane.Apply();
  Dataplane successor(clock, kernel, {});
  successor.Stage(ir::Diff({}, BothFamilies()));
  EXPECT_FALSE(successor.Apply().wrote());
}

TEST_F(DataplaneTest, TouchesNothingOfIpv6IfThatIsSwitchedOff) {
  DataplaneOptions options;
  options.ipv6_support = false;
  dataplane.SetOptions(options, staged);
  Stage(BothFamilies());
  const ApplyReport report = dataplane.Apply();
  EXPECT_TRUE(report.ok());
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-x"));
  EXPECT_EQ(host.v6().opens(), 0);
  EXPECT_FALSE(host.sets.Exists(SetName(IpFamily::kV6)));
}

TEST_F(DataplaneTest, CatchesUpWithIpv6WhenThatIsSwitchedOn) {
  DataplaneOptions options;
  options.ipv6_support = false;
  dataplane.SetOptions(options, staged);
  Stage(BothFamilies());
  dataplane.Apply();
  options.ipv6_support = true;
  dataplane.SetOptions(options, staged);
  EXPECT_TRUE(dataplane.Apply().ok());
  EXPECT_TRUE(host.HasChain(IpFamily::kV6, "cali-x"));
}

TEST_F(DataplaneTest, LetsATableWaitForItsSetAndTheOtherFamilyProceed) {
  host.sets.FailStep(1, absl::ResourceExhaustedError("no room"));
  Stage(BothFamilies());
  const ApplyReport report = dataplane.Apply();
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.waiting, 1);
  EXPECT_EQ(report.hard_failures, 0);
  EXPECT_FALSE(host.HasChain(IpFamily::kV4, "cali-x"));
  EXPECT_TRUE(host.HasChain(IpFamily::kV6, "cali-x"));

  EXPECT_TRUE(dataplane.Apply().ok());
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-x"));
}

TEST_F(DataplaneTest, KeepsWhatOldRulesNameWhileTheTableCannotBeWritten) {
  Stage(BothFamilies("s:old"));
  dataplane.Apply();
  Stage(BothFamilies("s:new"));
  host.v4().FailCommit(absl::ResourceExhaustedError("cannot allocate memory"));
  const ApplyReport report = dataplane.Apply();
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.failures[0].what, "write the ipv4 filter table");
  EXPECT_EQ(report.hard_failures, 1);
  EXPECT_TRUE(host.sets.Exists(SetName(IpFamily::kV4, "s:old")));
  EXPECT_FALSE(host.sets.Exists(SetName(IpFamily::kV6, "s:old")));

  EXPECT_TRUE(dataplane.Apply().ok());
  EXPECT_FALSE(host.sets.Exists(SetName(IpFamily::kV4, "s:old")));
}

TEST_F(DataplaneTest, ReportsAPolicyThatCannotBeWrittenAndWritesAllElse) {
  ir::DesiredState state = BothFamilies();
  ir::Rule rule = ir::When().Then(ir::Log{.prefix = "two\nlines"});
  rule.provenance.owner = "gnp/bad";
  state.chains[{IpFamily::kV4, ir::Table::kFilter, "cali-pi-bad"}].rules = {rule};
  Stage(state);
  const ApplyReport report = dataplane.Apply();
  EXPECT_TRUE(report.ok());
  ASSERT_EQ(report.closed.size(), 1U);
  EXPECT_EQ(report.closed[0].table, "ipv4 filter");
  EXPECT_EQ(report.closed[0].chain, "cali-pi-bad");
  EXPECT_EQ(report.closed[0].owner, "gnp/bad");
  EXPECT_THAT(report.closed[0].reason, HasSubstr("log prefix"));
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-x"));
  EXPECT_EQ(dataplane.Apply().closed, report.closed) << "for as long as it is so";
}

TEST_F(DataplaneTest, ClosesWhatNamesASetThatCannotBeHad) {
  ir::DesiredState state = BothFamilies();
  for (const IpFamily family : model::kIpFamilies) {
    state.chains[{family, ir::Table::kFilter, "cali-pi-a"}].rules = {
        ir::When(ir::SetMatch{.set_id = kSetId}).Then(ir::Drop{}).Because("gnp/a")};
  }
  for (auto& [key, chain] : state.chains) {
    if (key.name == "cali-x") chain.rules.clear();
  }
  for (const char* net : {"fd00::a/128", "fd00::b/128", "fd00::c/128"}) {
    state.sets.at({IpFamily::kV6, kSetId}).members.insert(Net(net));
  }
  DataplaneOptions small;
  small.sets.max_set_size = 2;
  dataplane.SetOptions(small, state);
  Stage(state);
  const ApplyReport report = dataplane.Apply();
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.waiting, 0);
  ASSERT_FALSE(report.closed.empty());
  for (const ApplyReport::ClosedChain& closed : report.closed) {
    EXPECT_EQ(closed.table, "ipv6 filter");
    EXPECT_THAT(closed.reason, HasSubstr("at most 2"));
  }
  EXPECT_TRUE(host.HasChain(IpFamily::kV6, "cali-pi-a"));
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-pi-a"));
  small.sets.max_set_size = 4096;
  dataplane.SetOptions(small, state);
  EXPECT_THAT(dataplane.Apply().closed, IsEmpty());
}

TEST_F(DataplaneTest, SweepsUnreachableChainsWhenASetMustGo) {
  ir::DesiredState state = BothFamilies();
  for (const IpFamily family : model::kIpFamilies) {
    state.sets[{family, "s:spare"}];
    state.chains[{family, ir::Table::kFilter, "cali-pi-spare"}].rules = {
        ir::When(ir::SetMatch{.set_id = "s:spare"}).Then(ir::Accept{})};
    state.chains[{family, ir::Table::kFilter, "cali-pi-other"}].rules = {
        ir::When().Then(ir::Accept{})};
  }
  Stage(state);
  ASSERT_TRUE(dataplane.Apply().ok());
  for (const IpFamily family : model::kIpFamilies) {
    state.chains.erase({family, ir::Table::kFilter, "cali-pi-other"});
  }
  Stage(state);
  EXPECT_EQ(dataplane.Apply().commits, 0U);
  Stage(BothFamilies());
  const ApplyReport report = dataplane.Apply();
  EXPECT_EQ(report.chains_deleted, 4U);
  EXPECT_EQ(report.sets_destroyed, 2U);
  EXPECT_EQ(report.destroys_refused, 0U);
}

TEST_F(DataplaneTest, TellsAHeldLockFromAFailure) {
  Stage(BothFamilies());
  host.v4().FailOpens(1, absl::UnavailableError("the lock is held"));
  const ApplyReport report = dataplane.Apply();
  EXPECT_TRUE(report.only_locked_out());
  EXPECT_EQ(report.hard_failures, 0);
  EXPECT_TRUE(host.sets.Exists(SetName(IpFamily::kV4))) << "sets need no lock";
  EXPECT_TRUE(dataplane.Apply().ok());
}

TEST_F(DataplaneTest, DoesNotDespairOfAKernelWithoutIpv6) {
  Stage(BothFamilies());
  host.v6().FailOpens(1, absl::FailedPreconditionError("table does not exist"));
  const ApplyReport report = dataplane.Apply();
  EXPECT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.hard_failures, 0);
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-x"));
}

TEST_F(DataplaneTest, MakesASetAgainThatSomebodyDestroyed) {
  Stage(BothFamilies());
  dataplane.Apply();
  host.sets.Vanish(SetName(IpFamily::kV4));
  dataplane.ResyncTables();
  const ApplyReport failed = dataplane.Apply();
  EXPECT_FALSE(failed.ok());
  const ApplyReport repaired = dataplane.Apply();
  EXPECT_TRUE(repaired.ok());
  EXPECT_EQ(repaired.sets_created, 1U);
}

TEST_F(DataplaneTest, MovesItsHooksWhenTheirPlaceChanges) {
  host.v4().ChangeUnlocked([](iptables::TableContent& content) {
    testing::ChainOf(content, "FORWARD").rules.push_back({});
  });
  Stage(BothFamilies());
  dataplane.Apply();
  DataplaneOptions options;
  options.placement = iptables::HookPlacement::kAppend;
  dataplane.SetOptions(options, staged);
  const ApplyReport report = dataplane.Apply();
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.commits, 1U) << "in IPv6 the hook stands alone";
}

TEST_F(DataplaneTest, LooksOnlyIntoOtherTablesThatExist) {
  host.present[IpFamily::kV4] = {ir::Table::kNat, ir::Table::kFilter};
  Stage(BothFamilies());
  dataplane.Apply();
  EXPECT_EQ(host.table(IpFamily::kV4, ir::Table::kNat).opens(), 1);
  EXPECT_EQ(host.table(IpFamily::kV4, ir::Table::kRaw).opens(), 0);
  EXPECT_EQ(host.table(IpFamily::kV6, ir::Table::kNat).opens(), 0);

  host.present[IpFamily::kV4].push_back(ir::Table::kRaw);
  dataplane.ResyncTables();
  dataplane.Apply();
  EXPECT_EQ(host.table(IpFamily::kV4, ir::Table::kRaw).opens(), 1);
}

class DeparturesTest : public DataplaneTest {
 protected:
  void SetUp() override {
    host.forget_flows = [this](IpFamily family, const absl::btree_set<model::IpAddress>& gone) {
      for (const model::IpAddress& address : gone) forgotten.push_back(address.ToString());
      rules_were_there = rules_were_there || host.HasChain(family, "cali-x");
      return answer;
    };
  }
  static ir::LocalAddress At(const std::string& interface_name, std::uint32_t address) {
    return {interface_name, model::IpAddress::V4(address)};
  }

  std::vector<std::string> forgotten;
  bool rules_were_there = false;
  absl::StatusOr<std::uint64_t> answer = 1;
};

TEST_F(DeparturesTest, LoseTheirConnectionsBeforeRulesOfANewOwnerAreWritten) {
  ir::DesiredState before;
  before.local_addresses = {At("cali1", 1), At("cali2", 2)};
  Stage(before);
  EXPECT_EQ(dataplane.Apply().flows_removed, 0U);
  ir::DesiredState after = BothFamilies();
  after.local_addresses = {At("cali9", 1), At("cali2", 2)};
  Stage(after);
  EXPECT_EQ(dataplane.Apply().flows_removed, 1U);
  EXPECT_EQ(forgotten, std::vector<std::string>{"0.0.0.1"});
  EXPECT_FALSE(rules_were_there);
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-x"));
  dataplane.Apply();
  EXPECT_EQ(forgotten.size(), 1U) << "once";
}

TEST_F(DeparturesTest, AreNoneIfTheAddressIsBackBeforeTheApply) {
  ir::DesiredState state;
  state.local_addresses = {At("cali1", 1)};
  Stage(state);
  dataplane.Apply();
  Stage({});
  Stage(state);
  dataplane.Apply();
  EXPECT_TRUE(forgotten.empty());
}

TEST_F(DeparturesTest, DoNotHoldBackRulesIfTheirConnectionsCannotBeEnded) {
  ir::DesiredState before;
  before.local_addresses = {At("cali1", 1)};
  Stage(before);
  dataplane.Apply();
  answer = absl::FailedPreconditionError("not supported by the kernel");
  Stage(BothFamilies());
  const ApplyReport report = dataplane.Apply();
  EXPECT_EQ(report.commits, 2U);
  EXPECT_EQ(report.hard_failures, 0);
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.failures[0].what, "end the ipv4 connections of addresses that left");
  answer = 3;
  const ApplyReport again = dataplane.Apply();
  EXPECT_TRUE(again.ok());
  EXPECT_EQ(again.flows_removed, 3U);
  EXPECT_EQ(forgotten.size(), 2U);
}

class CleanupTest : public DataplaneTest {};

TEST_F(CleanupTest, RemovesAllOfOursAndNothingElse) {
  host.present[IpFamily::kV4] = {ir::Table::kFilter};
  host.present[IpFamily::kV6] = {ir::Table::kFilter};
  host.v4().ChangeUnlocked([](iptables::TableContent& content) {
    testing::ChainOf(content, "FORWARD").rules.push_back({});
  });
  ASSERT_TRUE(host.sets.Execute(std::vector<ipset::Operation>{ipset::CreateSet{"theirs"}}).ok());
  Stage(BothFamilies());
  ASSERT_TRUE(dataplane.Apply().ok());

  const CleanupReport report = Cleanup(kernel, false);
  EXPECT_TRUE(report.status.ok());
  EXPECT_THAT(report.lines, Contains(HasSubstr("delete chain cali-x")));
  EXPECT_THAT(report.lines, Contains(HasSubstr("destroy " + SetName(IpFamily::kV4))));
  EXPECT_FALSE(host.HasChain(IpFamily::kV4, "cali-x"));
  EXPECT_FALSE(host.HasChain(IpFamily::kV6, "cali-x"));
  iptables::TableContent left = host.v4().content();
  EXPECT_EQ(testing::ChainOf(left, "FORWARD").rules.size(), 1U);
  EXPECT_EQ(host.sets.Names(), std::vector<std::string>{"theirs"});
}

TEST_F(CleanupTest, OnlySaysWhatItWouldDoWhenDry) {
  host.present[IpFamily::kV4] = {ir::Table::kFilter};
  Stage(BothFamilies());
  ASSERT_TRUE(dataplane.Apply().ok());
  const CleanupReport report = Cleanup(kernel, true);
  EXPECT_TRUE(report.status.ok());
  EXPECT_THAT(report.lines, Contains(HasSubstr("delete chain cali-x")));
  EXPECT_TRUE(host.HasChain(IpFamily::kV4, "cali-x"));
  EXPECT_TRUE(host.sets.Exists(SetName(IpFamily::kV4)));
}

TEST_F(CleanupTest, LoadsNoTableThatDoesNotExist) {
  const CleanupReport report = Cleanup(kernel, false);
  EXPECT_TRUE(report.status.ok());
  EXPECT_THAT(report.lines, IsEmpty());
  EXPECT_TRUE(host.Untouched());
}

TEST_F(CleanupTest, SaysWhichTableItCouldNotRead) {
  host.present[IpFamily::kV4] = {ir::Table::kFilter};
  host.v4().FailOpens(1, absl::PermissionDeniedError("permission denied"));
  EXPECT_THAT(std::string(Cleanup(kernel, false).status.message()),
              HasSubstr("ipv4 table filter: permission denied"));
}

}  // namespace
}  // namespace felix
