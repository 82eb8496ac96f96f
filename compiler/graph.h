// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/ir/desired_state.h"
#include "compiler/options.h"
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
