// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/run.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"

#include "felix/clock.h"
#include "felix/dataplane.h"
#include "felix/desired_totals.h"
#include "felix/host_kernel.h"
#include "felix/json_line.h"
#include "felix/replay/host_compiler.h"
#include "felix/replay/render.h"
#include "model/base/hash.h"
#include "model/base/status_macros.h"

namespace felix::replay {
namespace {

using Micros = std::chrono::microseconds;

// How long one stage took in each step that had something for it.
struct Stage {
  std::string_view name;
  std::vector<std::uint64_t> times = {};  // microseconds

  void Add(Micros time) { times.push_back(static_cast<std::uint64_t>(time.count())); }
  [[nodiscard]] std::uint64_t Percentile(std::size_t percent) const {
    if (times.empty()) return 0;
    std::vector<std::uint64_t> sorted = times;
    std::sort(sorted.begin(), sorted.end());
    return sorted[std::min(sorted.size() - 1, sorted.size() * percent / 100)];
  }
};

// The kernel of a namespace of our own.
class LiveKernel {
 public:
  static absl::StatusOr<std::unique_ptr<LiveKernel>> Open(const Config& config,
                                                          const Clock& clock) {
    if (unshare(CLONE_NEWNET) != 0) {
      return absl::ErrnoToStatus(errno, "make a network namespace for --live, which needs root");
    }
    std::string lock = "/tmp/felix-replay-lock-XXXXXX";
    const int fd = mkstemp(lock.data());
    if (fd < 0) return absl::ErrnoToStatus(errno, "make a lock file for --live");
    close(fd);
    setenv("XTABLES_LOCKFILE", lock.c_str(), 1);
    FELIX_ASSIGN_OR_RETURN(std::unique_ptr<HostKernel> kernel, OpenHostKernel({}));
    return std::unique_ptr<LiveKernel>(
        new LiveKernel(std::move(lock), std::move(kernel), config, clock));
  }
  ~LiveKernel() { unlink(lock_.c_str()); }
  LiveKernel(const LiveKernel&) = delete;
  LiveKernel& operator=(const LiveKernel&) = delete;

  absl::Status Apply(const ir::DesiredDelta& delta, Stage& sets, Stage& tables) {
    dataplane_.Stage(delta);
    Micros sets_time{};
    Micros tables_time{};
    bool unfinished = true;
    while (unfinished) {
      const ApplyReport report = dataplane_.Apply();
      sets_time += report.sets_time;
      tables_time += report.tables_time;
      unfinished = report.unfinished;
      if (!report.ok()) {
        const auto& failures = report.failures;
        return failures.empty()
                   ? absl::UnavailableError("a table waits for a set")
                   : absl::Status(failures.front().status.code(),
                                  fmt::format("{}: {}", failures.front().what,
                                              std::string(failures.front().status.message())));
      }
    }
    sets.Add(sets_time);
    tables.Add(tables_time);
    return absl::OkStatus();
  }

 private:
  static DataplaneOptions OptionsOf(const Config& config) {
    DataplaneOptions options;
    options.ipv6_support = config.compiler.ipv6_support;
    options.sets.max_set_size = config.max_ipset_size;
    return options;
  }
  LiveKernel(std::string lock, std::unique_ptr<HostKernel> kernel, const Config& config,
             const Clock& clock)
      : lock_(std::move(lock)),
        kernel_(std::move(kernel)),
        dataplane_(clock, *kernel_, OptionsOf(config)) {}

  std::string lock_;
  std::unique_ptr<HostKernel> kernel_;
  Dataplane dataplane_;
};

// One host on its way through the history.
class Runner {
 public:
  Runner(const InputRequest& request, const std::string& host, bool live)
      : compiler_(host, request.local, request.interfaces), live_(live) {}

  absl::Status Step(const datastore::SnapshotStep& step) {
    const Clock::TimePoint start = clock_.Now();
    FELIX_RETURN_IF_ERROR(compiler_.Take(step.updates));
    ir::DesiredDelta delta = compiler_.Flush();
    compile_.Add(clock_.Now() - start);
    ++steps_;
    updates_ += step.updates.size();
    if (!delta.empty()) ++changing_steps_;
    FELIX_RETURN_IF_ERROR(Apply(delta));
    while (compiler_.OnApplied()) {
      delta = compiler_.Flush();
      FELIX_RETURN_IF_ERROR(Apply(delta));
    }
    return absl::OkStatus();
  }

  [[nodiscard]] Answer Report(Micros total, Output output) const;

