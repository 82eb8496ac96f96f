// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/support/oracle_world.h"

namespace felix::testing {
namespace {

using model::PolicyKind;
using model::Tier;
using model::TierDefaultAction;
using model::TierId;

model::Policy DbPolicy(std::vector<model::PolicyRule> ingress, std::string_view tier = "default",
                       std::optional<double> order = std::nullopt) {
  model::Policy policy = PolicyOf("role == 'db'", std::move(ingress), tier);
  policy.egress.clear();
  policy.egress_applies = false;
  policy.order = order;
  return policy;
}

// A db whose profile allows everything and whose tiers exist.
struct PolicyWorld : OracleWorld {
  PolicyWorld() {
    resources.Add(TierId{"first"}, Tier{1, TierDefaultAction::kDeny});
    resources.Add(TierId{"default"}, Tier{100, TierDefaultAction::kDeny});
  }
  PolicyWorld& With(std::string_view name, model::Policy policy) {
    resources.Add(GlobalPolicy(name), std::move(policy));
    return *this;
  }
};

TEST(OraclePolicy, LetsTheFirstMatchingRuleDecide) {
  auto log = Rule(model::RuleAction::kLog);
  EXPECT_EQ(PolicyWorld().With("p", DbPolicy({log, Allow(), Deny()})).Judge(WebToDb()),
            Verdict::kAccept);
  EXPECT_EQ(PolicyWorld().With("p", DbPolicy({log, Deny(), Allow()})).Judge(WebToDb()),
            Verdict::kDeny);
}

TEST(OraclePolicy, AppliesOnlyToWhatItSelects) {
  PolicyWorld world;
  world.With("p", PolicyOf("role == 'cache'", {Deny()}));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
}

TEST(OraclePolicy, DeniesAtTheEndOfATierThatHadASay) {
  PolicyWorld world;
  world.With("p", DbPolicy({}));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  EXPECT_EQ(world.Reason(WebToDb()), "ingress: end of tier default");
  world.resources.Add(TierId{"default"}, Tier{100, TierDefaultAction::kPass});
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
}

TEST(OraclePolicy, PoliciesOfOneDirectionSayNothingAboutTheOther) {
  PolicyWorld world;
  auto egress_only = PolicyOf("role == 'db'", {Deny()});
  egress_only.ingress_applies = false;
  world.With("p", egress_only);
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  EXPECT_EQ(world.Judge(Tcp("cali2", "10.0.0.2", "eth0", "1.2.3.4")), Verdict::kDeny);
}

TEST(OraclePolicy, AllowInAnEarlierTierIsFinal) {
  PolicyWorld world;
  world.With("a", DbPolicy({Allow()}, "first")).With("b", DbPolicy({Deny()}));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
}

TEST(OraclePolicy, PassSkipsTheRestOfTheTier) {
  PolicyWorld world;
  world.With("a", DbPolicy({Pass(), Deny()}, "first", 1));
  world.With("b", DbPolicy({Deny()}, "first", 2));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept) << "the profile decides";
  world.With("c", DbPolicy({}, "default"));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny) << "the pass ended with its tier";
}

TEST(OraclePolicy, OrdersTiersByNumberThenAbsenceThenName) {
  PolicyWorld world;
  world.With("a", DbPolicy({Allow()}, "first")).With("b", DbPolicy({Deny()}));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  world.resources.Add(TierId{"first"}, Tier{std::nullopt, TierDefaultAction::kDeny});
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny) << "no order is last";
  world.resources.Add(TierId{"default"}, Tier{std::nullopt, TierDefaultAction::kDeny});
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny) << "default before first";
  world.resources.Add(TierId{"first"}, Tier{-0.5, TierDefaultAction::kDeny});
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  world.resources.Remove(TierId{"first"});
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny) << "an unknown tier is behind all known ones";
}

TEST(OraclePolicy, APolicyOfAnUnknownTierDeniesAtItsEnd) {
  PolicyWorld world;
  world.With("p", DbPolicy({}, "nowhere"));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  world.With("p", DbPolicy({Allow()}, "nowhere"));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
}

TEST(OraclePolicy, OrdersPoliciesByNumberWithAbsentLast) {
  PolicyWorld world;
  world.With("a", DbPolicy({Deny()})).With("z", DbPolicy({Allow()}, "default", 1e9));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  world.With("a", DbPolicy({Deny()}, "default", -1));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
}

TEST(OraclePolicy, BreaksTiesByNameThenNamespaceThenKind) {
  PolicyWorld world;
  world.With("b", DbPolicy({Deny()}, "default", 1));
  // "a…" is before "b/…" although its kind is the greater one.
  const model::PolicyId namespaced{PolicyKind::kNetworkPolicy, "ns", "a"};
  world.resources.Add(namespaced, DbPolicy({Allow()}, "default", 1));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  // "b-/ns/…" is before "b//…", since '-' is before '/'.
  world.resources.Remove(namespaced);
  world.resources.Add(model::PolicyId{PolicyKind::kNetworkPolicy, "ns", "b-"},
                      DbPolicy({Allow()}, "default", 1));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
}

