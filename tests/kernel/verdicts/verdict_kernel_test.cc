// SPDX-License-Identifier: Apache-2.0
// What a real kernel does with real packets is what the policies say about them: the compiled rules
// are written by the real back ends, and the oracle knows neither.
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "compiler/ir/print.h"
#include "felix/clock.h"
#include "felix/dataplane.h"
#include "felix/host_kernel.h"
#include "tests/reference/oracle.h"
#include "tests/support/builders.h"
#include "tests/support/interpreter.h"
#include "tests/support/network_namespace.h"
#include "tests/support/packet_samples.h"
#include "tests/support/packet_tester.h"
#include "tests/support/random_cluster.h"
#include "tests/support/seeds.h"

namespace felix {
namespace {

using testing::Neighbour;
using testing::Packet;
using testing::PacketTester;
using testing::Verdict;

// A machine that is busy with other things may leave a queue alone for longer than a quiet one.
constexpr std::chrono::milliseconds kPatience(500);

// In what the oracle says where a host endpoint had a say.
constexpr const char* kWordsOfHostEndpoints[] = {
    "host ingress", "host egress",        "forward in", "forward out",
    "untracked",    "before translation", "failsafe"};

// One interface per address, since a route has one way; one interface that nobody knows, and a
// network beside the world outside.
std::vector<Neighbour> NeighboursOf(const model::Store& store, const compiler::Options& options) {
  std::map<std::string, std::vector<model::IpAddress>> interfaces;
  std::set<model::IpAddress> taken;
  for (const auto& [id, endpoint] : store.endpoints()) {
    if (id.host != options.hostname || interfaces.contains(endpoint.interface_name)) continue;
    if (endpoint.interface_name == PacketTester::kOutside) continue;
    auto& addresses = interfaces[endpoint.interface_name];
    for (const model::IpAddress& address : endpoint.addresses) {
      if (taken.insert(address).second) addresses.push_back(address);
    }
  }
  interfaces.try_emplace("cali-unknown");
  auto& second_network = interfaces["eth1"];
  for (const char* address : {"192.0.2.2", "fd00:9::1"}) {
    if (taken.insert(testing::Address(address)).second) {
      second_network.push_back(testing::Address(address));
    }
  }
  std::vector<Neighbour> neighbours;
  for (auto& [name, addresses] : interfaces) neighbours.push_back({name, std::move(addresses)});
  return neighbours;
}

void ExpectApplied(const ApplyReport& report) {
  for (const ApplyReport::Failure& failure : report.failures) {
    ADD_FAILURE() << failure.what << ": " << failure.status;
  }
  EXPECT_TRUE(report.ok());
}

TEST(KernelVerdicts, AreTheOraclesForRealPackets) {
  FELIX_REQUIRE_ROOT();
  std::map<Verdict, int> seen;
  std::map<std::pair<int, int>, int> protocols;
  std::map<std::string, int> of_host_endpoints;
  for (std::uint64_t seed = testing::FirstSeed();
       seed < testing::FirstSeed() + testing::SeedCount(12); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    // Translation would hide whose packet it is that arrives, and it has a test of its own.
    compiler::Options options = testing::RandomOptions(seed);
    options.floating_ips_enabled = false;
    testing::RandomCluster cluster(seed);
    compiler::Graph graph(options);
    for (int i = 0; i < 80; ++i) {
      std::vector<model::Update> updates = cluster.Mutate();
      std::erase_if(updates, [](const model::Update& update) {
        return std::holds_alternative<model::IpPoolId>(update.key);
      });
      graph.OnUpdates(updates);
    }

    PacketTester tester(NeighboursOf(cluster.store(), options));
    std::vector<Packet> packets;
    for (const Packet& sample : testing::SamplePackets(cluster.store(), options, seed, 2000)) {
      const Packet packet = tester.Fitted(sample);
      // A flow of an address with itself has one tuple for both directions, which no handshake
      // through a router can establish.
      const bool to_itself = packet.source == packet.destination;
      if (!to_itself && tester.CanSend(packet)) packets.push_back(packet);
    }
    packets = testing::OnePerFlow(packets);
    std::vector<Packet> established;
    for (const Packet& packet : packets) {
      if (packet.conntrack == testing::ConntrackState::kEstablished) established.push_back(packet);
    }
    tester.Establish(established);

    tester.router().Run([&] {
      const SystemClock clock;
      auto kernel = OpenHostKernel({});
      ASSERT_TRUE(kernel.ok()) << kernel.status();
      DataplaneOptions dataplane_options;
      dataplane_options.ipv6_support = options.ipv6_support;
      Dataplane dataplane(clock, **kernel, dataplane_options);
      dataplane.Stage(graph.Flush());
      ExpectApplied(dataplane.Apply());
    });
    if (::testing::Test::HasFatalFailure()) return;

    const std::vector<bool> arrived = tester.Send(packets, kPatience);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const reference::Judgement want = reference::Explain(cluster.store(), options, packets[i]);
      ++seen[want.verdict];
      for (const char* word : kWordsOfHostEndpoints) {
        if (want.reason.find(word) != std::string::npos) ++of_host_endpoints[word];
      }
      ++protocols[{static_cast<int>(packets[i].family()), packets[i].protocol.number}];
      ASSERT_EQ(arrived[i], want.verdict != Verdict::kDeny)
          << "packet: " << packets[i].ToString() << "\noracle: " << want.reason
          << "\ninterpreter: " << testing::Run(graph.desired(), packets[i]) << "\n"
          << ir::Print(graph.desired());
    }
  }
  for (const auto& [verdict, count] : seen) {
    std::printf("%s: %d packets\n", std::string(testing::VerdictName(verdict)).c_str(), count);
  }
  for (const auto& [word, count] : of_host_endpoints) {
    std::printf("%s: %d packets\n", word.c_str(), count);
  }
  EXPECT_EQ(of_host_endpoints.size(), std::size(kWordsOfHostEndpoints));
  EXPECT_GT(seen[Verdict::kDeny], 500);
  EXPECT_GT(seen[Verdict::kAccept], 100);
  for (const int family : {4, 6}) {
    EXPECT_GT((protocols[{family, model::kTcp.number}]), 50);
    EXPECT_GT((protocols[{family, model::kUdp.number}]), 50);
  }
  EXPECT_GT((protocols[{4, model::kIcmp.number}]), 20);
  EXPECT_GT((protocols[{6, model::kIcmpV6.number}]), 20);
}

}  // namespace
}  // namespace felix
