// SPDX-License-Identifier: Apache-2.0
// However the changes arrived, the kernel is asked for exactly what a compiler that starts from
// nothing would ask for.
#include <algorithm>
#include <functional>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "compiler/ir/print.h"
#include "tests/reference/reference_compiler.h"
#include "tests/support/random_cluster.h"
#include "tests/support/seeds.h"

namespace felix {
namespace {

using testing::RandomCluster;
using Batch = std::vector<model::Update>;

// Both states in full are too long to read: the first lines that differ say enough.
std::string FirstDifference(const ir::DesiredState& got, const ir::DesiredState& want) {
  const std::string a = ir::Print(got);
  const std::string b = ir::Print(want);
  const auto [ia, ib] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (ia == a.end() && ib == b.end()) return "same text, different provenance or kind";
  const auto around = [](const std::string& text, std::size_t at) {
    const std::size_t from = text.rfind('\n', at > 300 ? at - 300 : 0);
    return text.substr(from == std::string::npos ? 0 : from, 600);
  };
  return fmt::format("got:\n{}\nwant:\n{}", around(a, static_cast<std::size_t>(ia - a.begin())),
                     around(b, static_cast<std::size_t>(ib - b.begin())));
}

Batch RemovalOf(const model::Store& store) {
  Batch removals;
  for (model::Update& update : store.Snapshot()) {
    removals.push_back({.key = std::move(update.key), .value = std::nullopt});
  }
  return removals;
}

std::vector<Batch> HistoryOf(std::uint64_t seed, int steps) {
  RandomCluster cluster(seed);
  std::vector<Batch> history;
  for (int i = 0; i < steps; ++i) history.push_back(cluster.Mutate());
  return history;
}

TEST(GraphHistory, AgreesWithTheReferenceCompilerAfterEveryChange) {
  for (std::uint64_t seed = testing::FirstSeed();
       seed < testing::FirstSeed() + testing::SeedCount(200); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const compiler::Options options = testing::RandomOptions(seed);
    RandomCluster cluster(seed);
    compiler::Graph graph(options);
    ir::DesiredState emitted;
    for (int step = 0; step < 60; ++step) {
      graph.OnUpdates(cluster.Mutate());
      if (step % 4 == 3) continue;  // some changes are squashed into one flush
      ir::Apply(graph.Flush(), emitted);
      const ir::DesiredState want = reference::Compile(cluster.store(), options);
      ASSERT_EQ(emitted, want) << "step " << step << "\n" << FirstDifference(emitted, want);
      ASSERT_EQ(emitted, graph.desired());
    }
  }
}

TEST(GraphHistory, TearDownInAnyOrderLeavesTheEmptyState) {
  for (std::uint64_t seed = testing::FirstSeed();
       seed < testing::FirstSeed() + testing::SeedCount(150); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const compiler::Options options = testing::RandomOptions(seed);
    compiler::Graph graph(options);
    ir::DesiredState emitted;
    ir::Apply(graph.Flush(), emitted);
    const ir::DesiredState empty = emitted;
    for (const Batch& batch : HistoryOf(seed, 30)) graph.OnUpdates(batch);
    ir::Apply(graph.Flush(), emitted);
    Batch removals = RemovalOf(graph.store());
    // Kinds are torn down in another order for each seed, one by one or all at once.
    std::rotate(removals.begin(),
                removals.begin() + static_cast<std::ptrdiff_t>(seed % (removals.size() + 1)),
                removals.end());
    if (seed % 2 == 0) std::reverse(removals.begin(), removals.end());
    for (const model::Update& removal : removals) {
      graph.OnUpdates({&removal, 1});
      if (seed % 3 != 0) ir::Apply(graph.Flush(), emitted);
    }
    ir::Apply(graph.Flush(), emitted);
    ASSERT_EQ(emitted, empty) << FirstDifference(emitted, empty);
    ASSERT_EQ(graph.store().size(), 0U);
  }
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
    const ir::DesiredState want = reference::Compile(store, options);
    const Batch snapshot = store.Snapshot();

    const auto expect = [&](const char* way, const std::function<void(compiler::Graph&)>& tell) {
      compiler::Graph graph(options);
      tell(graph);
      static_cast<void>(graph.Flush());
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
    ir::Apply(graph.Flush(), emitted);
    ASSERT_EQ(emitted, reference::Compile(graph.store(), other));
  }
}

}  // namespace
}  // namespace felix
