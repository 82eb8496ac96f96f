// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/graph.h"
#include "datastore/source.h"
#include "felix/apply_loop.h"
#include "felix/apply_report.h"
#include "felix/clock.h"
#include "felix/config.h"
#include "felix/dataplane.h"
#include "felix/host_kernel.h"
#include "model/update.h"

namespace felix {

// One apply and the way to it.
struct ApplyOutcome {
  ApplyReport report;
  std::chrono::microseconds compile_time{};
  // From the moment the source handed over the first change to the kernel's acknowledgement.
  std::chrono::microseconds total_time{};
};

// From what the datastore says to what the kernel holds, on one strand: hears a source, compiles,
// applies when it is due. Owns the graph, and from the first complete state on the kernel and the
// data plane; before that there is nothing with which the kernel could be touched. Configuration
// found in the datastore takes effect in place; what cannot is logged by name.
class Engine final : public datastore::Sink {
 public:
  // Shapes that nobody uses are kept for one to two of these.
  static constexpr std::chrono::seconds kIdleShapeInterval{60};

  using KernelOpener =
      std::function<absl::StatusOr<std::unique_ptr<HostKernel>>(const Config& config)>;

  // `local`: the sources outside the datastore.
  Engine(const Clock& clock, ConfigSources local, KernelOpener open_kernel);
  ~Engine() override;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // What is heard next was handed over by the source at that time.
  void NoteArrival(Clock::TimePoint arrival);
  void OnUpdates(std::vector<model::Update> updates) override;
  void OnInSync() override;
  void OnLost(const absl::Status& reason) override;
  void OnRefusal(const std::string& id, std::optional<datastore::Refusal> refusal) override;

  // Other sources outside the datastore.
  void Reconfigure(ConfigSources local);
  // Distrusts all that is known of the kernel: the next apply reads it.
  void Resync();

  // Compiles what was heard and knows what the kernel should hold, without opening it. Only before
  // the first Step.
  const ir::DesiredState& CompileOnly();
  // Compiles what was heard, applies if it is due. Errors end the process: the kernel cannot be
  // opened at all, or nothing could be written for too long.
  absl::Status Step();
  // When Step has something to do without hearing anything.
  [[nodiscard]] std::optional<Clock::TimePoint> NextDue() const;

  // Readable when another program was at the tables, so that Step has something to do; -1 while
  // there is nothing to watch.
  [[nodiscard]] int watch_fd() const;
  // Whether what the datastore says is in force; kStarting until it was for the first time.
  [[nodiscard]] Readiness readiness() const;

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const compiler::Graph& graph() const { return graph_; }
  [[nodiscard]] bool in_sync() const { return in_sync_; }
  // Set while the source cannot be read.
  [[nodiscard]] const absl::Status& source_status() const { return source_status_; }
  [[nodiscard]] const std::map<std::string, datastore::Refusal>& refusals() const {
    return refusals_;
  }
  // Of the last Step that applied.
  [[nodiscard]] const std::optional<ApplyOutcome>& last_outcome() const { return outcome_; }
  // How often Step applied.
  [[nodiscard]] std::uint64_t applies() const { return applies_; }

 private:
  // What there is only once the datastore is complete.
  struct Running;

  void ResolveConfig();
  void TakeConfig(Config config);
  void LogWarnings(const Config& config);
  absl::Status StartRunning();
  bool AdoptShapes();
  void DropIdleShapes();
  void LogLayoutIfChanged();
  void Compile();
  void Apply();
  void LogReadinessIfChanged();
  void LogOutcome() const;
  void LogClosed();

  const Clock& clock_;
  ConfigSources sources_;
  KernelOpener open_kernel_;
  Config config_;
  std::set<std::string> logged_warnings_;
  compiler::Graph graph_;
  bool heard_ = false;         // something to compile
  bool config_heard_ = false;  // some of it is configuration
  bool in_sync_ = false;
  absl::Status source_status_;
  std::map<std::string, datastore::Refusal> refusals_;
  std::optional<Clock::TimePoint> arrival_;  // of the oldest change that is not acknowledged
  std::chrono::microseconds compile_time_{};
  std::optional<ApplyOutcome> outcome_;
  std::vector<ApplyReport::ClosedChain> closed_;  // as logged
  std::uint64_t applies_ = 0;
  Readiness logged_readiness_ = Readiness::kStarting;
  bool logged_contention_ = false;
  std::size_t logged_without_number_ = 0;
  std::optional<Clock::TimePoint> next_drop_;  // of shapes that nobody uses
  std::unique_ptr<Running> running_;
};

}  // namespace felix
