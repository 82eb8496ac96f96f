// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_cluster.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/reference/oracle.h"
#include "tests/support/builders.h"
#include "tests/support/packet_samples.h"

namespace felix::testing {
namespace {

TEST(Random, GivesTheSameSequenceEverywhere) {
  Random random(1);
  EXPECT_EQ(random.Next(), 0x910a2dec89025cc1U);
  EXPECT_EQ(random.Next(), 0xbeeb8da1658eec67U);
}

TEST(RandomCluster, OneSeedIsOneHistory) {
  RandomCluster a(7);
  RandomCluster b(7);
  RandomCluster other(8);
  bool differs = false;
  for (int step = 0; step < 100; ++step) {
    const auto updates = a.Mutate();
    ASSERT_EQ(updates, b.Mutate()) << "step " << step;
    differs = differs || updates != other.Mutate();
  }
  EXPECT_TRUE(differs);
}

TEST(RandomCluster, BatchesLeadToTheStore) {
  RandomCluster cluster(3);
  model::Store store;
  for (int step = 0; step < 200; ++step) {
    std::set<std::string> keys;
    for (const model::Update& update : cluster.Mutate()) {
      EXPECT_TRUE(keys.insert(ToString(update.key)).second) << "a key twice in a batch";
      store.Set(update);
    }
    ASSERT_EQ(store.Snapshot(), cluster.store().Snapshot()) << "step " << step;
  }
}

TEST(RandomCluster, SoonerOrLaterHoldsEveryOddity) {
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    RandomCluster cluster(seed);
    for (int step = 0; step < 40; ++step) cluster.Mutate();
    std::set<std::string> interfaces;
    std::set<model::IpAddress> addresses;
    for (const auto& [id, endpoint] : cluster.store().endpoints()) {
      const bool local = id.host == kThisHost;
      seen["remote"] += !local;
      seen["down"] += !endpoint.admin_up;
      seen["spoofing"] += !endpoint.allow_spoofed_source_prefixes.empty();
      seen["foreign interface"] += endpoint.interface_name == "veth7";
      if (local) seen["interface twice"] += !interfaces.insert(endpoint.interface_name).second;
      for (const auto& address : endpoint.addresses) {
        seen["address twice"] += !addresses.insert(address).second;
      }
      for (const std::string& profile : endpoint.profiles) {
        seen["unknown profile"] += !cluster.store().profiles().contains({profile});
      }
    }
    for (const auto& [id, policy] : cluster.store().policies()) {
      seen["staged"] += IsStaged(id.kind);
      seen["unknown tier"] += !cluster.store().tiers().contains({policy.tier});
      seen["no order"] += !policy.order.has_value();
      seen["untracked"] += policy.do_not_track;
      seen["no rules"] += policy.ingress.empty() && policy.egress.empty();
    }
    for (const auto& [id, endpoint] : cluster.store().host_endpoints()) {
      if (id.host != kThisHost) continue;
      const std::string& name = endpoint.interface_name;
      seen["wildcard"] += endpoint.IsWildcard();
      seen["by address"] += name.empty();
      seen["workload's interface"] += name == "cali9";
      if (!name.empty()) seen["claimed twice"] += !interfaces.insert(name).second;
    }
    for (const auto& [id, interface] : cluster.store().interfaces()) {
      seen["no address"] += interface.addresses.empty();
    }
    seen["broken"] += static_cast<int>(cluster.store().broken_policies().size());
    for (const auto& [id, network_set] : cluster.store().network_sets()) {
      for (const auto& net : network_set.nets) seen["everything"] += net.prefix_length() == 0;
    }
  }
  for (const char* oddity :
       {"remote", "down", "spoofing", "foreign interface", "interface twice", "address twice",
        "unknown profile", "staged", "unknown tier", "no order", "untracked", "no rules", "broken",
        "everything", "wildcard", "by address", "workload's interface", "claimed twice",
        "no address"}) {
    EXPECT_GT(seen[oddity], 0) << oddity;
  }
}

TEST(RandomCluster, SnapshotsHaveTheSizeAskedFor) {
  const auto updates = GenerateSnapshot(1, 2000, 300, 100);
  model::Store store;
  for (const model::Update& update : updates) EXPECT_TRUE(store.Set(update));
  EXPECT_EQ(store.endpoints().size(), 2000U);
  EXPECT_EQ(store.policies().size(), 300U);
  std::size_t local = 0;
  for (const auto& [id, endpoint] : store.endpoints()) local += id.host == kThisHost ? 1 : 0;
  EXPECT_EQ(local, 100U);
  EXPECT_EQ(updates, GenerateSnapshot(1, 2000, 300, 100));
}

TEST(PacketSamples, AreRepeatable) {
  RandomCluster cluster(5);
  cluster.Mutate();
  const auto options = RandomOptions(5);
  EXPECT_EQ(SamplePackets(cluster.store(), options, 9, 100),
            SamplePackets(cluster.store(), options, 9, 100));
}

TEST(PacketSamples, MeetEveryVerdictAndManyReasons) {
  std::map<Verdict, int> verdicts;
  std::map<std::string, int> reasons;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    RandomCluster cluster(seed);
    for (int step = 0; step < 10; ++step) cluster.Mutate();
    const auto options = RandomOptions(seed);
    for (const Packet& packet : SamplePackets(cluster.store(), options, seed, 200)) {
      ASSERT_EQ(packet.source.family(), packet.destination.family());
      const auto judgement = reference::Explain(cluster.store(), options, packet);
      ++verdicts[judgement.verdict];
      ++reasons[judgement.reason];
    }
  }
  for (const auto verdict :
       {Verdict::kNotOurs, Verdict::kAccept, Verdict::kDeny, Verdict::kContinue}) {
    EXPECT_GT(verdicts[verdict], 100) << verdict;
  }
  for (const char* reason :
       {"unknown interface", "endpoint is down", "router advertisement", "neighbour discovery",
        "spoofed source", "known flow", "invalid state", "VXLAN from a workload",
        "IPIP from a workload", "endpoint to host", "unknown destination interface",
        "failsafe port", "host ingress: no profile allows it",
        "host egress: no profile allows it"}) {
    EXPECT_GT(reasons[reason], 0) << reason;
  }
  EXPECT_GT(reasons.size(), 60U);
}

}  // namespace
}  // namespace felix::testing
