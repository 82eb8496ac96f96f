// SPDX-License-Identifier: Apache-2.0
#include "felix/cleanup.h"

#include <chrono>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "fmt/format.h"

#include "felix/clock.h"
#include "felix/dataplane.h"
#include "model/base/strings.h"

namespace felix {
namespace {

constexpr int kAttempts = 100;
constexpr std::chrono::milliseconds kPause{50};

absl::Status FirstFailure(const ApplyReport& report) {
  const ApplyReport::Failure& failure = report.failures.front();
  return absl::Status(failure.status.code(), ToAbsl(fmt::format("cannot {}: {}", failure.what,
                                                                ToStd(failure.status.message()))));
}

}  // namespace

CleanupReport Cleanup(HostKernel& kernel, bool dry_run) {
  const SystemClock clock;
  Dataplane dataplane(clock, kernel, DataplaneOptions{});
  dataplane.RemoveEverything();

  CleanupReport report;
  absl::StatusOr<std::vector<std::string>> plan = dataplane.DryRun();
  if (!plan.ok()) {
    report.status = plan.status();
    return report;
  }
  report.lines = *std::move(plan);
  if (dry_run) return report;
  for (int attempt = 0; attempt < kAttempts && dataplane.dirty(); ++attempt) {
    const ApplyReport applied = dataplane.Apply();
    report.destroys_refused += applied.destroys_refused;
    if (applied.ok()) {
      report.status = absl::OkStatus();
      continue;
    }
    report.status = FirstFailure(applied);
    if (!applied.only_locked_out()) break;
    std::this_thread::sleep_for(kPause);
  }
  return report;
}

}  // namespace felix
