// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_policy.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "model/base/hash.h"
#include "tests/unit/datastore/decoding.h"

namespace felix::datastore {
namespace {

using model::Policy;
using model::RuleAction;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kFullPolicy = R"(
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata:
  name: default.db
  namespace: prod
  labels: {projectcalico.org/tier: default}
  annotations: {projectcalico.org/metadata: '{"name":"db"}'}
spec:
  tier: default
  order: 100.5
  selector: role == 'db'
  serviceAccountSelector: trusted == 'yes'
  types: [Ingress, Egress]
  ingress:
  - action: Log
    metadata: {annotations: {why: audit}}
  - action: Allow
    ipVersion: 4
    protocol: TCP
    source:
      selector: app == 'web'
      namespaceSelector: team == 'x'
      notSelector: bad == 'yes'
      serviceAccounts: {names: [web, api], selector: env == 'p'}
    destination: {ports: [5432, "6000:6010", metrics]}
  - {action: Allow, protocol: ICMP, icmp: {type: 8, code: 0}}
  - action: Deny
    notProtocol: SCTP
    source: {nets: [198.51.100.0/24], notNets: [198.51.100.7/32]}
  egress:
  - {action: Pass, protocol: 132}
)";

TEST(NetworkPolicy, IsConvertedWithTheIdsThatCalicoGives) {
  const Decoded decoded = DecodeOne(kFullPolicy);
  EXPECT_EQ(decoded.key,
            model::Key(model::PolicyId{model::PolicyKind::kNetworkPolicy, "prod", "default.db"}));
  EXPECT_EQ(decoded.object, "NetworkPolicy prod/default.db");
  const auto policy = DecodeValue<Policy>(kFullPolicy);
  EXPECT_EQ(policy.tier, "default");
  EXPECT_EQ(policy.order, 100.5);
  EXPECT_EQ(
      policy.selector.text(),
      R"(((role == "db" && projectcalico.org/namespace == "prod") && pcsa.trusted == "yes"))");
  ASSERT_THAT(policy.ingress, SizeIs(4));
  EXPECT_EQ(policy.ingress[0].action, RuleAction::kLog);

  const model::PolicyRule& allow = policy.ingress[1];
  EXPECT_EQ(allow.action, RuleAction::kAllow);
  EXPECT_EQ(allow.ip_version, model::IpFamily::kV4);
  EXPECT_EQ(allow.protocol, model::kTcp);
  ASSERT_TRUE(allow.source.selector.has_value());
  EXPECT_EQ(allow.source.selector->text(),
            R"(((pcns.team == "x" && ((pcsa.env == "p" && projectcalico.org/serviceaccount in )"
            R"({"api", "web"}) && app == "web")) && !bad == "yes"))");
  EXPECT_EQ(allow.source.selector->id(), "s:1GHsAEGhMwpqiuQ71DFvakhBFU5FGZ4ayXY7kw");
  EXPECT_FALSE(allow.source.not_selector.has_value());
  EXPECT_THAT(allow.destination.ports.ranges,
              ElementsAre(model::PortRange{5432, 5432}, model::PortRange{6000, 6010}));
  EXPECT_THAT(allow.destination.ports.names, ElementsAre("metrics"));
  EXPECT_EQ(UniqueId("n", model::Selector().id() + ",tcp,metrics"),
            "n:Ng9a6LX2Rpo1BadzfeJlUKusThJqQS-FA9Yp3g");

  EXPECT_EQ(policy.ingress[2].icmp, (model::IcmpMatch{8, 0}));
  EXPECT_EQ(policy.ingress[2].ip_version, model::IpFamily::kV4);
  EXPECT_EQ(policy.ingress[3].not_protocol, model::kSctp);
  EXPECT_THAT(policy.ingress[3].source.nets, ElementsAre(*model::Cidr::Parse("198.51.100.0/24")));
  EXPECT_THAT(policy.ingress[3].source.not_nets,
              ElementsAre(*model::Cidr::Parse("198.51.100.7/32")));
  EXPECT_FALSE(policy.ingress[3].source.selector.has_value());
  ASSERT_THAT(policy.egress, SizeIs(1));
  EXPECT_EQ(policy.egress[0].action, RuleAction::kPass);
  EXPECT_EQ(policy.egress[0].protocol, model::kSctp);
}

struct PolicySelectorCase {
  std::string spec;
  std::string canonical;
};

TEST(NetworkPolicy, SelectsWithinItsNamespace) {
  const PolicySelectorCase cases[] = {
      {"{}", R"(projectcalico.org/namespace == "prod")"},
      {"{selector: ''}", R"(projectcalico.org/namespace == "prod")"},
      {"{selector: ' '}", R"(projectcalico.org/namespace == "prod")"},
      {"{selector: \"role == 'db'\"}",
       R"((role == "db" && projectcalico.org/namespace == "prod"))"},
      {"{selector: \"a == '1' || b == '2'\"}",
       R"(((a == "1" || b == "2") && projectcalico.org/namespace == "prod"))"},
      {"{selector: all()}", R"((all() && projectcalico.org/namespace == "prod"))"},
      {"{serviceAccountSelector: has(x)}",
       R"((projectcalico.org/namespace == "prod" && has(pcsa.x)))"},
  };
  for (const PolicySelectorCase& c : cases) {
    EXPECT_EQ(DecodeValue<Policy>(PolicyYaml(c.spec)).selector.text(), c.canonical) << c.spec;
  }
}

TEST(GlobalNetworkPolicy, FoldsNamespacesAndAccountsIntoItsSelector) {
  const PolicySelectorCase cases[] = {
      {"{}", "all()"},
      {"{selector: has(host), namespaceSelector: ''}", "has(host)"},
      {"{namespaceSelector: team == 'x'}", R"(pcns.team == "x")"},
      {"{selector: has(a), namespaceSelector: team == 'x'}", R"((has(a) && pcns.team == "x"))"},
      {"{selector: all(), namespaceSelector: all()}",
       "(has(projectcalico.org/namespace) && has(projectcalico.org/namespace))"},
      {"{serviceAccountSelector: all()}", "has(projectcalico.org/serviceaccount)"},
      {"{namespaceSelector: has(n), serviceAccountSelector: has(s)}",
       "(has(pcns.n) && has(pcsa.s))"},
  };
  for (const PolicySelectorCase& c : cases) {
    EXPECT_EQ(DecodeValue<Policy>(GlobalPolicyYaml(c.spec)).selector.text(), c.canonical) << c.spec;
  }
}

struct EntityCase {
  std::string source;
  std::string positive;  // empty: none
  std::string negative;
};

model::EntityMatch SourceOf(const std::string& policy) {
  const auto read = DecodeValue<Policy>(policy);
  return read.ingress.empty() ? model::EntityMatch() : read.ingress.front().source;
}

void ExpectSelectors(const model::EntityMatch& match, const EntityCase& c) {
  EXPECT_EQ(match.selector ? match.selector->text() : "", c.positive) << c.source;
  EXPECT_EQ(match.not_selector ? match.not_selector->text() : "", c.negative) << c.source;
}

TEST(NetworkPolicy, LimitsTheSelectorsOfItsRulesToItsNamespace) {
  const std::string ns = R"(projectcalico.org/namespace == "prod")";
  const EntityCase cases[] = {
      {"{}", "", ""},
      {"{nets: [10.0.0.0/8]}", "", ""},
      {"{selector: app == 'web'}", "(" + ns + R"( && app == "web"))", ""},
      {"{notSelector: bad == 'y'}", "(" + ns + R"( && !bad == "y"))", ""},
      {"{namespaceSelector: team == 'x'}", R"(pcns.team == "x")", ""},
      {"{namespaceSelector: all()}", "has(projectcalico.org/namespace)", ""},
      {"{namespaceSelector: global(), selector: role == 'db'}",
       R"((!has(projectcalico.org/namespace) && role == "db"))", ""},
      {"{serviceAccounts: {names: [a, b]}, selector: r == '1'}",
       "(" + ns + R"( && (projectcalico.org/serviceaccount in {"a", "b"} && r == "1")))", ""},
      {"{serviceAccounts: {selector: has(x)}}", "(" + ns + " && has(pcsa.x))", ""},
      {"{serviceAccounts: {}}", "", ""},
  };
  for (const EntityCase& c : cases) {
    ExpectSelectors(SourceOf(PolicyYaml("{ingress: [{action: Allow, source: " + c.source + "}]}")),
                    c);
  }
}

TEST(GlobalNetworkPolicy, LeavesTheSelectorsOfItsRulesUnlimited) {
  const EntityCase cases[] = {
      {"{selector: app == 'web'}", R"(app == "web")", ""},
      {"{notSelector: bad == 'y'}", "", R"(bad == "y")"},
      {"{selector: has(a), notSelector: has(b)}", "(has(a) && !has(b))", ""},
      {"{namespaceSelector: global()}", "!has(projectcalico.org/namespace)", ""},
      {"{serviceAccounts: {names: [a]}}", R"(projectcalico.org/serviceaccount in {"a"})", ""},
  };
  for (const EntityCase& c : cases) {
    ExpectSelectors(
        SourceOf(GlobalPolicyYaml("{ingress: [{action: Allow, source: " + c.source + "}]}")), c);
  }
}

struct TypesCase {
  std::string spec;
  bool ingress;
  bool egress;
};

TEST(Policy, GetsTheTypesThatTheClientWouldFillIn) {
  const TypesCase cases[] = {
      {"{}", true, false},
      {"{types: []}", true, false},
      {"{ingress: [{action: Allow}]}", true, false},
      {"{egress: [{action: Allow}]}", false, true},
      {"{ingress: [{action: Allow}], egress: [{action: Allow}]}", true, true},
      {"{types: [Egress], ingress: [{action: Allow}]}", false, true},
      {"{types: [egress, INGRESS]}", true, true},
  };
  for (const TypesCase& c : cases) {
    const auto policy = DecodeValue<Policy>(GlobalPolicyYaml(c.spec));
    EXPECT_EQ(policy.ingress_applies, c.ingress) << c.spec;
    EXPECT_EQ(policy.egress_applies, c.egress) << c.spec;
  }
}

TEST(Policy, KeepsOrderAndTierAsWritten) {
  EXPECT_EQ(DecodeValue<Policy>(GlobalPolicyYaml("{}")).order, std::nullopt);
  EXPECT_EQ(DecodeValue<Policy>(GlobalPolicyYaml("{order: null}")).order, std::nullopt);
  EXPECT_EQ(DecodeValue<Policy>(GlobalPolicyYaml("{order: 1e2}")).order, 100.0);
  EXPECT_EQ(DecodeValue<Policy>(GlobalPolicyYaml("{order: 1e308}")).order, 1e308);
  EXPECT_EQ(DecodeValue<Policy>(GlobalPolicyYaml("{order: -0}")).order, 0.0);
  EXPECT_EQ(DecodeValue<Policy>(GlobalPolicyYaml("{}")).tier, "default");
  EXPECT_EQ(DecodeValue<Policy>(GlobalPolicyYaml("{tier: nowhere}")).tier, "nowhere");
}

TEST(GlobalNetworkPolicy, ReadsTheOptionsForHosts) {
  const auto policy = DecodeValue<Policy>(GlobalPolicyYaml(
      "{preDNAT: true, applyOnForward: true, performanceHints: [AssumeNeededOnEveryNode]}"));
  EXPECT_TRUE(policy.pre_dnat);
  EXPECT_TRUE(policy.apply_on_forward);
  EXPECT_FALSE(policy.do_not_track);
  EXPECT_TRUE(policy.assume_needed_on_every_node);
}

TEST(Policy, ThatIsStagedHasAKeyAndNoValue) {
  for (const std::string_view kind : {"StagedNetworkPolicy", "StagedKubernetesNetworkPolicy"}) {
    const Decoded decoded =
        DecodeOne(ObjectYaml(kind, "{name: p, namespace: prod}", "{stagedAction: Set}"));
    EXPECT_TRUE(decoded.key.has_value()) << kind;
    EXPECT_FALSE(decoded.value.has_value()) << kind;
    EXPECT_FALSE(decoded.refusal.has_value()) << kind;
  }
  EXPECT_TRUE(DecodeOne(ObjectYaml("StagedGlobalNetworkPolicy", "{name: p}", "{}")).key);
}

TEST(Policy, TellsWhatItCoveredWhenItsRulesAreBroken) {
  const Decoded decoded = DecodeOne(
      GlobalPolicyYaml("{tier: sec, order: 7, selector: has(a), egress: [{action: Nope}]}"));
  ASSERT_TRUE(decoded.policy.has_value());
  EXPECT_EQ(decoded.policy->tier, "sec");
  EXPECT_EQ(decoded.policy->order, std::optional<double>(7));
  EXPECT_EQ(decoded.policy->selector->text(), "has(a)");
  EXPECT_EQ(decoded.policy->types, (PolicyTypes{false, true}));
}

TEST(Policy, TellsNothingOfWhatItCannotRead) {
  const Decoded decoded =
      DecodeOne(GlobalPolicyYaml("{tier: 1, order: x, selector: has(, types: [No]}"));
  ASSERT_TRUE(decoded.policy.has_value());
  EXPECT_EQ(*decoded.policy, PolicyParts());
  EXPECT_EQ(*DecodeOne(GlobalPolicyYaml("[]")).policy, PolicyParts());
}

}  // namespace
}  // namespace felix::datastore