 private:
  absl::Status Apply(const ir::DesiredDelta& delta) {
    if (!live_ || delta.empty()) return absl::OkStatus();
    if (kernel_ == nullptr) {
      FELIX_ASSIGN_OR_RETURN(kernel_, LiveKernel::Open(compiler_.config(), clock_));
    }
    return kernel_->Apply(delta, sets_, tables_);
  }
  [[nodiscard]] std::string Digest() const {
    const RestoreFiles files = MakeRestoreFiles(compiler_.desired(), compiler_.config());
    return Sha256Base64Url(files.sets + files.v4 + files.v6);
  }

  SystemClock clock_;
  HostCompiler compiler_;
  bool live_;
  std::unique_ptr<LiveKernel> kernel_;
  Stage compile_{"compile"};
  Stage sets_{"sets"};
  Stage tables_{"tables"};
  std::size_t steps_ = 0;
  std::size_t changing_steps_ = 0;
  std::size_t updates_ = 0;
};

std::uint64_t PeakKilobytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

Answer Runner::Report(Micros total, Output output) const {
  const DesiredTotals totals = Count(compiler_.desired());
  const double seconds = std::chrono::duration<double>(total).count();
  const auto rate =
      static_cast<std::uint64_t>(seconds > 0 ? static_cast<double>(updates_) / seconds : 0.0);
  const std::vector<const Stage*> stages = {&compile_, &sets_, &tables_};
  if (output == Output::kJson) {
    JsonLine json;
    json.BeginObject();
    json.Field("schema", "felix-replay/run/1");
    json.Field("host", compiler_.config().compiler.hostname);
    json.Field("steps", steps_);
    json.Field("changing_steps", changing_steps_);
    json.Field("updates", updates_);
    json.Field("updates_per_second", rate);
    json.Field("total_microseconds", static_cast<std::uint64_t>(total.count()));
    json.Field("peak_kilobytes", PeakKilobytes());
    json.Key("microseconds").BeginObject();
    for (const Stage* stage : stages) {
      if (stage->times.empty()) continue;
      json.Key(stage->name).BeginObject();
      json.Field("count", stage->times.size());
      json.Field("p50", stage->Percentile(50));
      json.Field("p90", stage->Percentile(90));
      json.Field("p99", stage->Percentile(99));
      json.Field("max", stage->Percentile(100));
      json.EndObject();
    }
    json.EndObject();
    json.Field("rules", totals.rules);
    json.Field("chains", totals.chains);
    json.Field("sets", totals.sets);
    json.Field("set_members", totals.set_members);
    json.Field("digest", Digest());
    json.EndObject();
    return {json.Text() + "\n", kDone};
  }
  std::string text = fmt::format(
      "host      {}\nsteps     {}, of which {} changed its firewall\nupdates   {}, {} per second\n",
      compiler_.config().compiler.hostname, steps_, changing_steps_, updates_, rate);
  text += fmt::format("{:<9} {:>8} {:>10} {:>10} {:>10} {:>10}\n", "µs", "count", "p50", "p90",
                      "p99", "max");
  for (const Stage* stage : stages) {
    if (stage->times.empty()) continue;
    text += fmt::format("  {:<8} {:>7} {:>10} {:>10} {:>10} {:>10}\n", stage->name,
                        stage->times.size(), stage->Percentile(50), stage->Percentile(90),
                        stage->Percentile(99), stage->Percentile(100));
  }
  text += fmt::format("memory    {} MB at its peak\n", PeakKilobytes() / 1000);
  text += fmt::format("result    {} rules in {} chains, {} sets with {} members\ndigest    {}\n",
                      totals.rules, totals.chains, totals.sets, totals.set_members, Digest());
  return {std::move(text), kDone};
}

}  // namespace

absl::StatusOr<Answer> Run(const InputRequest& request, const std::string& host, bool live,
                           Output output) {
  const SystemClock clock;
  const Clock::TimePoint start = clock.Now();
  Runner runner(request, host, live);
  datastore::SnapshotOptions options = request.snapshot;
  options.every_step = true;
  absl::Status failure;
  const auto facts =
      datastore::ReadSnapshot(request.paths, options, [&](const datastore::SnapshotStep& step) {
        if (failure.ok()) failure = runner.Step(step);
      });
  FELIX_RETURN_IF_ERROR(facts.status());
  FELIX_RETURN_IF_ERROR(failure);
  return runner.Report(clock.Now() - start, output);
}

}  // namespace felix::replay
