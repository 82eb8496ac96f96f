// SPDX-License-Identifier: Apache-2.0
// However the changes arrived, the kernel is asked for exactly what a compiler that starts from
// nothing would ask for.
#include <functional>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "compiler/ir/print.h"
#include "tests/property/properties.h"
#include "tests/reference/reference_compiler.h"
#include "tests/support/random_cluster.h"
#include "tests/support/seeds.h"

namespace felix {
namespace {

using testing::FirstDifference;
using testing::RandomCluster;
using testing::RemovalOf;
using Batch = std::vector<model::Update>;

std::vector<Batch> HistoryOf(std::uint64_t seed, int steps) {
  RandomCluster cluster(seed);
  std::vector<Batch> history;
  for (int i = 0; i < steps; ++i) history.push_back(cluster.Mutate());
  return history;
}

template <typename Check>
void ExpectHolds(std::uint64_t seeds, const Check& check) {
  for (std::uint64_t seed = testing::FirstSeed();
       seed < testing::FirstSeed() + testing::SeedCount(seeds); ++seed) {
    const auto violation = check(seed, [](int) {});
    ASSERT_FALSE(violation.has_value()) << "seed " << seed << " step " << violation->step << "\n"
                                        << violation->what;
  }
}

TEST(GraphHistory, AgreesWithTheReferenceCompilerAfterEveryChange) {
  ExpectHolds(200, testing::CheckHistory);
}

TEST(GraphHistory, TearDownInAnyOrderLeavesTheEmptyState) {
  ExpectHolds(150, testing::CheckTearDown);
}

// One history told in five other ways ends in the same state.
TEST(GraphHistory, TheWayThereDoesNotMatter) {
  for (std::uint64_t seed = testing::FirstSeed();
       seed < testing::FirstSeed() + testing::SeedCount(100); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const compiler::Options options = testing::RandomOptions(seed);
    const std::vector<Batch> history = HistoryOf(seed, 25);
    RandomCluster cluster(seed);
    for (int i = 0; i < 25; ++i) static_cast<void>(cluster.Mutate());  // for its final store
    const model::Store& store = cluster.store();
    const bool numbered = options.chain_layout == compiler::ChainLayout::kShared;
    const ir::DesiredState unnumbered = reference::Compile(store, options);
    const Batch snapshot = store.Snapshot();

    const auto expect = [&](const char* way, const std::function<void(compiler::Graph&)>& tell) {
      compiler::Graph graph(options);
      tell(graph);
      ir::DesiredState emitted = graph.desired();
      testing::FlushFully(graph, emitted);
      // Which shape has which number is all that may depend on the way.
      const ir::DesiredState want = numbered ? testing::ReferenceOf(graph) : unnumbered;
      ASSERT_EQ(graph.desired(), want) << way << "\n" << FirstDifference(graph.desired(), want);
      ASSERT_EQ(ir::Print(graph.desired()), ir::Print(want)) << way;
    };
    expect("as it came", [&](compiler::Graph& graph) {
      for (const Batch& batch : history) {
        graph.OnUpdates(batch);
        static_cast<void>(graph.Flush());
      }
    });
    expect("squashed", [&](compiler::Graph& graph) { graph.OnUpdates(snapshot); });
    expect("keys reversed", [&](compiler::Graph& graph) {
      for (auto it = snapshot.rbegin(); it != snapshot.rend(); ++it) {
        graph.OnUpdates({&*it, 1});
        static_cast<void>(graph.Flush());
      }
    });
    expect("history reversed, then the end", [&](compiler::Graph& graph) {
      for (auto it = history.rbegin(); it != history.rend(); ++it) {
        graph.OnUpdates(*it);
        static_cast<void>(graph.Flush());
      }
      graph.OnUpdates(RemovalOf(graph.store()));
      graph.OnUpdates(snapshot);
    });
    expect("emptied between", [&](compiler::Graph& graph) {
      for (const Batch& batch : history) {
        graph.OnUpdates(batch);
        static_cast<void>(graph.Flush());
        const Batch all = graph.store().Snapshot();
        graph.OnUpdates(RemovalOf(graph.store()));
        static_cast<void>(graph.Flush());
        graph.OnUpdates(all);
      }
    });
    expect("with other options before", [&](compiler::Graph& graph) {
      graph.SetOptions(testing::RandomOptions(seed + 1));
      graph.OnUpdates(snapshot);
      static_cast<void>(graph.Flush());
      graph.SetOptions(options);
    });
  }
}

TEST(GraphHistory, ChangedOptionsEmitTheDifference) {
  for (std::uint64_t seed = testing::FirstSeed();
       seed < testing::FirstSeed() + testing::SeedCount(150); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    compiler::Graph graph(testing::RandomOptions(seed));
    ir::DesiredState emitted;
    for (const Batch& batch : HistoryOf(seed, 15)) graph.OnUpdates(batch);
    ir::Apply(graph.Flush(), emitted);
    const compiler::Options other = testing::RandomOptions(seed + 1000);
    graph.SetOptions(other);
    testing::FlushFully(graph, emitted);
    ASSERT_EQ(emitted, testing::ReferenceOf(graph));
  }
}

}  // namespace
}  // namespace felix
