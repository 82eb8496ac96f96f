// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/graph.h"
#include "compiler/ir/desired_state.h"
#include "model/store.h"
#include "tests/support/packet.h"

namespace felix::testing {

// Where a property did not hold, and how that showed.
struct Violation {
  int step = 0;
  std::string what;
};

// Hears the number of each step before it is tried, so that a step that ends the process is known.
using OnStep = std::function<void(int)>;
using VerdictCounts = std::map<Verdict, int>;

// What must hold of every history. Each walks the history of one seed and stops at the first
// violation; the verdicts it met are counted in `seen`, since a sample of one verdict proves
// little.

// After every change the kernel is asked for what the reference compiler would ask for.
[[nodiscard]] std::optional<Violation> CheckHistory(std::uint64_t seed, const OnStep& on_step);
// When everything is removed, in whatever order, the empty state is left.
[[nodiscard]] std::optional<Violation> CheckTearDown(std::uint64_t seed, const OnStep& on_step);
// Rules do with packets what the oracle says.
[[nodiscard]] std::optional<Violation> CheckMeaning(std::uint64_t seed, const OnStep& on_step,
                                                    VerdictCounts& seen);
// The same on a host with so many containers that the dispatch has more than one level.
[[nodiscard]] std::optional<Violation> CheckCrowdedHost(std::uint64_t seed, const OnStep& on_step,
                                                        VerdictCounts& seen);

// Rules do with packets what the oracle says, when the rules are of kinds that a random cluster
// hardly ever holds, and foreign marks are on the packets.
[[nodiscard]] std::optional<Violation> CheckRareRules(std::uint64_t seed, const OnStep& on_step,
                                                      VerdictCounts& seen);

// Rules do with packets what the oracle says, on a host with few resources but host endpoints, and
// policies of all lists that meet on the same ports.
[[nodiscard]] std::optional<Violation> CheckHostPaths(std::uint64_t seed, const OnStep& on_step,
                                                      VerdictCounts& seen);

// While a change of endpoints is on its way into the kernel, elements first or rules first, a
// packet that is denied before and afterwards is denied at each moment, and one that passes before
// and afterwards passes.
[[nodiscard]] std::optional<Violation> CheckTransitions(std::uint64_t seed, const OnStep& on_step,
                                                        VerdictCounts& seen);
// Both layouts do the same with a packet.
[[nodiscard]] std::optional<Violation> CheckLayouts(std::uint64_t seed, const OnStep& on_step,
                                                    VerdictCounts& seen);

[[nodiscard]] std::optional<Violation> CheckPackets(const compiler::Graph& graph,
                                                    const std::vector<Packet>& packets, int step,
                                                    VerdictCounts& seen);

// Emits what there is to emit and adds it to `emitted`. Where shapes have numbers, the kernel is
// said to hold it, again and again until no shape is left that nobody uses.
void FlushFully(compiler::Graph& graph, ir::DesiredState& emitted);
// What the reference compiler makes of the graph's store and options, given its numbers of shapes.
[[nodiscard]] ir::DesiredState ReferenceOf(const compiler::Graph& graph);

// Both states in full are too long to read: the first lines that differ say enough.
[[nodiscard]] std::string FirstDifference(const ir::DesiredState& got,
                                          const ir::DesiredState& want);

// An update without a value for everything in the store.
[[nodiscard]] std::vector<model::Update> RemovalOf(const model::Store& store);

}  // namespace felix::testing
