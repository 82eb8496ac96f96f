// SPDX-License-Identifier: Apache-2.0
// How long from a whole cluster to all that one host's kernel should hold, and how much heap is
// held then. The heap is that of the graph with its store; the input is freed before it is
// measured. An argument n is the size in percent of the full size.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "bench/heap.h"
#include "compiler/graph.h"
#include "tests/support/builders.h"
#include "tests/support/shapes.h"

namespace felix::bench {
namespace {

template <typename Generate>
void Compile(benchmark::State& state, Generate generate) {
  const auto part = [&](std::size_t full) {
    return std::max<std::size_t>(1, full * static_cast<std::size_t>(state.range(0)) / 100);
  };
  double megabytes = 0;
  std::size_t members = 0;
  std::size_t chains = 0;
  for (auto iteration : state) {
    state.PauseTiming();
    const std::int64_t before = HeapBytes();
    std::vector<model::Update> updates = generate(part);
    std::optional<compiler::Graph> graph(std::in_place, testing::OptionsOfThisHost());
    state.ResumeTiming();
    graph->OnUpdates(updates);
    std::optional<ir::DesiredDelta> delta = graph->Flush();
    state.PauseTiming();
    chains = delta->chains.size();
    delta.reset();
    std::vector<model::Update>().swap(updates);  // an assignment would keep the memory
    megabytes = static_cast<double>(HeapBytes() - before) / 1e6;
    members = 0;
    for (const auto& [key, set] : graph->desired().sets) members += set.members.size();
    if (members == 0) state.SkipWithError("no set has a member");
    graph.reset();
    state.ResumeTiming();
  }
  state.counters["heap_MB"] = megabytes;
  state.counters["members"] = static_cast<double>(members);
  state.counters["chains"] = static_cast<double>(chains);
}

void Tagged(benchmark::State& state) {
  Compile(state, [](auto part) { return testing::TaggedPolicies(part(250000), part(10000), 200); });
}
void OnePerNamespace(benchmark::State& state) {
  Compile(state, [](auto part) { return testing::IsolatedNamespaces(part(100000), 1, 1, 100); });
}
void ManyNamespaces(benchmark::State& state) {
  Compile(state, [](auto part) { return testing::IsolatedNamespaces(part(25000), 4, 3, 100); });
}
void AllMatchAll(benchmark::State& state) {
  Compile(state, [](auto part) { return testing::AllMatchAll(part(10000), part(10000), 100); });
}
void NetworkSets(benchmark::State& state) {
  Compile(state, [](auto part) { return testing::NetworkSets(part(10000), 100); });
}

BENCHMARK(Tagged)->Arg(1)->Arg(10)->Arg(100)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(OnePerNamespace)->Arg(1)->Arg(10)->Arg(100)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(ManyNamespaces)->Arg(1)->Arg(100)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(AllMatchAll)->Arg(1)->Arg(100)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(NetworkSets)->Arg(1)->Arg(10)->Arg(100)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace felix::bench

BENCHMARK_MAIN();
