// SPDX-License-Identifier: Apache-2.0
// From one changed endpoint to what changes in the kernel, in a cluster at rest: 2,000 policies and
// as many endpoints as the argument says, one change in a hundred on this host. Every change is
// flushed by itself.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <variant>

#include "compiler/graph.h"
#include "tests/support/builders.h"
#include "tests/support/random.h"
#include "tests/support/shapes.h"

namespace felix::bench {
namespace {

constexpr std::size_t kLocal = 200;

void ChangeEndpoint(benchmark::State& state) {
  const auto endpoints = static_cast<std::size_t>(state.range(0));
  const std::vector<model::Update> cluster = testing::TaggedPolicies(endpoints, 2000, kLocal);
  compiler::Graph graph(testing::OptionsOfThisHost());
  graph.OnUpdates(cluster);
  static_cast<void>(graph.Flush());
  testing::Random random(1);
  std::vector<model::Update> changes;
  for (int i = 0; i < 20000; ++i) {
    const std::size_t number =
        i % 100 == 0 ? random.Below(kLocal) : kLocal + random.Below(endpoints - kLocal);
    model::Update change = cluster[1 + number];  // behind the tier
    // Either another address or the labels of another endpoint.
    auto& endpoint = std::get<model::WorkloadEndpoint>(*change.value);
    if (i % 2 == 0) {
      endpoint.addresses = {
          model::IpAddress::V4(static_cast<std::uint32_t>(0x0b000000U + random.Below(1U << 20U)))};
    } else {
      const model::Update& other = cluster[1 + random.Below(endpoints)];
      endpoint.labels = std::get<model::WorkloadEndpoint>(*other.value).labels;
    }
    changes.push_back(std::move(change));
  }
  std::vector<double> microseconds;
  std::size_t next = 0;
  std::size_t effects = 0;
  for (auto iteration : state) {
    const auto start = std::chrono::steady_clock::now();
    graph.OnUpdates({&changes[next], 1});
    const ir::DesiredDelta delta = graph.Flush();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    microseconds.push_back(took.count());
    effects += delta.empty() ? 0 : 1;
    next = (next + 1) % changes.size();
  }
  if (effects == 0) state.SkipWithError("no change had an effect");
  std::sort(microseconds.begin(), microseconds.end());
  state.counters["p50_us"] = microseconds[microseconds.size() / 2];
  state.counters["p99_us"] = microseconds[microseconds.size() * 99 / 100];
  state.counters["with_effect"] =
      benchmark::Counter(static_cast<double>(effects), benchmark::Counter::kAvgIterations);
  state.SetItemsProcessed(static_cast<std::int64_t>(microseconds.size()));
}
BENCHMARK(ChangeEndpoint)->Arg(1000)->Arg(100000)->Iterations(100000);

}  // namespace
}  // namespace felix::bench

BENCHMARK_MAIN();
