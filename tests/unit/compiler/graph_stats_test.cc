// SPDX-License-Identifier: Apache-2.0
// How an answer came about: a lost optimisation fails here like a wrong result.
#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "model/host_endpoint.h"
#include "tests/support/builders.h"
#include "tests/unit/compiler/graph_fixture.h"

namespace felix::compiler {
namespace {

class GraphStatsTest : public GraphFixture {
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

  Stats before_;
};

TEST_F(GraphStatsTest, AnUnchangedValueStopsAtTheDoor) {
  Set(testing::EndpointId("l03"), testing::Endpoint("cali03", {}, {{"role", "db"}}));
  EXPECT_TRUE(graph_.Flush().empty());
  EXPECT_EQ(graph_.stats().store.suppressed, before_.store.suppressed + 1);
  EXPECT_EQ(graph_.stats().policy_resolver.recomputed, before_.policy_resolver.recomputed);
}

TEST_F(GraphStatsTest, ARemoteEndpointTouchesOnlyTheSetsItIsIn) {
  Set(testing::EndpointId("r99", "host-b"),
      testing::Endpoint("cali0", {"10.0.1.1"}, {{"role", "web"}}));
  const ir::DesiredDelta delta = graph_.Flush();
  EXPECT_EQ(graph_.stats().policy_resolver.recomputed, before_.policy_resolver.recomputed);
  EXPECT_EQ(graph_.stats().policies_rendered, before_.policies_rendered);
  EXPECT_EQ(graph_.stats().members_changed, before_.members_changed + 1);
  EXPECT_EQ(graph_.stats().label_index.recomputed,
            before_.label_index.recomputed);  // a known class
  EXPECT_EQ(delta.changed_sets.size(), 1U);
  EXPECT_TRUE(delta.chains.empty());
}

TEST_F(GraphStatsTest, OneLocalLabelChangeRendersThatEndpointAlone) {
  Set(testing::EndpointId("l03"),
      testing::Endpoint("cali03", {}, {{"role", "db"}, {"colour", "red"}}));
  EXPECT_TRUE(graph_.Flush().empty());  // the same policies apply: the same chains
  EXPECT_EQ(graph_.stats().local_endpoints.recomputed, before_.local_endpoints.recomputed + 1);
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
  EXPECT_EQ(graph_.stats().policy_resolver.recomputed, before_.policy_resolver.recomputed);
  EXPECT_EQ(graph_.stats().label_index.recomputed, before_.label_index.recomputed);
}

TEST_F(GraphStatsTest, APolicyEditRendersThatPolicyAlone) {
  Set(testing::GlobalPolicy("p"), testing::PolicyOf("role == 'db'", {testing::Deny()}));
  const ir::DesiredDelta delta = graph_.Flush();
  EXPECT_EQ(graph_.stats().policies_rendered, before_.policies_rendered + 2);  // two directions
  EXPECT_EQ(graph_.stats().local_endpoints.recomputed, before_.local_endpoints.recomputed);
  EXPECT_EQ(delta.chains.size(), 4U);
  EXPECT_EQ(delta.removed_sets.size(), 2U);
}

TEST_F(GraphStatsTest, AnUnchangedValueReachesNoPass) {
  Set(testing::EndpointId("l03"), testing::Endpoint("cali03", {}, {{"role", "db"}}));
  static_cast<void>(graph_.Flush());
  Stats expected = before_;
  ++expected.store.updates_in;
  ++expected.store.suppressed;
  for (const auto& [name, pass] : kPasses) EXPECT_EQ(graph_.stats().*pass, expected.*pass) << name;
}

TEST_F(GraphStatsTest, WhateverReachesThePassesIsEmittedOrSuppressed) {
  for (const auto& [name, pass] : kPasses) {
    if (name == "host_endpoints") continue;  // there are none
    const PassStats& work = before_.*pass;
    EXPECT_GT(work.updates_in, 0U) << name;
    if (name == "pools") continue;
    EXPECT_GT(work.emitted, 0U) << name;
  }
  EXPECT_EQ(before_.store.updates_in, before_.store.emitted + before_.store.suppressed);
  EXPECT_EQ(before_.emitter.recomputed, before_.emitter.emitted + before_.emitter.suppressed);
  EXPECT_EQ(before_.set_members.recomputed,
            before_.set_members.emitted + before_.set_members.suppressed);
  EXPECT_EQ(before_.active_rules.recomputed, before_.policies_rendered + before_.shapes_rendered);
}

TEST_F(GraphStatsTest, ALabelChangeEmitsOnlyTheSetsWhoseMembershipChanged) {
  model::PolicyRule by_colour = testing::Allow();
  by_colour.source.selector = testing::Select("colour == 'red'");
  Set(testing::GlobalPolicy("colours"), testing::PolicyOf("role == 'db'", {by_colour}));
  static_cast<void>(graph_.Flush());
  const Stats before = graph_.stats();
  // It stays in the set of role web and joins that of colour red.
  Set(testing::EndpointId("r05", "host-b"),
      testing::Endpoint("cali0", {"10.0.0.5"}, {{"role", "web"}, {"colour", "red"}}));
  const ir::DesiredDelta delta = graph_.Flush();
  EXPECT_EQ(delta.changed_sets.size(), 1U);
  EXPECT_TRUE(delta.chains.empty());
  const Stats& after = graph_.stats();
  EXPECT_EQ(after.set_members.emitted, before.set_members.emitted + 1);
  EXPECT_EQ(after.local_endpoints, before.local_endpoints);
  EXPECT_EQ(after.active_rules, before.active_rules);
  EXPECT_EQ(after.emitter, before.emitter);
}

TEST_F(GraphStatsTest, InterfacesEndWhereNoHostEndpointWantsThem) {
  Set(model::InterfaceId{"eth0"}, model::Interface{});
  EXPECT_TRUE(graph_.Flush().empty());
  const PassStats unwanted = graph_.stats().host_endpoints;
  EXPECT_EQ(unwanted.suppressed, 1U);
  EXPECT_EQ(unwanted.recomputed, 0U);
  Set(model::HostEndpointId{testing::OptionsOfThisHost().hostname, "e"},
      model::HostEndpoint{.interface_name = "eth0",
                          .expected_addresses = {},
                          .labels = {},
                          .profiles = {},
                          .ports = {}});
  EXPECT_FALSE(graph_.Flush().empty());
  EXPECT_EQ(graph_.stats().host_endpoints.recomputed, 1U);
}

TEST_F(GraphStatsTest, ARemoteEndpointNeverReachesARenderingPass) {
  Set(testing::EndpointId("r99", "host-b"),
      testing::Endpoint("cali0", {"10.0.1.1"}, {{"role", "web"}, {"new", "label"}}));
  static_cast<void>(graph_.Flush());
  const model::Update gone{testing::EndpointId("r99", "host-b"), std::nullopt};
  graph_.OnUpdates({&gone, 1});
  static_cast<void>(graph_.Flush());
  EXPECT_EQ(graph_.stats().policy_resolver, before_.policy_resolver);
  EXPECT_EQ(graph_.stats().local_endpoints, before_.local_endpoints);
  EXPECT_EQ(graph_.stats().active_rules, before_.active_rules);
  EXPECT_EQ(graph_.stats().emitter, before_.emitter);
}

TEST_F(GraphStatsTest, APolicyThatSelectsNobodyHereEndsAtTheRules) {
  model::PolicyRule rule = testing::Allow();
  rule.source.selector = testing::Select("role == 'other'");
  Set(testing::GlobalPolicy("q"), testing::PolicyOf("role == 'nobody'", {rule}));
  static_cast<void>(graph_.Flush());
  EXPECT_EQ(graph_.stats().active_rules.suppressed, before_.active_rules.suppressed + 1);
  EXPECT_EQ(graph_.stats().active_rules.recomputed, before_.active_rules.recomputed);
  EXPECT_EQ(graph_.stats().set_members, before_.set_members);
  EXPECT_EQ(graph_.stats().emitter, before_.emitter);
}

class HostEndpointStats : public GraphStatsTest {
 protected:
  HostEndpointStats() {
    Set(kHost, HostEndpointOf({{"role", "host"}}));
    SetInterface("192.0.2.1");
    static_cast<void>(graph_.Flush());
    host_ = graph_.stats();
  }
  void SetInterface(std::string_view address) {
    Set(model::InterfaceId{"eth0"}, model::Interface{{testing::Address(address)}});
  }
  static model::HostEndpoint HostEndpointOf(model::LabelSet labels) {
    model::HostEndpoint endpoint;
    endpoint.interface_name = "eth0";
    endpoint.labels = std::move(labels);
    return endpoint;
  }

