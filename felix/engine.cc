// SPDX-License-Identifier: Apache-2.0
#include "felix/engine.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "fmt/format.h"
#include "spdlog/spdlog.h"

#include "felix/desired_totals.h"
#include "felix/failure_log.h"
#include "felix/shape_adoption.h"
#include "felix/table_tripwire.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix {
namespace {

ApplyLoop::Intervals IntervalsOf(const Config& config) {
  return {.tables = config.iptables_refresh_interval,
          .sets = config.ipsets_refresh_interval,
          .lock_probe = config.iptables_lock_probe_interval};
}

DataplaneOptions DataplaneOptionsOf(const Config& config) {
  DataplaneOptions options;
  options.ipv6_support = config.compiler.ipv6_support;
  options.placement = config.compiler.insert_mode == compiler::InsertMode::kInsert
                          ? iptables::HookPlacement::kInsert
                          : iptables::HookPlacement::kAppend;
  options.sets.max_set_size = config.max_ipset_size;
  return options;
}

}  // namespace

struct Engine::Running {
  Running(const Clock& clock, std::unique_ptr<HostKernel> host_kernel, const Config& config)
      : kernel(std::move(host_kernel)),
        dataplane(clock, *kernel, DataplaneOptionsOf(config)),
        tripwire(*kernel),
        loop(clock, dataplane, IntervalsOf(config), &tripwire) {}

  std::unique_ptr<HostKernel> kernel;
  Dataplane dataplane;
  TableTripwire tripwire;
  ApplyLoop loop;
  // Whether the numbers that an earlier process gave to shapes are known, if they matter.
  bool shapes_known = false;
  std::optional<Clock::TimePoint> read_shapes_again;
  absl::Status shapes_status;
};

Engine::Engine(const Clock& clock, ConfigSources local, KernelOpener open_kernel)
    : clock_(clock),
      sources_(std::move(local)),
      open_kernel_(std::move(open_kernel)),
      config_(Config::Resolve(sources_)),
      graph_(config_.compiler) {
  LogWarnings(config_);
}

Engine::~Engine() = default;

void Engine::NoteArrival(Clock::TimePoint arrival) {
  if (!arrival_ || arrival < *arrival_) arrival_ = arrival;
}

void Engine::OnUpdates(std::vector<model::Update> updates) {
  graph_.OnUpdates(updates);
  heard_ = true;
  for (const model::Update& update : updates) {
    config_heard_ = config_heard_ || std::holds_alternative<model::ConfigId>(update.key);
  }
}

void Engine::OnInSync() {
  source_status_ = absl::OkStatus();
  if (in_sync_) return;
  spdlog::info("the datastore is complete: {} objects", graph_.store().size());
  in_sync_ = true;
  config_heard_ = true;
}

void Engine::OnLost(const absl::Status& reason) {
  source_status_ = reason;
}

void Engine::OnRefusal(const std::string& id, std::optional<datastore::Refusal> refusal) {
  const auto known = refusals_.find(id);
  if (!refusal) {
    if (known == refusals_.end()) return;
    spdlog::info("no longer refused: object=\"{}\" origin={}", known->second.object,
                 known->second.origin);
    refusals_.erase(known);
    return;
  }
  if (known != refusals_.end() && known->second == *refusal) return;
  spdlog::warn("refused: object=\"{}\" origin={} field={} reason=\"{}\"", refusal->object,
               refusal->origin, refusal->field, refusal->reason);
  refusals_[id] = *std::move(refusal);
}

void Engine::Reconfigure(ConfigSources local) {
  sources_ = std::move(local);
  ResolveConfig();
}

void Engine::Resync() {
  if (running_) running_->loop.MarkResync();
}

void Engine::ResolveConfig() {
  config_heard_ = false;
  const auto& configs = graph_.store().configs();
  const auto values_of = [&configs](const std::string& host) {
    const auto found = configs.find(model::ConfigId{host});
    return found == configs.end() ? ConfigSources::Values() : found->second.values;
  };
  sources_.cluster = values_of("");
  sources_.host = values_of(config_.compiler.hostname);
  TakeConfig(Config::Resolve(sources_));
}

void Engine::TakeConfig(Config config) {
  LogWarnings(config);
  for (const ConfigChange& change : Changes(config_, config)) {
    const bool too_late = change.needs_restart && running_ != nullptr;
    spdlog::info("configuration: {} changes from \"{}\" to \"{}\" ({}){}", change.name,
                 change.before.value, change.after.value, ConfigSourceName(change.after.source),
                 too_late ? ", which takes a restart" : "");
  }
  // Who we are cannot change while we run: everything was read for the old name.
  config.compiler.hostname = config_.compiler.hostname;
  const compiler::Options before = config_.compiler;
  const bool compiles_differently = config.compiler != before;
  config_ = std::move(config);
  if (running_) {
    running_->loop.SetIntervals(IntervalsOf(config_));
    if (compiles_differently) {
      if (before.ipv6_support && !config_.compiler.ipv6_support) {
        spdlog::warn("ipv6 is switched off: what the kernel holds of ours for ipv6 stays as it is");
      }
      running_->dataplane.SetOptions(DataplaneOptionsOf(config_), graph_.desired());
      running_->loop.MarkChanged();
    }
  }
  if (compiles_differently) {
    graph_.SetOptions(config_.compiler);
    heard_ = true;
  }
}

