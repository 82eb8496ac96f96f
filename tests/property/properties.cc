// SPDX-License-Identifier: Apache-2.0
#include "tests/property/properties.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "fmt/format.h"

#include "compiler/graph.h"
#include "compiler/ir/print.h"
#include "tests/reference/cluster_view.h"
#include "tests/reference/oracle.h"
#include "tests/reference/reference_compiler.h"
#include "tests/support/interpreter.h"
#include "tests/support/packet_samples.h"
#include "tests/support/random_cluster.h"

namespace felix::testing {
namespace {

using Batch = std::vector<model::Update>;

std::vector<Packet> Sample(const compiler::Graph& graph, std::uint64_t seed, int step) {
  return SamplePackets(graph.store(), graph.options(),
                       seed * 1000 + static_cast<std::uint64_t>(step), 60);
}

}  // namespace

std::optional<Violation> CheckPackets(const compiler::Graph& graph,
                                      const std::vector<Packet>& packets, int step,
                                      VerdictCounts& seen) {
  const compiler::Options& options = graph.options();
  const reference::ClusterView cluster(graph.store(), options);
  for (const Packet& packet : packets) {
    const Trace got = Interpret(graph.desired(), packet);
    // Policy judges where a packet to a floating IP really goes; whether the translation itself is
    // right, other tests say.
    Packet judged = packet;
    for (const ir::Action& translation : got.translations) {
      const auto* to = std::get_if<ir::DestinationNat>(&translation);
      if (to != nullptr) judged.redirection = Redirection{to->address, judged.destination_port};
    }
    const reference::Judgement want = reference::Explain(cluster, options, judged);
    // What is not ours is left to the rest of the host's rules.
    const Verdict expected = want.verdict == Verdict::kNotOurs ? Verdict::kContinue : want.verdict;
    ++seen[expected];
    if (got.verdict == expected) continue;
    return Violation{step, fmt::format("packet: {}\noracle: {}, {}\nrules: {}, {}[{}]\n{}",
                                       packet.ToString(), VerdictName(expected), want.reason,
                                       VerdictName(got.verdict), got.decided_by.owner,
                                       got.decided_by.rule_index, ir::Print(graph.desired()))};
  }
  return std::nullopt;
}

void FlushFully(compiler::Graph& graph, ir::DesiredState& emitted) {
  ir::Apply(graph.Flush(), emitted);
  if (graph.options().chain_layout != compiler::ChainLayout::kShared) return;
  // Idle shapes are given up at the second call, and what had no number may then get one.
  for (int i = 0; i < 4; ++i) {
    graph.OnApplied();
    graph.DropIdleShapes();
    ir::Apply(graph.Flush(), emitted);
  }
}

ir::DesiredState ReferenceOf(const compiler::Graph& graph) {
  return reference::Compile(graph.store(), graph.options(),
                            {graph.shapes_by_number(compiler::Direction::kIngress),
                             graph.shapes_by_number(compiler::Direction::kEgress)});
}

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

std::optional<Violation> CheckHistory(std::uint64_t seed, const OnStep& on_step) {
  const compiler::Options options = RandomOptions(seed);
  RandomCluster cluster(seed);
  compiler::Graph graph(options);
  ir::DesiredState emitted;
  for (int step = 0; step < 60; ++step) {
    on_step(step);
    graph.OnUpdates(cluster.Mutate());
    if (step % 4 == 3) continue;  // some changes are squashed into one flush
    FlushFully(graph, emitted);
    const ir::DesiredState want = ReferenceOf(graph);
    if (emitted != want) return Violation{step, FirstDifference(emitted, want)};
    if (emitted != graph.desired()) return Violation{step, "the deltas are not the state"};
  }
  return std::nullopt;
}

std::optional<Violation> CheckTearDown(std::uint64_t seed, const OnStep& on_step) {
  compiler::Graph graph(RandomOptions(seed));
  ir::DesiredState emitted;
  ir::Apply(graph.Flush(), emitted);
  const ir::DesiredState empty = emitted;
  RandomCluster cluster(seed);
  for (int i = 0; i < 30; ++i) {
    on_step(i);
    graph.OnUpdates(cluster.Mutate());
  }
  ir::Apply(graph.Flush(), emitted);
  Batch removals = RemovalOf(graph.store());
  // Kinds are torn down in another order for each seed, one by one or all at once.
  std::rotate(removals.begin(),
              removals.begin() + static_cast<std::ptrdiff_t>(seed % (removals.size() + 1)),
              removals.end());
  if (seed % 2 == 0) std::reverse(removals.begin(), removals.end());
  int step = 30;
  for (const model::Update& removal : removals) {
    on_step(step++);
    graph.OnUpdates({&removal, 1});
    if (seed % 3 != 0) ir::Apply(graph.Flush(), emitted);
  }
  FlushFully(graph, emitted);
  if (emitted != empty) return Violation{step, FirstDifference(emitted, empty)};
  if (graph.store().size() != 0) return Violation{step, "the store is not empty"};
  return std::nullopt;
}

std::optional<Violation> CheckMeaning(std::uint64_t seed, const OnStep& on_step,
                                      VerdictCounts& seen) {
  RandomCluster cluster(seed);
  compiler::Graph graph(RandomOptions(seed));
  for (int step = 0; step < 12; ++step) {
    on_step(step);
    for (int i = 0; i < 4; ++i) graph.OnUpdates(cluster.Mutate());
    static_cast<void>(graph.Flush());
    auto violation = CheckPackets(graph, Sample(graph, seed, step), step, seen);
    if (violation.has_value()) return violation;
  }
  return std::nullopt;
}

std::optional<Violation> CheckCrowdedHost(std::uint64_t seed, const OnStep& on_step,
                                          VerdictCounts& seen) {
  const compiler::Options options = RandomOptions(seed);
  compiler::Graph graph(options);
  graph.OnUpdates(GenerateSnapshot(seed, 40, 8, 30));
  ir::DesiredState emitted;
  for (int step = 0; step < 6; ++step) {
    on_step(step);
    FlushFully(graph, emitted);
    const ir::DesiredState want = ReferenceOf(graph);
    if (emitted != want) return Violation{step, FirstDifference(emitted, want)};
    auto violation = CheckPackets(graph, Sample(graph, seed, step), step, seen);
    if (violation.has_value()) return violation;
    // Every third of what is there goes, other ones each time.
    const Batch removals = RemovalOf(graph.store());
    for (std::size_t i = static_cast<std::size_t>(step); i < removals.size(); i += 3) {
      graph.OnUpdates({&removals[i], 1});
    }
  }
  return std::nullopt;
}

}  // namespace felix::testing
