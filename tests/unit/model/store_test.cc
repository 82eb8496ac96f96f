// SPDX-License-Identifier: Apache-2.0
#include "model/store.h"

#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "model/endpoint.h"
#include "model/policy.h"
#include "model/update.h"

namespace felix::model {
namespace {

PolicyId Named(std::string name) {
  return PolicyId{.kind = PolicyKind::kGlobalNetworkPolicy, .namespace_name = {}, .name = name};
}

Update Gone(Key key) {
  return Update{.key = std::move(key), .value = std::nullopt};
}

TEST(Names, SpellPolicyKindsAndIds) {
  EXPECT_EQ(KindName(PolicyKind::kStagedKubernetesNetworkPolicy), "StagedKubernetesNetworkPolicy");
  EXPECT_EQ(KindName(PolicyKind::kNetworkPolicy), "NetworkPolicy");
  EXPECT_EQ(ShortKindName(PolicyKind::kStagedKubernetesNetworkPolicy), "sknp");
  EXPECT_EQ(ShortKindName(PolicyKind::kStagedGlobalNetworkPolicy), "sgnp");
  EXPECT_EQ(ShortKindName(PolicyKind::kStagedNetworkPolicy), "snp");
  EXPECT_EQ(Named("x").ToString(), "gnp/x");
  const PolicyId namespaced{
      .kind = PolicyKind::kNetworkPolicy, .namespace_name = "prod", .name = "x"};
  EXPECT_EQ(namespaced.ToString(), "np/prod/x");
}

TEST(Names, OnlyStagedKindsAreStaged) {
  EXPECT_FALSE(IsStaged(PolicyKind::kNetworkPolicy));
  EXPECT_FALSE(IsStaged(PolicyKind::kGlobalNetworkPolicy));
  EXPECT_TRUE(IsStaged(PolicyKind::kStagedNetworkPolicy));
  EXPECT_TRUE(IsStaged(PolicyKind::kStagedGlobalNetworkPolicy));
  EXPECT_TRUE(IsStaged(PolicyKind::kStagedKubernetesNetworkPolicy));
}

TEST(Names, SayWhatKindOfThingAKeyIs) {
  EXPECT_EQ(ToString(Key(WorkloadEndpointId{"h", "k8s", "ns/pod", "eth0"})),
            "workload endpoint h/k8s/ns/pod/eth0");
  EXPECT_EQ(ToString(Key(Named("x"))), "policy gnp/x");
  EXPECT_EQ(ToString(Key(TierId{"t"})), "tier t");
  EXPECT_EQ(ToString(Key(ProfileId{"p"})), "profile p");
  EXPECT_EQ(ToString(Key(NetworkSetId{"", "s"})), "network set s");
  EXPECT_EQ(ToString(Key(NetworkSetId{"ns", "s"})), "network set ns/s");
  EXPECT_EQ(ToString(Key(ConfigId{""})), "configuration of the cluster");
  EXPECT_EQ(ToString(Key(ConfigId{"h"})), "configuration of host h");
}

TEST(Store, ReportsWhetherAnythingChanged) {
  Store store;
  Tier tier;
  EXPECT_TRUE(store.Set({TierId{"t"}, tier}));
  EXPECT_FALSE(store.Set({TierId{"t"}, tier}));
  tier.order = 1.0;
  EXPECT_TRUE(store.Set({TierId{"t"}, tier}));
  EXPECT_EQ(store.tiers().at(TierId{"t"}).order, 1.0);
  EXPECT_TRUE(store.Set(Gone(TierId{"t"})));
  EXPECT_FALSE(store.Set(Gone(TierId{"t"})));
  EXPECT_EQ(store.size(), 0U);
}

TEST(Store, KeepsEveryKindOfThing) {
  Store store;
  EXPECT_TRUE(store.Set({WorkloadEndpointId{"h", "o", "w", "e"}, WorkloadEndpoint{}}));
  EXPECT_TRUE(store.Set({Named("p"), Policy{}}));
  EXPECT_TRUE(store.Set({Named("q"), BrokenPolicy{}}));
  EXPECT_TRUE(store.Set({TierId{"t"}, Tier{}}));
  EXPECT_TRUE(store.Set({ProfileId{"f"}, Profile{}}));
  EXPECT_TRUE(store.Set({NetworkSetId{"", "n"}, NetworkSet{}}));
  EXPECT_TRUE(store.Set({ConfigId{"h"}, ConfigParameters{}}));
  EXPECT_EQ(store.size(), 7U);
  EXPECT_EQ(store.endpoints().size(), 1U);
  EXPECT_EQ(store.policies().size(), 1U);
  EXPECT_EQ(store.broken_policies().size(), 1U);
  EXPECT_EQ(store.profiles().size(), 1U);
  EXPECT_EQ(store.network_sets().size(), 1U);
  EXPECT_EQ(store.configs().size(), 1U);
}

TEST(Store, APolicyIsEitherWholeOrBroken) {
  Store store;
  store.Set({Named("p"), Policy{}});
  EXPECT_TRUE(store.Set({Named("p"), BrokenPolicy{}}));
  EXPECT_TRUE(store.policies().empty());
  EXPECT_FALSE(store.Set({Named("p"), BrokenPolicy{}}));
  EXPECT_TRUE(store.Set({Named("p"), Policy{}}));
  EXPECT_TRUE(store.broken_policies().empty());
  EXPECT_EQ(store.size(), 1U);
  store.Set({Named("p"), BrokenPolicy{}});
  EXPECT_TRUE(store.Set(Gone(Named("p"))));
  EXPECT_EQ(store.size(), 0U);
  EXPECT_FALSE(store.Set(Gone(Named("p"))));
}

TEST(Store, SnapshotRebuildsItInKeyOrder) {
  Store store;
  store.Set({ProfileId{"z"}, Profile{}});
  store.Set({Named("c"), Policy{}});
  store.Set({Named("a"), Policy{}});
  store.Set({Named("b"), BrokenPolicy{}});
  store.Set({Named("d"), BrokenPolicy{}});
  store.Set({ProfileId{"y"}, Profile{}});
  store.Set({WorkloadEndpointId{"h", "o", "w", "e"}, WorkloadEndpoint{}});
  const std::vector<Update> snapshot = store.Snapshot();
  std::vector<std::string> keys;
  Store rebuilt;
  for (const Update& update : snapshot) {
    keys.push_back(ToString(update.key));
    EXPECT_TRUE(rebuilt.Set(update));
  }
  EXPECT_THAT(keys,
              ::testing::ElementsAre("workload endpoint h/o/w/e", "policy gnp/a", "policy gnp/b",
                                     "policy gnp/c", "policy gnp/d", "profile y", "profile z"));
  EXPECT_EQ(rebuilt.Snapshot(), snapshot);
}

TEST(StoreDeathTest, RefusesAValueOfAnotherKindThanItsKey) {
  Store store;
  EXPECT_DEATH(store.Set({TierId{"t"}, Profile{}}), "another kind");
  EXPECT_DEATH(store.Set({Named("p"), Tier{}}), "another kind");
}

}  // namespace
}  // namespace felix::model