TEST(OraclePolicy, ProfilesDecideInTheOrderListed) {
  OracleWorld world;
  auto db = OracleWorld::Db();
  db.profiles = {"silent", "strict", "open"};
  world.resources.Add(EndpointId("db"), db);
  world.resources.Add(model::ProfileId{"silent"}, ProfileOf({}));
  world.resources.Add(model::ProfileId{"strict"}, ProfileOf({Deny()}));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  world.resources.Add(model::ProfileId{"strict"}, ProfileOf({Pass(), Deny()}));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept) << "pass is no verdict in a profile";
}

TEST(OraclePolicy, UnknownProfilesAndNoProfilesDeny) {
  OracleWorld world;
  auto db = OracleWorld::Db();
  db.profiles = {"unknown", "open"};
  world.resources.Add(EndpointId("db"), db);
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  db.profiles = {"open", "unknown"};
  world.resources.Add(EndpointId("db"), db);
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  db.profiles = {};
  world.resources.Add(EndpointId("db"), db);
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
}

TEST(OraclePolicy, ExpectsBothEndpointsToAgree) {
  PolicyWorld world;
  world.With("p", PolicyOf("role == 'web'", {Deny()}));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  EXPECT_EQ(world.Judge(WorldToDb()), Verdict::kAccept);
}

TEST(OraclePolicy, UntrackedAndPreDnatPoliciesAreNotForWorkloads) {
  PolicyWorld world;
  auto policy = DbPolicy({Deny()});
  policy.do_not_track = true;
  EXPECT_EQ(world.With("p", policy).Judge(WebToDb()), Verdict::kAccept);
  policy.do_not_track = false;
  policy.pre_dnat = true;
  EXPECT_EQ(world.With("p", policy).Judge(WebToDb()), Verdict::kAccept);
  policy.pre_dnat = false;
  policy.apply_on_forward = true;
  EXPECT_EQ(world.With("p", policy).Judge(WebToDb()), Verdict::kDeny);
}

TEST(OraclePolicy, StagedPoliciesHaveNoEffect) {
  for (const auto kind : {PolicyKind::kStagedNetworkPolicy, PolicyKind::kStagedGlobalNetworkPolicy,
                          PolicyKind::kStagedKubernetesNetworkPolicy}) {
    PolicyWorld world;
    world.resources.Add(model::PolicyId{kind, "ns", "s"}, DbPolicy({Deny()}, "first"));
    EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
    world.With("p", DbPolicy({}, "first"));
    EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  }
}

TEST(OraclePolicy, BrokenPoliciesAreAbsentOrDenyAtTheirPlace) {
  PolicyWorld world;
  model::BrokenPolicy broken;
  broken.order = 5;
  broken.selector = Select("role == 'db'");
  broken.egress_applies = false;
  world.resources.Add(GlobalPolicy("broken"), broken);
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  world.options.invalid_policy_action = compiler::InvalidPolicyAction::kDrop;
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  EXPECT_EQ(world.Judge(Tcp("cali2", "10.0.0.2", "eth0", "1.2.3.4")), Verdict::kAccept);
  world.With("before", DbPolicy({Allow()}, "default", 4));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
  world.With("before", DbPolicy({Allow()}, "default", 6));
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kDeny);
  broken.selector.reset();
  world.resources.Add(GlobalPolicy("broken"), broken);
  EXPECT_EQ(world.Judge(WebToDb()), Verdict::kAccept);
}

TEST(OraclePolicy, InheritsLabelsFromProfilesInOrder) {
  PolicyWorld world;
  auto db = OracleWorld::Db();
  db.profiles = {"one", "two", "open"};
  world.resources.Add(EndpointId("db"), db);
  model::Profile one = ProfileOf({});
  one.labels_to_apply = {{"role", "from-one"}, {"zone", "from-one"}};
  model::Profile two = ProfileOf({});
  two.labels_to_apply = {{"zone", "from-two"}, {"rack", "from-two"}};
  world.resources.Add(model::ProfileId{"one"}, one).Add(model::ProfileId{"two"}, two);
  const auto denied_by = [&](std::string_view selector) {
    world.With("p", PolicyOf(selector, {Deny()}));
    return world.Judge(WorldToDb()) == Verdict::kDeny;
  };
  EXPECT_TRUE(denied_by("role == 'db'"));
  EXPECT_FALSE(denied_by("role == 'from-one'"));
  EXPECT_TRUE(denied_by("zone == 'from-one'"));
  EXPECT_FALSE(denied_by("zone == 'from-two'"));
  EXPECT_TRUE(denied_by("rack == 'from-two'"));
}

}  // namespace
}  // namespace felix::testing
