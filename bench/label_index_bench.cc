// SPDX-License-Identifier: Apache-2.0
// What one more endpoint costs when many selectors share a condition, and one more selector when
// there are many endpoints.
#include <benchmark/benchmark.h>

#include <string>

#include "fmt/format.h"

#include "compiler/label_index.h"
#include "tests/support/builders.h"

namespace felix::bench {
namespace {

using compiler::ClassId;
using compiler::LabelIndex;
using compiler::SelectorId;

class Counter : public LabelIndex::Listener {
 public:
  void OnMatch(SelectorId, ClassId, bool matches) override { current += matches ? 1 : -1; }
  int current = 0;
};

// The endpoint's labels are new to the index each time; one selector matches.
void UpsertEndpoint(benchmark::State& state) {
  const std::int64_t selectors = state.range(0);
  Counter counter;
  LabelIndex index(counter);
  for (std::int64_t i = 0; i < selectors; ++i) {
    index.AcquireSelector(testing::Select(fmt::format("alpha == 'beta' && has(ipset-{})", i)));
  }
  const std::string asked_for = fmt::format("ipset-{}", selectors / 2);
  const model::LabelSet labels[2] = {
      {{"alpha", "beta"}, {asked_for, ""}, {"turn", "0"}},
      {{"alpha", "beta"}, {asked_for, ""}, {"turn", "1"}},
  };
  ClassId current = index.AcquireClass(labels[0]);
  if (counter.current != 1) state.SkipWithError("not exactly one selector matches");
  std::size_t turn = 0;
  for (auto iteration : state) {
    turn ^= 1U;
    const ClassId next = index.AcquireClass(labels[turn]);
    index.ReleaseClass(current);
    current = next;
  }
  if (counter.current != 1) state.SkipWithError("matches were lost");
  state.counters["evaluations_per_update"] = benchmark::Counter(
      static_cast<double>(index.evaluations()), benchmark::Counter::kAvgIterations);
}
BENCHMARK(UpsertEndpoint)->RangeMultiplier(10)->Range(10, 10000);

// `expected` says how many of `endpoints` distinct label sets match.
void AddSelector(benchmark::State& state, const char* text, int (*expected)(int endpoints)) {
  const int endpoints = static_cast<int>(state.range(0));
  Counter counter;
  LabelIndex index(counter);
  for (int i = 0; i < endpoints; ++i) {
    model::LabelSet labels = {{"pod", fmt::format("{}", i)}, {"app", fmt::format("{}", i % 40)}};
    if (i % 100 == 0) labels.Set("rare", "");
    index.AcquireClass(labels);
  }
  const model::Selector selector = testing::Select(text);
  for (auto iteration : state) {
    const SelectorId id = index.AcquireSelector(selector);
    state.PauseTiming();
    if (counter.current != expected(endpoints)) state.SkipWithError("other matches than expected");
    index.ReleaseSelector(id);
    state.ResumeTiming();
  }
  state.counters["matches"] = expected(endpoints);
}
int OneIn40(int n) {
  return (n + 39) / 40;
}
int OneIn100(int n) {
  return (n + 99) / 100;
}
#define FELIX_ADD_SELECTOR(name, text, expected)       \
  BENCHMARK_CAPTURE(AddSelector, name, text, expected) \
      ->Arg(1000)                                      \
      ->Arg(250000)                                    \
      ->Unit(benchmark::kMicrosecond)
FELIX_ADD_SELECTOR(equal, "app == '0'", OneIn40);
FELIX_ADD_SELECTOR(in, "app in {'0', 'x'}", OneIn40);
FELIX_ADD_SELECTOR(has, "has(rare)", OneIn100);
FELIX_ADD_SELECTOR(not_equal, "app != '0'", [](int n) { return n - OneIn40(n); });
FELIX_ADD_SELECTOR(has_not, "!has(rare)", [](int n) { return n - OneIn100(n); });

}  // namespace
}  // namespace felix::bench

BENCHMARK_MAIN();
