// SPDX-License-Identifier: Apache-2.0
// That conntrack knows a flow excuses a packet from policy and from nothing else: the interface,
// the state of the endpoint and the source address are asked for all the same.
#include <cstdlib>
#include <memory>

#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "felix/clock.h"
#include "felix/dataplane.h"
#include "felix/host_kernel.h"
#include "tests/support/builders.h"
#include "tests/support/layouts.h"
#include "tests/support/network_namespace.h"
#include "tests/support/packet_tester.h"

namespace felix {
namespace {

using model::IpFamily;
using testing::Packet;
using testing::PacketTester;

struct Flow {
  IpFamily family;
  model::Protocol protocol;
  Packet from_container;  // container 1 to the world outside
};

std::vector<Flow> Flows() {
  std::vector<Flow> flows;
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    for (const model::Protocol protocol : {model::kTcp, model::kUdp}) {
      const bool v4 = family == IpFamily::kV4;
      flows.push_back({family,
                       protocol,
                       {.source = testing::Address(v4 ? "10.0.0.1" : "fd00::1"),
                        .destination = testing::Address(v4 ? "192.0.2.9" : "2001:db8::9"),
                        .protocol = protocol,
                        .source_port = 1024,
                        .destination_port = 80,
                        .in_interface = "cali1",
                        .out_interface = std::string(PacketTester::kOutside),
                        .conntrack = testing::ConntrackState::kEstablished}});
    }
  }
  return flows;
}

// The packet of the flow as somebody else would put it on the wire.
Packet By(const Flow& flow, std::string interface_name) {
  Packet packet = flow.from_container;
  packet.in_interface = std::move(interface_name);
  return packet;
}

// The packets that belong to the flow. An answer of TCP is left out: the sequence numbers of the
// made-up handshake would have connection tracking call it invalid.
std::vector<Packet> RightfulPackets(const Flow& flow) {
  if (flow.protocol == model::kTcp) return {flow.from_container};
  Packet answer = flow.from_container;
  std::swap(answer.source, answer.destination);
  std::swap(answer.source_port, answer.destination_port);
  std::swap(answer.in_interface, answer.out_interface);
  return {flow.from_container, answer};
}

class EstablishedFlow : public ::testing::TestWithParam<compiler::ChainLayout> {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    tester_ = std::make_unique<PacketTester>(std::vector<testing::Neighbour>{
        {"cali1", {testing::Address("10.0.0.1"), testing::Address("fd00::1")}},
        {"cali2", {testing::Address("10.0.0.2"), testing::Address("fd00::2")}},
        {"cali-unknown", {}},
    });
    std::vector<Packet> packets;
    for (const Flow& flow : Flows()) packets.push_back(flow.from_container);
    tester_->Establish(packets);
    // No policy, no profile: nothing new passes, so what passes is of an established flow.
    graph_.OnUpdates(std::vector<model::Update>{
        {testing::EndpointId("one"), EndpointOne(true)},
        {testing::EndpointId("two"), testing::Endpoint("cali2", {"10.0.0.2", "fd00::2"})},
    });
    tester_->router().Run([&] {
      auto kernel = OpenHostKernel({});
      ASSERT_TRUE(kernel.ok()) << kernel.status();
      kernel_ = *std::move(kernel);
      dataplane_ = std::make_unique<Dataplane>(clock_, *kernel_, DataplaneOptions{});
    });
    Apply();
  }

  void TearDown() override {
    if (tester_ == nullptr) return;
    tester_->router().Run([&] {
      dataplane_.reset();
      kernel_.reset();
    });
  }

  static model::WorkloadEndpoint EndpointOne(bool admin_up) {
    model::WorkloadEndpoint endpoint = testing::Endpoint("cali1", {"10.0.0.1", "fd00::1"});
    endpoint.admin_up = admin_up;
    return endpoint;
  }

  void Change(model::Update update) {
    graph_.OnUpdates({&update, 1});
    Apply();
  }