  const model::HostEndpointId kHost{std::string(testing::kThisHost), "eth0"};
  Stats host_;
};

TEST_F(HostEndpointStats, AnEndpointWithItsInterfaceIsSettledOnce) {
  EXPECT_EQ(host_.host_endpoints.updates_in, before_.host_endpoints.updates_in + 2);
  EXPECT_EQ(host_.host_endpoints.recomputed, before_.host_endpoints.recomputed + 1);
  EXPECT_EQ(host_.host_endpoints.emitted, before_.host_endpoints.emitted + 1);
  EXPECT_EQ(host_.host_endpoints.suppressed, before_.host_endpoints.suppressed);
  EXPECT_GT(host_.policy_resolver.recomputed, before_.policy_resolver.recomputed);
  EXPECT_EQ(host_.local_endpoints, before_.local_endpoints);
}

TEST_F(HostEndpointStats, AnAddressThatChangesNoLayoutReachesNoRenderingPass) {
  SetInterface("192.0.2.2");
  EXPECT_TRUE(graph_.Flush().empty());
  const Stats& after = graph_.stats();
  EXPECT_EQ(after.host_endpoints.recomputed, host_.host_endpoints.recomputed + 1);
  EXPECT_EQ(after.host_endpoints.suppressed, host_.host_endpoints.suppressed + 1);
  EXPECT_EQ(after.host_endpoints.emitted, host_.host_endpoints.emitted);
  EXPECT_EQ(after.active_rules, host_.active_rules);
  EXPECT_EQ(after.emitter, host_.emitter);
}

TEST_F(HostEndpointStats, APolicyOfAHostEndpointAloneLeavesTheResolver) {
  Set(testing::GlobalPolicy("h"), testing::PolicyOf("role == 'host'", {testing::Allow()}));
  EXPECT_FALSE(graph_.Flush().empty());
  const Stats& after = graph_.stats();
  EXPECT_EQ(after.policy_resolver.emitted, host_.policy_resolver.emitted + 1);
  EXPECT_EQ(after.policy_resolver.suppressed, host_.policy_resolver.suppressed);
  EXPECT_EQ(after.host_endpoints.emitted, host_.host_endpoints.emitted + 1);
  EXPECT_EQ(after.local_endpoints, host_.local_endpoints);
}

// A selector that only denies something cannot be found by a label. It may be tried for each new
// set of labels, but an endpoint that joins a known one tries nobody, and an edit tries one
// selector.
class NegatedSelectors : public GraphStatsTest,
                         public ::testing::WithParamInterface<const char*> {};

TEST_P(NegatedSelectors, AreNotTriedForEndpointsOfKnownLabels) {
  model::PolicyRule rule = testing::Allow();
  rule.source.selector = testing::Select(GetParam());
  Set(testing::GlobalPolicy("negated"), testing::PolicyOf("role == 'db'", {rule}));
  static_cast<void>(graph_.Flush());
  const std::uint64_t first = graph_.stats().label_index.recomputed;
  EXPECT_LE(first, before_.label_index.recomputed + 2);  // two label sets, not 40 endpoints
  for (int i = 0; i < 20; ++i) {
    Set(testing::EndpointId(fmt::format("s{:02}", i), "host-b"),
        testing::Endpoint("cali0", {fmt::format("10.0.2.{}", i)}, {{"role", "web"}}));
  }
  static_cast<void>(graph_.Flush());
  EXPECT_EQ(graph_.stats().label_index.recomputed, first);
}

TEST_P(NegatedSelectors, DoNotHaveOthersTriedWhenTheyChange) {
  for (int i = 0; i < 50; ++i) {
    model::PolicyRule other = testing::Allow();
    other.source.selector = testing::Select(fmt::format("tag == 't{}'", i));
    Set(testing::GlobalPolicy(fmt::format("other{}", i)),
        testing::PolicyOf("role == 'db'", {other}));
  }
  static_cast<void>(graph_.Flush());
  const std::uint64_t before = graph_.stats().label_index.recomputed;
  model::PolicyRule rule = testing::Allow();
  rule.source.selector = testing::Select(GetParam());
  Set(testing::GlobalPolicy("negated"), testing::PolicyOf("role == 'db'", {rule}));
  static_cast<void>(graph_.Flush());
  EXPECT_LE(graph_.stats().label_index.recomputed, before + 2);
}

INSTANTIATE_TEST_SUITE_P(Kinds, NegatedSelectors,
                         ::testing::Values("role != 'db'", "role not in {'db', 'x'}", "!has(app)"));

}  // namespace
}  // namespace felix::compiler
