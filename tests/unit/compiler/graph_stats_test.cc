// SPDX-License-Identifier: Apache-2.0
// How an answer came about: a lost optimisation fails here like a wrong result.
#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "tests/support/builders.h"

namespace felix::compiler {
namespace {

class GraphStatsTest : public ::testing::Test {
 protected:
  GraphStatsTest() {
    model::PolicyRule from_web = testing::Allow();
    from_web.source.selector = testing::Select("role == 'web'");
    Set(testing::GlobalPolicy("p"), testing::PolicyOf("role == 'db'", {from_web}));
    for (int i = 0; i < 20; ++i) {
      Set(testing::EndpointId(fmt::format("l{:02}", i)),
          testing::Endpoint(fmt::format("cali{:02}", i), {}, {{"role", "db"}}));
      Set(testing::EndpointId(fmt::format("r{:02}", i), "host-b"),
          testing::Endpoint("cali0", {fmt::format("10.0.0.{}", i)}, {{"role", "web"}}));
    }
    static_cast<void>(graph_.Flush());
    before_ = graph_.stats();
  }
  void Set(model::Key key, model::Resource value) {
    const model::Update update{std::move(key), std::move(value)};
    graph_.OnUpdates({&update, 1});
  }

  Graph graph_{testing::OptionsOfThisHost()};
  Stats before_;
};

TEST_F(GraphStatsTest, AnUnchangedValueStopsAtTheDoor) {
  Set(testing::EndpointId("l03"), testing::Endpoint("cali03", {}, {{"role", "db"}}));
  EXPECT_TRUE(graph_.Flush().empty());
  EXPECT_EQ(graph_.stats().updates_suppressed, before_.updates_suppressed + 1);
  EXPECT_EQ(graph_.stats().endpoints_resolved, before_.endpoints_resolved);
}

TEST_F(GraphStatsTest, ARemoteEndpointTouchesOnlyTheSetsItIsIn) {
  Set(testing::EndpointId("r99", "host-b"),
      testing::Endpoint("cali0", {"10.0.1.1"}, {{"role", "web"}}));
  const ir::DesiredDelta delta = graph_.Flush();
  EXPECT_EQ(graph_.stats().endpoints_resolved, before_.endpoints_resolved);
  EXPECT_EQ(graph_.stats().policies_rendered, before_.policies_rendered);
  EXPECT_EQ(graph_.stats().members_changed, before_.members_changed + 1);
  EXPECT_EQ(graph_.stats().selector_evaluations, before_.selector_evaluations);  // a known class
  EXPECT_EQ(delta.changed_sets.size(), 1U);
  EXPECT_TRUE(delta.chains.empty());
}

TEST_F(GraphStatsTest, OneLocalLabelChangeRendersThatEndpointAlone) {
  Set(testing::EndpointId("l03"),
      testing::Endpoint("cali03", {}, {{"role", "db"}, {"colour", "red"}}));
  EXPECT_TRUE(graph_.Flush().empty());  // the same policies apply: the same chains
  EXPECT_EQ(graph_.stats().endpoints_rendered, before_.endpoints_rendered + 1);
  EXPECT_EQ(graph_.stats().shapes_rendered, before_.shapes_rendered);
  EXPECT_EQ(graph_.stats().policies_rendered, before_.policies_rendered);
  EXPECT_EQ(graph_.stats().dispatch_rendered, before_.dispatch_rendered);
}

TEST_F(GraphStatsTest, APolicyThatSelectsNobodyHereCostsNothingHere) {
  model::PolicyRule rule = testing::Allow();
  rule.source.selector = testing::Select("role == 'other'");
  Set(testing::GlobalPolicy("q"), testing::PolicyOf("role == 'nobody'", {rule}));
  EXPECT_TRUE(graph_.Flush().empty());
  EXPECT_EQ(graph_.stats().policies_rendered, before_.policies_rendered);
  EXPECT_EQ(graph_.stats().endpoints_resolved, before_.endpoints_resolved);
  EXPECT_EQ(graph_.stats().selector_evaluations, before_.selector_evaluations);
}

TEST_F(GraphStatsTest, APolicyEditRendersThatPolicyAlone) {
  Set(testing::GlobalPolicy("p"), testing::PolicyOf("role == 'db'", {testing::Deny()}));
  const ir::DesiredDelta delta = graph_.Flush();
  EXPECT_EQ(graph_.stats().policies_rendered, before_.policies_rendered + 2);  // two directions
  EXPECT_EQ(graph_.stats().endpoints_rendered, before_.endpoints_rendered);
  EXPECT_EQ(delta.chains.size(), 4U);
  EXPECT_EQ(delta.removed_sets.size(), 2U);
}

}  // namespace
}  // namespace felix::compiler
