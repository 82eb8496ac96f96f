// SPDX-License-Identifier: Apache-2.0
// Each rule knows the object, the direction and the rule that it came from.
#include <string>

#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "model/base/check.h"
#include "tests/support/builders.h"
#include "tests/unit/compiler/graph_fixture.h"

namespace felix::compiler {
namespace {

class ProvenanceTest : public GraphFixture {
 protected:
  // The rules of the IPv4 chain, which must be there.
  const std::vector<ir::Rule>& RulesOf(const std::string& chain) {
    static_cast<void>(graph_.Flush());
    const auto found = graph_.desired().chains.find(
        {.family = model::IpFamily::kV4, .table = ir::Table::kFilter, .name = chain});
    FELIX_CHECK(found != graph_.desired().chains.end(), "no chain " + chain);
    return found->second.rules;
  }
};

TEST_F(ProvenanceTest, NamesPolicyDirectionAndIndexForEveryRuleOfAPolicy) {
  model::PolicyRule many = testing::Allow();
  many.protocol = model::kTcp;
  for (std::uint16_t port = 1; port < 100; port += 2) {
    many.source.ports.ranges.push_back({port, port});
    many.destination.ports.ranges.push_back({port, port});
  }
  model::Policy policy = testing::PolicyOf("all()", {testing::Deny(), many});
  policy.egress = {many, testing::Deny()};
  Set(testing::GlobalPolicy("p"), policy);
  Set(testing::EndpointId("e"), testing::Endpoint("cali1", {"10.0.0.1"}, {}));
  for (const auto& [chain, direction] : {std::pair("cali-pi-gnp/p", ir::Direction::kIngress),
                                         std::pair("cali-po-gnp/p", ir::Direction::kEgress)}) {
    int last = 0;
    const std::vector<ir::Rule>& rules = RulesOf(chain);
    ASSERT_GT(rules.size(), 2U);  // the rule with many ports takes several
    for (const ir::Rule& rule : rules) {
      EXPECT_EQ(rule.provenance.owner, "gnp/p");
      EXPECT_EQ(rule.provenance.direction, direction);
      EXPECT_GE(rule.provenance.rule_index, last);
      last = rule.provenance.rule_index;
    }
    EXPECT_EQ(rules.front().provenance.rule_index, 0);
    EXPECT_EQ(last, 1);
  }
}

TEST_F(ProvenanceTest, NamesTheProfile) {
  model::Profile profile;
  profile.egress = {testing::Allow()};
  Set(model::ProfileId{"q"}, profile);
  model::WorkloadEndpoint endpoint = testing::Endpoint("cali1", {"10.0.0.1"}, {});
  endpoint.profiles = {"q"};
  Set(testing::EndpointId("e"), endpoint);
  const std::vector<ir::Rule>& rules = RulesOf("cali-pro-q");
  ASSERT_EQ(rules.size(), 1U);
  const ir::Provenance expected{
      .owner = "profile/q", .direction = ir::Direction::kEgress, .rule_index = 0};
  EXPECT_EQ(rules[0].provenance, expected);
}

TEST_F(ProvenanceTest, SaysWhatRulesOfNoPolicyAreThereFor) {
  Set(testing::EndpointId("e"), testing::Endpoint("cali1", {"10.0.0.1"}, {}));
  static_cast<void>(graph_.Flush());
  for (const auto& [key, chain] : graph_.desired().chains) {
    for (const ir::Rule& rule : chain.rules)
      EXPECT_FALSE(rule.provenance.owner.empty()) << key.name;
  }
}

}  // namespace
}  // namespace felix::compiler
