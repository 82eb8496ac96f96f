// SPDX-License-Identifier: Apache-2.0
#include "felix/recorder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

#include "felix/json_line.h"
#include "felix/version.h"
#include "model/base/status_macros.h"

namespace felix {
namespace {

constexpr std::uint64_t kSchema = 1;
constexpr mode_t kMode = 0600;  // values may hold what not everybody is to know

std::string Now() {
  return absl::FormatTime(absl::RFC3339_full, absl::Now(), absl::UTCTimeZone());
}

JsonLine& Begin(JsonLine& json, std::string_view kind) {
  json.BeginObject();
  json.Field("t", kind);
  return json;
}

std::string End(JsonLine& json) {
  json.EndObject();
  return json.Text() + "\n";
}

std::uint64_t Micros(std::chrono::microseconds time) {
  return static_cast<std::uint64_t>(time.count());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Recorder>> Recorder::Open(const std::string& path,
                                                         const std::string& host) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, kMode);
  if (fd < 0) return absl::ErrnoToStatus(errno, fmt::format("record to {}", path));
  std::unique_ptr<Recorder> recorder(new Recorder(path, fd));
  JsonLine json;
  Begin(json, "meta");
  json.Field("schema", kSchema);
  json.Field("host", host);
  json.Field("felix", BuildVersion().version);
  json.Field("started", Now());
  FELIX_RETURN_IF_ERROR(recorder->Write(End(json)));
  return recorder;
}

Recorder::~Recorder() {
  if (fd_ >= 0) close(fd_);
}

absl::Status Recorder::Write(const std::string& lines) {
  const std::lock_guard lock(mutex_);
  std::string_view rest = lines;
  while (fd_ >= 0 && !rest.empty()) {
    const ssize_t written = write(fd_, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      const absl::Status status = absl::ErrnoToStatus(errno, fmt::format("record to {}", path_));
      spdlog::error("nothing more is recorded: {}", std::string(status.message()));
      close(std::exchange(fd_, -1));
      return status;
    }
  }
  return absl::OkStatus();
}

void Recorder::OnValue(std::string_view key, std::string_view value) {
  JsonLine json;
  Begin(json, "set");
  json.Field("k", key);
  json.Field("v", value);
  step_ += End(json);
}

void Recorder::OnRemoval(std::string_view key) {
  JsonLine json;
  Begin(json, "del");
  json.Field("k", key);
  step_ += End(json);
}

void Recorder::OnFile(std::string_view path, std::string_view text) {
  JsonLine json;
  Begin(json, "file");
  json.Field("f", path);
  json.Field("v", text);
  step_ += End(json);
}

void Recorder::OnFileGone(std::string_view path) {
  JsonLine json;
  Begin(json, "gone");
  json.Field("f", path);
  step_ += End(json);
}

void Recorder::OnStepEnd(std::int64_t revision) {
  if (step_.empty()) return;
  JsonLine json;
  Begin(json, "step");
  json.Field("ts", Now());
  json.Field("rev", static_cast<std::uint64_t>(revision));
  // What cannot be written was told of.
  static_cast<void>(Write(End(json) + std::exchange(step_, {})));
}

void Recorder::OnInterface(const model::Update& update) {
  const auto* id = std::get_if<model::InterfaceId>(&update.key);
  if (id == nullptr) return;
  JsonLine json;
  Begin(json, "iface");
  json.Field("ts", Now());
  json.Field("name", id->name);
  if (update.value) {
    json.Key("addrs").BeginArray();
    for (const model::IpAddress& address : std::get<model::Interface>(*update.value).addresses) {
      json.Element(address.ToString());
    }
    json.EndArray();
  } else {
    json.Flag("gone", true);
  }
  static_cast<void>(Write(End(json)));
}

void Recorder::OnCommit(const ApplyOutcome& outcome) {
  JsonLine json;
  Begin(json, "commit");
  json.Field("ts", Now());
  json.Flag("ok", outcome.report.ok());
  json.Key("us").BeginObject();
  json.Field("compile", Micros(outcome.compile_time));
  json.Field("sets", Micros(outcome.report.sets_time));
  json.Field("tables", Micros(outcome.report.tables_time));
  json.Field("total", Micros(outcome.total_time));
  json.EndObject();
  static_cast<void>(Write(End(json)));
}

}  // namespace felix
