// SPDX-License-Identifier: Apache-2.0
// What the emitted rules do with a packet is what the policies say about it. The oracle knows no
// rules and the interpreter no policies, so this catches mistakes that a compiler and its reference
// would share.
#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "compiler/ir/print.h"
#include "tests/reference/oracle.h"
#include "tests/support/interpreter.h"
#include "tests/support/packet_samples.h"
#include "tests/support/random_cluster.h"
#include "tests/support/seeds.h"

namespace felix {
namespace {

using testing::RandomCluster;
using testing::Verdict;

TEST(GraphMeaning, RulesDoWithPacketsWhatPoliciesSay) {
  std::map<Verdict, int> seen;
  for (std::uint64_t seed = testing::FirstSeed();
       seed < testing::FirstSeed() + testing::SeedCount(300); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const compiler::Options options = testing::RandomOptions(seed);
    RandomCluster cluster(seed);
    compiler::Graph graph(options);
    for (int step = 0; step < 12; ++step) {
      for (int i = 0; i < 4; ++i) graph.OnUpdates(cluster.Mutate());
      static_cast<void>(graph.Flush());
      const auto packets = testing::SamplePackets(
          cluster.store(), options, seed * 1000 + static_cast<std::uint64_t>(step), 60);
      for (const testing::Packet& packet : packets) {
        const reference::Judgement want = reference::Explain(cluster.store(), options, packet);
        const testing::Trace got = testing::Interpret(graph.desired(), packet);
        // What is not ours is left to the rest of the host's rules.
        const Verdict expected =
            want.verdict == Verdict::kNotOurs ? Verdict::kContinue : want.verdict;
        ++seen[expected];
        ASSERT_EQ(got.verdict, expected)
            << "step " << step << "\npacket: " << packet.ToString() << "\noracle: " << want.reason
            << "\nrules: " << got.decided_by.owner << "[" << got.decided_by.rule_index << "]\n"
            << ir::Print(graph.desired());
      }
    }
  }
  // A sample that is nearly all of one verdict would prove little.
  EXPECT_GT(seen[Verdict::kDeny], 1000);
  EXPECT_GT(seen[Verdict::kAccept], 1000);
  EXPECT_GT(seen[Verdict::kContinue], 200);
}

}  // namespace
}  // namespace felix