void Engine::LogWarnings(const Config& config) {
  for (const std::string& warning : config.warnings) {
    if (logged_warnings_.insert(warning).second) spdlog::warn("{}", warning);
  }
  for (const std::string& remark : config.remarks) {
    if (logged_warnings_.insert(remark).second) spdlog::debug("{}", remark);
  }
}

absl::Status Engine::StartRunning() {
  FELIX_ASSIGN_OR_RETURN(std::unique_ptr<HostKernel> kernel, open_kernel_(config_));
  running_ = std::make_unique<Running>(clock_, std::move(kernel), config_);
  running_->loop.MarkInSync();
  return absl::OkStatus();
}

// What elements in the kernel say must be known before it is compiled what they are to say: a
// number that comes to mean something else would let through what nobody allows.
bool Engine::AdoptShapes() {
  Running& running = *running_;
  if (running.shapes_known) return true;
  const compiler::Options& options = graph_.options();
  if (options.chain_layout == compiler::ChainLayout::kShared) {
    if (running.read_shapes_again && clock_.Now() < *running.read_shapes_again) return false;
    const auto numbers = ReadShapeNumbers(
        *running.kernel, compiler::Marks::FromMask(options.mark_mask, options.chain_layout));
    if (!numbers.ok()) {
      if (numbers.status() != running.shapes_status) {
        spdlog::warn("cannot read yet which shapes are in the kernel: {}",
                     ToStd(numbers.status().message()));
      }
      running.shapes_status = numbers.status();
      running.read_shapes_again = clock_.Now() + ApplyLoop::kFirstRetry;
      return false;
    }
    graph_.AdoptShapeNumbers(*numbers);
  }
  running.shapes_known = true;
  running.read_shapes_again.reset();
  return true;
}

void Engine::DropIdleShapes() {
  const bool idle =
      graph_.options().chain_layout == compiler::ChainLayout::kShared && graph_.has_idle_shapes();
  if (!idle) {
    next_drop_.reset();
    return;
  }
  if (!next_drop_) next_drop_ = clock_.Now() + kIdleShapeInterval;
  if (clock_.Now() < *next_drop_) return;
  next_drop_ = clock_.Now() + kIdleShapeInterval;
  graph_.DropIdleShapes();
  heard_ = true;
}

void Engine::LogLayoutIfChanged() {
  const compiler::LayoutReport report = graph_.layout_report();
  const std::size_t without = report.without_number.size();
  if (without == logged_without_number_) return;
  logged_without_number_ = without;
  if (without == 0) {
    spdlog::info("all shapes have numbers again");
    return;
  }
  spdlog::warn(
      "{} containers have chains of their own, the first at {}: more shapes than the {} numbers "
      "that IptablesMarkMask leaves",
      without, report.without_number.front(), report.most_shapes);
}

const ir::DesiredState& Engine::CompileOnly() {
  FELIX_CHECK(running_ == nullptr, "the kernel is open: what was compiled would not get there");
  if (config_heard_) ResolveConfig();
  static_cast<void>(graph_.Flush());
  return graph_.desired();
}

absl::Status Engine::Step() {
  if (!in_sync_) return absl::OkStatus();
  if (config_heard_) ResolveConfig();
  if (!running_) FELIX_RETURN_IF_ERROR(StartRunning());
  if (!AdoptShapes()) return absl::OkStatus();
  DropIdleShapes();
  if (heard_) Compile();
  LockWatch* watch = running_->kernel->lock_watch();
  if (watch != nullptr && watch->TakeReleased()) running_->loop.MarkOthersTurn();
  running_->loop.Look();
  if (running_->loop.IsDue()) Apply();
  if (heard_) Compile();
  LogReadinessIfChanged();
  if (running_->loop.IsHopeless()) {
    return absl::DeadlineExceededError(fmt::format(
        "gave up after {} s without one success, what the kernel holds stays: {}",
        std::chrono::duration_cast<std::chrono::seconds>(running_->loop.FailingFor()).count(),
        Describe(outcome_->report)));
  }
  return absl::OkStatus();
}