  void Apply() {
    tester_->router().Run([&] {
      dataplane_->Stage(graph_.Flush());
      const ApplyReport report = dataplane_->Apply();
      for (const ApplyReport::Failure& failure : report.failures) {
        ADD_FAILURE() << failure.what << ": " << failure.status;
      }
    });
  }

  void Expect(bool arrives, const std::vector<Packet>& packets) {
    const std::vector<bool> arrived = tester_->Send(packets);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      EXPECT_EQ(arrived[i], arrives) << packets[i];
    }
  }

  void ExpectRightfulPacketsPass() {
    std::vector<Packet> packets;
    for (const Flow& flow : Flows()) {
      for (const Packet& packet : RightfulPackets(flow)) packets.push_back(packet);
    }
    Expect(true, packets);
  }

  SystemClock clock_;
  compiler::Graph graph_{testing::OptionsOfThisHost(GetParam())};
  std::unique_ptr<PacketTester> tester_;
  std::unique_ptr<HostKernel> kernel_;
  std::unique_ptr<Dataplane> dataplane_;
};

TEST_P(EstablishedFlow, GoesOnThoughNothingNewPasses) {
  ExpectRightfulPacketsPass();
  std::vector<Packet> packets;
  for (const Flow& flow : Flows()) {
    Packet packet = flow.from_container;
    packet.source_port = 1025;
    packet.conntrack = testing::ConntrackState::kNew;
    packets.push_back(packet);
  }
  Expect(false, packets);
}

TEST_P(EstablishedFlow, IsShutToAnUnknownInterface) {
  std::vector<Packet> packets;
  for (const Flow& flow : Flows()) packets.push_back(By(flow, "cali-unknown"));
  Expect(false, packets);
  ExpectRightfulPacketsPass();
}

TEST_P(EstablishedFlow, IsShutToANeighbourThatBorrowsTheAddress) {
  std::vector<Packet> packets;
  for (const Flow& flow : Flows()) packets.push_back(By(flow, "cali2"));
  Expect(false, packets);
  ExpectRightfulPacketsPass();
}

TEST_P(EstablishedFlow, IsShutWhileTheEndpointIsAdministrativelyDown) {
  Change({testing::EndpointId("one"), EndpointOne(false)});
  for (const Flow& flow : Flows()) Expect(false, RightfulPackets(flow));
  Change({testing::EndpointId("one"), EndpointOne(true)});
  ExpectRightfulPacketsPass();
}

TEST_P(EstablishedFlow, IsNewAgainToAnotherContainerThatGetsTheAddress) {
  tester_->router().Run([&] {
    graph_.OnUpdates(std::vector<model::Update>{
        {testing::EndpointId("one"), std::nullopt},
        {testing::EndpointId("two"), testing::Endpoint("cali2", {"10.0.0.1", "fd00::1"})},
    });
    dataplane_->Stage(graph_.Flush());
    const ApplyReport report = dataplane_->Apply();
    EXPECT_TRUE(report.ok());
    EXPECT_EQ(report.flows_removed, Flows().size());
  });
  std::vector<Packet> packets;
  for (const Flow& flow : Flows()) packets.push_back(By(flow, "cali2"));
  Expect(false, packets);
}

TEST_P(EstablishedFlow, IsLeftAloneIfTheEndpointIsReplacedAtItsInterface) {
  tester_->router().Run([&] {
    graph_.OnUpdates(std::vector<model::Update>{
        {testing::EndpointId("one"), std::nullopt},
        {testing::EndpointId("another"), EndpointOne(true)},
    });
    dataplane_->Stage(graph_.Flush());
    EXPECT_EQ(dataplane_->Apply().flows_removed, 0U);
  });
  ExpectRightfulPacketsPass();
}

TEST_P(EstablishedFlow, IsShutOnceTheEndpointIsRemoved) {
  Change({testing::EndpointId("one"), std::nullopt});
  for (const Flow& flow : Flows()) Expect(false, RightfulPackets(flow));
}

INSTANTIATE_TEST_SUITE_P(Layouts, EstablishedFlow, testing::BothLayouts(), testing::LayoutName);

}  // namespace
}  // namespace felix
