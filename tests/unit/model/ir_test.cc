// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "compiler/ir/address_set.h"
#include "compiler/ir/desired_state.h"
#include "compiler/ir/print.h"

namespace felix::ir {
namespace {

using model::Cidr;
using model::IpFamily;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Cidr Net(std::string_view text) {
  const auto net = Cidr::Parse(text);
  EXPECT_TRUE(net.ok()) << text;
  return net.value_or(Cidr());
}

SetMember Member(std::string_view net) {
  return SetMember{.net = Net(net), .protocol = {}, .port = 0};
}

SetKey V4Set(std::string id) {
  return SetKey{.family = IpFamily::kV4, .id = std::move(id)};
}

ChainKey FilterChain(std::string name) {
  return ChainKey{.family = IpFamily::kV4, .table = Table::kFilter, .name = std::move(name)};
}

Rule Plain(Action action) {
  return Rule{.matches = {}, .action = std::move(action), .provenance = {}};
}

TEST(SetMember, PrintsAsIpsetDoes) {
  EXPECT_EQ(Member("10.0.0.0/8").ToString(), "10.0.0.0/8");
  EXPECT_EQ(Member("10.0.0.1").ToString(), "10.0.0.1");
  EXPECT_EQ(Member("0.0.0.0/0").ToString(), "0.0.0.0/0");
  EXPECT_EQ(Member("fd00::1").ToString(), "fd00::1");
  const SetMember port{.net = Net("10.0.0.1"), .protocol = model::kTcp, .port = 80};
  EXPECT_EQ(port.ToString(), "10.0.0.1,tcp:80");
}

TEST(Names, OfTablesAndBaseChainsAreThoseOfIptables) {
  EXPECT_EQ(TableName(Table::kRaw), "raw");
  EXPECT_EQ(TableName(Table::kMangle), "mangle");
  EXPECT_EQ(TableName(Table::kNat), "nat");
  EXPECT_EQ(TableName(Table::kFilter), "filter");
  EXPECT_EQ(BaseChainName(BaseChain::kPrerouting), "PREROUTING");
  EXPECT_EQ(BaseChainName(BaseChain::kInput), "INPUT");
  EXPECT_EQ(BaseChainName(BaseChain::kForward), "FORWARD");
  EXPECT_EQ(BaseChainName(BaseChain::kOutput), "OUTPUT");
  EXPECT_EQ(BaseChainName(BaseChain::kPostrouting), "POSTROUTING");
}

TEST(Diff, OfEqualStatesIsEmpty) {
  DesiredState state;
  state.sets[V4Set("s:a")].members = {Member("10.0.0.1")};
  state.chains[FilterChain("cali-x")].rules = {Plain(Drop{})};
  state.hooks[HookKey{}] = {Plain(Accept{})};
  EXPECT_TRUE(Diff(state, state).empty());
  EXPECT_TRUE(Diff({}, {}).empty());
}

TEST(Diff, NamesMembersThatCameAndWent) {
  DesiredState from;
  from.sets[V4Set("s:a")].members = {Member("10.0.0.1"), Member("10.0.0.2")};
  DesiredState to;
  to.sets[V4Set("s:a")].members = {Member("10.0.0.2"), Member("10.0.0.3")};
  const DesiredDelta delta = Diff(from, to);
  ASSERT_EQ(delta.changed_sets.size(), 1U);
  EXPECT_THAT(delta.changed_sets.begin()->second.added, ElementsAre(Member("10.0.0.3")));
  EXPECT_THAT(delta.changed_sets.begin()->second.removed, ElementsAre(Member("10.0.0.1")));
  EXPECT_THAT(delta.new_sets, IsEmpty());
  EXPECT_THAT(delta.removed_sets, IsEmpty());
}

TEST(Diff, TreatsASetOfAnotherKindAsNew) {
  DesiredState from;
  from.sets[V4Set("s:a")].members = {Member("10.0.0.1")};
  DesiredState to = from;
  to.sets[V4Set("s:a")].kind = SetKind::kIpPort;
  const DesiredDelta delta = Diff(from, to);
  EXPECT_EQ(delta.new_sets, to.sets);
  EXPECT_THAT(delta.changed_sets, IsEmpty());
  EXPECT_THAT(delta.removed_sets, IsEmpty());
}

TEST(Diff, TellsAnEmptySetFromNone) {
  DesiredState to;
  to.sets[V4Set("s:a")];
  EXPECT_EQ(Diff({}, to).new_sets.size(), 1U);
  EXPECT_THAT(Diff(to, {}).removed_sets, ElementsAre(V4Set("s:a")));
}

TEST(Diff, KeepsFamiliesApart) {
  DesiredState from;
  from.sets[SetKey{IpFamily::kV4, "s:a"}];
  DesiredState to;
  to.sets[SetKey{IpFamily::kV6, "s:a"}];
  const DesiredDelta delta = Diff(from, to);
  EXPECT_THAT(delta.removed_sets, ElementsAre(SetKey{IpFamily::kV4, "s:a"}));
  EXPECT_EQ(delta.new_sets, to.sets);
}

TEST(Diff, SeesAProvenanceThatChanged) {
  DesiredState from;
  from.chains[FilterChain("cali-x")].rules = {Plain(Drop{}).Because("before")};
  DesiredState to;
  to.chains[FilterChain("cali-x")].rules = {Plain(Drop{}).Because("after")};
  EXPECT_EQ(Diff(from, to).chains, to.chains);
}

TEST(Diff, TellsOfAnAddressThatMovedToAnotherInterface) {
  const auto address = model::IpAddress::V4(0x0a000001);
  DesiredState from;
  from.local_addresses = {{"cali1", address}, {"cali3", address}};
  DesiredState to;
  to.local_addresses = {{"cali2", address}, {"cali3", address}};
  const DesiredDelta delta = Diff(from, to);
  EXPECT_THAT(delta.removed_local_addresses, ElementsAre(LocalAddress{"cali1", address}));
  EXPECT_THAT(delta.new_local_addresses, ElementsAre(LocalAddress{"cali2", address}));
  EXPECT_FALSE(delta.empty());
  Apply(delta, from);
  EXPECT_EQ(from, to);
}

TEST(Delta, IsEmptyOnlyWhenEveryPartIs) {
  EXPECT_TRUE(DesiredDelta().empty());
  DesiredDelta delta;
  delta.removed_hooks.insert(HookKey{});
  EXPECT_FALSE(delta.empty());
  delta = {};
  delta.changed_sets[V4Set("s:a")];
  EXPECT_FALSE(delta.empty());
  delta = {};
  delta.removed_chains.insert(FilterChain("x"));
  EXPECT_FALSE(delta.empty());
}

TEST(ApplyDeathTest, RefusesToChangeASetThatIsNotThere) {
  DesiredDelta delta;
  delta.changed_sets[V4Set("s:a")].added = {Member("10.0.0.1")};
  DesiredState state;
  EXPECT_DEATH(Apply(delta, state), "s:a");
}

DesiredState RandomState(std::mt19937& random) {
  const auto upto = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % (n + 1)); };
  DesiredState state;
  for (const char* id : {"s:a", "s:b", "s:c"}) {
    if (upto(2) == 0) continue;
    AddressSet& set = state.sets[SetKey{upto(1) == 0 ? IpFamily::kV4 : IpFamily::kV6, id}];
    set.kind = upto(3) == 0 ? SetKind::kIpPort : SetKind::kNet;
    const std::uint32_t count = upto(6);
    for (std::uint32_t i = 0; i < count; ++i) {
      set.members.insert(
          SetMember{.net = Cidr::Host(model::IpAddress::V4(upto(9))), .protocol = {}, .port = 0});
    }
  }
  for (const char* name : {"x", "y", "z"}) {
    if (upto(2) == 0) continue;
    state.chains[FilterChain(name)].rules.assign(upto(2), Plain(Jump{"t"}));
  }
  for (const auto base : {BaseChain::kForward, BaseChain::kInput}) {
    if (upto(2) == 0) continue;
    state.hooks[HookKey{.base = base}].assign(upto(2), Plain(Accept{}));
  }
  return state;
}

TEST(DiffProperty, AppliedToTheOldStateGivesTheNew) {
  std::mt19937 random(42);
  for (int round = 0; round < 2000; ++round) {
    const DesiredState from = RandomState(random);
    const DesiredState to = RandomState(random);
    const DesiredDelta delta = Diff(from, to);
    DesiredState state = from;
    Apply(delta, state);
    ASSERT_EQ(Print(state), Print(to));
    ASSERT_EQ(state, to);
    ASSERT_EQ(delta.empty(), from == to);
    for (const auto& [key, set] : delta.new_sets) {
      ASSERT_FALSE(delta.changed_sets.contains(key) || delta.removed_sets.contains(key));
    }
    for (const auto& [key, change] : delta.changed_sets) {
      ASSERT_FALSE(delta.removed_sets.contains(key));
      ASSERT_FALSE(change.added.empty() && change.removed.empty());
    }
    for (const auto& [key, chain] : delta.chains) ASSERT_FALSE(delta.removed_chains.contains(key));
    for (const auto& [key, rules] : delta.hooks) ASSERT_FALSE(delta.removed_hooks.contains(key));
  }
}

}  // namespace
}  // namespace felix::ir