void Engine::Compile() {
  heard_ = false;
  const Clock::TimePoint start = clock_.Now();
  const ir::DesiredDelta delta = graph_.Flush();
  compile_time_ += clock_.Now() - start;
  if (delta.empty()) {
    // Nothing here depends on what arrived, so nothing is owed for it.
    if (!running_->loop.IsDue()) arrival_.reset();
    return;
  }
  running_->dataplane.Stage(delta);
  running_->loop.MarkChanged();
  if (graph_.options().chain_layout == compiler::ChainLayout::kShared) LogLayoutIfChanged();
}

void Engine::Apply() {
  const Clock::TimePoint start = clock_.Now();
  ApplyOutcome outcome;
  outcome.report = running_->loop.Run();
  // Tables ask whether others had a turn, and then the descriptor is not readable any more for it.
  if (LockWatch* watch = running_->kernel->lock_watch(); watch && watch->TakeReleased()) {
    running_->loop.MarkOthersTurn();
  }
  outcome.compile_time = compile_time_;
  outcome.total_time = clock_.Now() - arrival_.value_or(start);
  outcome_ = std::move(outcome);
  ++applies_;
  LogOutcome();
  LogClosed();
  if (!outcome_->report.ok()) return;
  arrival_.reset();
  compile_time_ = {};
  if (!outcome_->report.unfinished && graph_.OnApplied()) heard_ = true;
}

void Engine::LogClosed() {
  const std::vector<ApplyReport::ClosedChain>& closed = outcome_->report.closed;
  if (closed == closed_) return;
  const auto is_in = [](const auto& chains, const ApplyReport::ClosedChain& chain) {
    return std::find(chains.begin(), chains.end(), chain) != chains.end();
  };
  for (const ApplyReport::ClosedChain& chain : closed) {
    if (is_in(closed_, chain)) continue;
    spdlog::warn("closed: owner={} chain={} table=\"{}\" reason=\"{}\"", chain.owner, chain.chain,
                 chain.table, chain.reason);
  }
  for (const ApplyReport::ClosedChain& chain : closed_) {
    if (is_in(closed, chain)) continue;
    spdlog::info("no longer closed for that reason: owner={} chain={} table=\"{}\"", chain.owner,
                 chain.chain, chain.table);
  }
  closed_ = closed;
}

void Engine::LogOutcome() const {
  const ApplyReport& report = outcome_->report;
  if (!report.drift.empty()) {
    std::string lines;
    for (const std::string& line : report.drift) lines += (lines.empty() ? "" : "; ") + line;
    spdlog::warn("repaired what another program had changed: {}", lines);
  }
  constexpr std::size_t kMaxDamageLines = 10;
  for (std::size_t i = 0; i < std::min(kMaxDamageLines, report.damage.size()); ++i) {
    spdlog::warn("somebody else changed {}", report.damage[i]);
  }
  if (report.damage.size() > kMaxDamageLines) {
    spdlog::warn("somebody else changed {} more sets", report.damage.size() - kMaxDamageLines);
  }
  const auto level = report.wrote() ? spdlog::level::info : spdlog::level::debug;
  if (!spdlog::should_log(level)) return;
  const DesiredTotals totals = Count(graph_.desired());
  spdlog::log(level,
              "applied objects={} rules={} sets={} rules_written={} members_added={} "
              "members_removed={} commits={} compile_us={} sets_us={} tables_us={} total_us={}",
              graph_.store().size(), totals.rules, totals.sets, report.rules_written,
              report.members_added, report.members_removed, report.commits,
              outcome_->compile_time.count(), report.sets_time.count(), report.tables_time.count(),
              outcome_->total_time.count());
}

void Engine::LogReadinessIfChanged() {
  const bool contended = running_->loop.is_contended();
  if (contended != logged_contention_) {
    logged_contention_ = contended;
    if (contended) {
      spdlog::warn(
          "another program undoes our rules again and again, so they are compared less "
          "often");
    }
  }
  const Readiness now = readiness();
  if (now == logged_readiness_) return;
  logged_readiness_ = now;
  if (now == Readiness::kReady) {
    spdlog::info("ready: what the datastore says is in force");
  } else {
    spdlog::error("not ready: for {} s no apply brought about what the datastore says: {}",
                  ApplyLoop::kNotReadyAfter.count(),
                  outcome_ ? Describe(outcome_->report) : "none was made");
  }
}

int Engine::watch_fd() const {
  if (!running_) return -1;
  const LockWatch* watch = running_->kernel->lock_watch();
  return watch == nullptr ? -1 : watch->fd();
}

Readiness Engine::readiness() const {
  return running_ ? running_->loop.readiness() : Readiness::kStarting;
}

std::optional<Clock::TimePoint> Engine::NextDue() const {
  if (!running_) return std::nullopt;
  if (running_->read_shapes_again) return running_->read_shapes_again;
  const std::optional<Clock::TimePoint> due = running_->loop.NextDue();
  if (!due || !next_drop_) return due ? due : next_drop_;
  return std::min(*due, *next_drop_);
}

}  // namespace felix
