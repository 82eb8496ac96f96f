// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/ir/desired_state.h"
#include "compiler/options.h"
#include "compiler/shape.h"
#include "compiler/shape_numbers.h"
#include "compiler/stats.h"
#include "model/store.h"
#include "model/update.h"

namespace felix::compiler {

// An object that is valid as such but has no effect on this host, and why.
struct Unused {
  std::string object;  // "endpoint host/cni/default/x/eth0"
  std::string reason;
  friend auto operator<=>(const Unused&, const Unused&) = default;
};

// How containers are told apart.
struct LayoutReport {
  std::array<std::size_t, 2> shapes = {};       // by direction; those without users included
  std::array<std::size_t, 2> idle_shapes = {};  // of these, those without users
  std::uint32_t most_shapes = 0;                // that have numbers in one direction; 0: no limit
  std::vector<std::string> without_number;      // interfaces of containers that got none
  std::size_t with_own_chains = 0;              // these, and those for other reasons
};

// The incremental compiler: hears what the cluster says, tells how what the kernel should hold
// changed. It is the only place where the passes are wired to each other. Pure and single-stranded:
// no clock, no I/O, no threads; the emitted state is a function of the store and the options alone,
// whatever the order of events that led there.
class Graph {
 public:
  explicit Graph(Options options);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Hears changes. Updates that change nothing cost nothing further. A later Flush emits.
  void OnUpdates(std::span<const model::Update> updates);

  // The change of the desired state since the last Flush; the first one is from the empty state.
  [[nodiscard]] ir::DesiredDelta Flush();

  // Other options over the same store: rebuilds everything; the next Flush emits the difference.
  void SetOptions(Options options);

  // Only with ChainLayout=Shared; else they do nothing, and there are no numbers.
  //
  // Numbers that elements in the kernel bear: only before the first Flush.
  void AdoptShapeNumbers(const std::array<AdoptedNumbers, 2>& by_direction);
  // The kernel holds all that was flushed. True if another Flush would have something to say.
  bool OnApplied();
  // From time to time: the next Flush gives up shapes that nobody uses since the last call.
  void DropIdleShapes();
  [[nodiscard]] bool has_idle_shapes() const;
  [[nodiscard]] const std::map<std::uint32_t, Shape>& shapes_by_number(Direction direction) const;
  [[nodiscard]] LayoutReport layout_report() const;

  [[nodiscard]] const Options& options() const;
  [[nodiscard]] const model::Store& store() const;
  // All that was emitted so far: Apply() of every delta in turn.
  [[nodiscard]] const ir::DesiredState& desired() const;
  // Local objects without effect, sorted.
  [[nodiscard]] std::vector<Unused> unused() const;
  [[nodiscard]] const Stats& stats() const;

 private:
  class Wiring;
  model::Store store_;
  Stats stats_;
  std::unique_ptr<Wiring> wiring_;
  // After SetOptions and until the next Flush: what was emitted before.
  std::optional<ir::DesiredState> superseded_;
};

}  // namespace felix::compiler
