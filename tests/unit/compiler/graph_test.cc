// SPDX-License-Identifier: Apache-2.0
#include "compiler/graph.h"

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "compiler/names.h"
#include "tests/support/builders.h"
#include "tests/support/interpreter.h"
#include "tests/unit/compiler/graph_fixture.h"

namespace felix::compiler {
namespace {

using model::IpFamily;
using testing::Packet;
using testing::Verdict;

class GraphTest : public GraphFixture {
 protected:
  Verdict Send(const Packet& packet) {
    static_cast<void>(graph_.Flush());
    return testing::Run(graph_.desired(), packet);
  }
  static Packet ToCali1() {
    Packet packet;
    packet.source = testing::Address("192.0.2.1");
    packet.destination = testing::Address("10.0.0.1");
    packet.destination_port = 80;
    packet.in_interface = "eth0";
    packet.out_interface = "cali1";
    return packet;
  }
  [[nodiscard]] bool HasChain(const std::string& name) const {
    return graph_.desired().chains.contains(
        {.family = IpFamily::kV4, .table = ir::Table::kFilter, .name = name});
  }
};

TEST_F(GraphTest, DropsUnknownInterfacesFromTheStart) {
  EXPECT_EQ(Send(ToCali1()), Verdict::kDeny);
}

TEST_F(GraphTest, AMissingProfileDeniesUntilItComesAndAfterItWent) {
  Set(testing::EndpointId("a"), testing::Endpoint("cali1", {"10.0.0.1"}, {}, {"open"}));
  EXPECT_EQ(Send(ToCali1()), Verdict::kDeny);
  Set(model::ProfileId{"open"}, testing::ProfileOf({testing::Allow()}));
  EXPECT_EQ(Send(ToCali1()), Verdict::kAccept);
  Remove(model::ProfileId{"open"});
  EXPECT_EQ(Send(ToCali1()), Verdict::kDeny);
}

TEST_F(GraphTest, EstablishedFlowsPassOnlyBehindTheChecks) {
  Set(testing::EndpointId("a"), testing::Endpoint("cali1", {"10.0.0.1"}));
  Packet reply = ToCali1();
  reply.conntrack = testing::ConntrackState::kEstablished;
  EXPECT_EQ(Send(reply), Verdict::kAccept);

  Packet out;
  out.source = testing::Address("10.0.0.1");
  out.destination = testing::Address("192.0.2.1");
  out.in_interface = "cali1";
  out.out_interface = "eth0";
  out.conntrack = testing::ConntrackState::kEstablished;
  EXPECT_EQ(Send(out), Verdict::kAccept);
  out.source = testing::Address("10.0.0.2");  // a neighbour's
  EXPECT_EQ(Send(out), Verdict::kDeny);
  out.source = testing::Address("10.0.0.1");
  out.in_interface = "cali9";
  EXPECT_EQ(Send(out), Verdict::kDeny);

  model::WorkloadEndpoint down = testing::Endpoint("cali1", {"10.0.0.1"});
  down.admin_up = false;
  Set(testing::EndpointId("a"), down);
  EXPECT_EQ(Send(reply), Verdict::kDeny);
  out.in_interface = "cali1";
  EXPECT_EQ(Send(out), Verdict::kDeny);
}

TEST_F(GraphTest, ContainersWithTheSameListShareItsChain) {
  Set(model::ProfileId{"open"}, testing::ProfileOf({testing::Allow()}));
  for (int i = 0; i < 50; ++i) {
    Set(testing::EndpointId(fmt::format("e{}", i)),
        testing::Endpoint(fmt::format("cali{}", i), {}, {}, {"open"}));
  }
  static_cast<void>(graph_.Flush());
  int shapes = 0;
  int endpoint_rules = 0;
  for (const auto& [key, chain] : graph_.desired().chains) {
    if (key.family != IpFamily::kV4) continue;
    shapes += key.name.starts_with("cali-si-") || key.name.starts_with("cali-se-");
    if (key.name.starts_with("cali-tw-")) endpoint_rules += static_cast<int>(chain.rules.size());
  }
  EXPECT_EQ(shapes, 2);  // one per direction
  EXPECT_EQ(endpoint_rules, 50);
}

TEST_F(GraphTest, RemoteEndpointsRenderNoChains) {
  static_cast<void>(graph_.Flush());
  const std::size_t before = graph_.desired().chains.size();
  Set(testing::EndpointId("r", "host-b"), testing::Endpoint("cali1", {"10.0.0.9"}, {}, {"open"}));
  EXPECT_TRUE(graph_.Flush().empty());
  EXPECT_EQ(graph_.desired().chains.size(), before);
}

TEST_F(GraphTest, OfTwoClaimsToAnInterfaceTheSmallerIdWinsAndTheOtherWaits) {
  Set(model::ProfileId{"open"}, testing::ProfileOf({testing::Allow()}));
  Set(testing::EndpointId("b"), testing::Endpoint("cali1", {"10.0.0.2"}, {}, {"open"}));
  EXPECT_EQ(Send(ToCali1()), Verdict::kAccept);
  Set(testing::EndpointId("a"), testing::Endpoint("cali1", {"10.0.0.1"}));
  EXPECT_EQ(Send(ToCali1()), Verdict::kDeny);
  ASSERT_EQ(graph_.unused().size(), 1U);
  EXPECT_THAT(graph_.unused()[0].object, ::testing::HasSubstr("/b/"));
  Remove(testing::EndpointId("a"));
  EXPECT_EQ(Send(ToCali1()), Verdict::kAccept);
  EXPECT_TRUE(graph_.unused().empty());
}

TEST_F(GraphTest, AWorkloadCannotClaimAHostInterface) {
  Set(testing::EndpointId("a"), testing::Endpoint("eth0", {"10.0.0.1"}));
  static_cast<void>(graph_.Flush());
  EXPECT_FALSE(HasChain("cali-tw-eth0"));
  ASSERT_EQ(graph_.unused().size(), 1U);
  EXPECT_THAT(graph_.unused()[0].reason, ::testing::HasSubstr("workload prefix"));
}

TEST_F(GraphTest, ABrokenPolicyIsAbsentOrDeniesAsConfigured) {
  Set(model::ProfileId{"open"}, testing::ProfileOf({testing::Allow()}));
  Set(testing::EndpointId("a"), testing::Endpoint("cali1", {"10.0.0.1"}, {}, {"open"}));
  model::BrokenPolicy broken;
  broken.selector = testing::Select("all()");
  Set(testing::GlobalPolicy("p"), broken);
  EXPECT_EQ(Send(ToCali1()), Verdict::kAccept);
  Options options = testing::OptionsOfThisHost();
  options.invalid_policy_action = InvalidPolicyAction::kDrop;
  graph_.SetOptions(options);
  EXPECT_EQ(Send(ToCali1()), Verdict::kDeny);
  Set(testing::GlobalPolicy("p"), testing::PolicyOf("all()", {testing::Allow()}));
  EXPECT_EQ(Send(ToCali1()), Verdict::kAccept);
}

TEST_F(GraphTest, WithoutIpv6SupportNothingIsSaidAboutIpv6) {
  Options options = testing::OptionsOfThisHost();
  options.ipv6_support = false;
  Graph graph(options);
  static_cast<void>(graph.Flush());
  for (const auto& [key, chain] : graph.desired().chains) EXPECT_EQ(key.family, IpFamily::kV4);
  for (const auto& [key, rules] : graph.desired().hooks) EXPECT_EQ(key.family, IpFamily::kV4);
}

}  // namespace
}  // namespace felix::compiler
