// SPDX-License-Identifier: Apache-2.0
#include "felix/failure_log.h"

#include <chrono>

#include "fmt/format.h"
#include "spdlog/spdlog.h"

#include "model/base/strings.h"

namespace felix {

std::string HintFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
      return " (run as root or with CAP_NET_ADMIN and CAP_NET_RAW)";
    case absl::StatusCode::kFailedPrecondition:
      return " (`felix check` names what the kernel lacks)";
    default:
      return {};
  }
}

std::string Describe(const ApplyReport& report) {
  std::string text;
  for (const ApplyReport::Failure& failure : report.failures) {
    text +=
        fmt::format("{}cannot {}: {}{}", text.empty() ? "" : "; ", failure.what,
                    ToStd(failure.status.message()), text.empty() ? HintFor(failure.status) : "");
  }
  if (report.waiting != 0) {
    text += fmt::format("{}{} tables wait for sets", text.empty() ? "" : "; ", report.waiting);
  }
  return text;
}

void FailureLog::Hear(const ApplyReport& report) {
  if (report.only_locked_out()) {
    HearLock(report);
    return;
  }
  locked_since_.reset();
  if (report.ok()) {
    if (said_at_) spdlog::info("applying works again");
    said_at_.reset();
    said_.clear();
    return;
  }
  const std::string text = Describe(report);
  const Clock::TimePoint now = clock_.Now();
  if (said_at_ && text == said_ && now - *said_at_ < kRepeatAfter) return;
  spdlog::error("{}", text);
  said_ = text;
  said_at_ = now;
}

void FailureLog::HearLock(const ApplyReport& report) {
  const Clock::TimePoint now = clock_.Now();
  if (!locked_since_) locked_since_ = now;
  if (now - *locked_since_ < kLockPatience) return;
  if (said_at_ && now - *said_at_ < kRepeatAfter) return;
  const auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - *locked_since_);
  spdlog::warn("waiting for {} s: {}", waited.count(), Describe(report));
  said_at_ = now;
  said_.clear();
}

}  // namespace felix
