// SPDX-License-Identifier: Apache-2.0
#include "felix/daemon.h"

#include <poll.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <utility>
#include <variant>
#include <vector>

#include "fmt/format.h"
#include "spdlog/spdlog.h"

#include "datastore/source_factory.h"
#include "felix/config_file.h"
#include "felix/failure_log.h"
#include "felix/host_kernel.h"
#include "felix/once_report.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

absl::StatusOr<std::unique_ptr<HostKernel>> OpenKernelFor(const Config& config) {
  UseLockFile(config);
  HostKernelOptions options;
  options.lock_timeout = duration_cast<milliseconds>(config.iptables_lock_timeout);
  options.lock_probe_interval = duration_cast<milliseconds>(config.iptables_lock_probe_interval);
  return OpenHostKernel(options);
}

absl::Status NoDatastore(const Config& config) {
  const Setting& type = config.settings.find("DatastoreType")->second;
  if (type.source == ConfigSource::kDefault) {
    return absl::InvalidArgumentError(
        "no datastore is configured (give --datastore file:DIR or etcd:URL, or Datastore or "
        "EtcdEndpoints in "
        "the configuration file)");
  }
  return absl::UnimplementedError(fmt::format(
      "datastore type {} is not supported by this build (give --datastore file:DIR or etcd:URL)",
      type.value));
}

netlink::InterfaceMonitor::Options InterfaceOptionsOf(const Config& config) {
  return {.workload_prefixes = config.compiler.interface_prefixes,
          .exclude = config.interface_exclude,
          .refresh_interval = config.interface_refresh_interval};
}

void LogInterface(const model::Update& update) {
  if (!spdlog::should_log(spdlog::level::debug)) return;
  const std::string key = model::ToString(update.key);
  if (!update.value) {
    spdlog::debug("{} is gone", key);
    return;
  }
  std::string addresses;
  for (const model::IpAddress& address : std::get<model::Interface>(*update.value).addresses) {
    addresses += " " + address.ToString();
  }
  spdlog::debug("{} has{}", key, addresses.empty() ? " no addresses" : addresses);
}

bool IsTransient(const ApplyReport& report) {
  if (report.waiting != 0) return false;
  for (const ApplyReport::Failure& failure : report.failures) {
    if (!absl::IsAborted(failure.status) && !absl::IsUnavailable(failure.status)) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<ConfigSources> ReadConfigSources(const ConfigInputs& inputs) {
  ConfigSources sources;
  sources.command_line = inputs.command_line;
  sources.environment = inputs.environment;
  sources.defaults = inputs.defaults;
  sources.defaults["FelixHostname"] = SystemHostname();
  absl::StatusOr<ConfigFile> file = ReadConfigFile(inputs.file_path);
  if (file.ok()) {
    sources.file = std::move(file->values);
    sources.file_warnings = std::move(file->warnings);
  } else if (inputs.file_must_exist || !absl::IsNotFound(file.status())) {
    return file.status();
  }
  return sources;
}

void UseLockFile(const Config& config) {
  const Setting& path = config.settings.find("IptablesLockFilePath")->second;
  if (path.source == ConfigSource::kDefault || path.value.empty()) return;
  setenv("XTABLES_LOCKFILE", path.value.c_str(), 1);
}

LogSettings LogSettingsOf(const Config& config) {
  return {.screen_severity = config.log_severity_screen,
          .file_severity = config.log_severity_file,
          .file_path = config.log_file_path};
}

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Make(const Clock& clock, ConfigInputs inputs,
                                                     ConfigSources sources) {
  const Config config = Config::Resolve(sources);
  if (config.compiler.hostname.empty()) {
    return absl::InvalidArgumentError("this host has no name (give --hostname NAME)");
  }
  if (config.datastore.empty()) return NoDatastore(config);
  std::unique_ptr<Recorder> recorder;
  if (!inputs.record_path.empty()) {
    FELIX_ASSIGN_OR_RETURN(recorder, Recorder::Open(inputs.record_path, config.compiler.hostname));
  }
  const datastore::SourceConfig place = {.address = config.datastore,
                                         .tls = {.ca_file = config.etcd_ca_file,
                                                 .cert_file = config.etcd_cert_file,
                                                 .key_file = config.etcd_key_file},
                                         .user = inputs.etcd_user,
                                         .password = inputs.etcd_password,
                                         .tap = recorder.get()};
  FELIX_ASSIGN_OR_RETURN(std::unique_ptr<datastore::Source> source, datastore::MakeSource(place));
  FELIX_ASSIGN_OR_RETURN(std::unique_ptr<datastore::StatusWriter> status_writer,
                         datastore::MakeStatusWriter(place));
  return std::unique_ptr<Daemon>(new Daemon(clock, std::move(inputs), std::move(sources),
                                            std::move(recorder), std::move(source),
                                            std::move(status_writer)));
}

Daemon::Daemon(const Clock& clock, ConfigInputs inputs, ConfigSources sources,
               std::unique_ptr<Recorder> recorder, std::unique_ptr<datastore::Source> source,
               std::unique_ptr<datastore::StatusWriter> status_writer)
    : clock_(clock),
      inputs_(std::move(inputs)),
      engine_(clock, std::move(sources), OpenKernelFor),
      log_settings_(LogSettingsOf(engine_.config())),
      failure_log_(clock),
      interfaces_(clock, InterfaceOptionsOf(engine_.config())),
      arrivals_(clock, queue_),
      recorder_(std::move(recorder)),
      source_(std::move(source)),
      status_(clock, std::move(status_writer), IsInterfaceUp) {}

Daemon::~Daemon() {
  status_.Stop();
  source_->Stop();
}

void Daemon::Wait(std::optional<Clock::TimePoint> until) {
  std::array<pollfd, 4> watched = {
      pollfd{queue_.event_fd(), POLLIN, 0}, pollfd{interfaces_.fd(), POLLIN, 0},
      pollfd{signals_.fd(), POLLIN, 0}, pollfd{engine_.watch_fd(), POLLIN, 0}};
  if (!until) {
    static_cast<void>(ppoll(watched.data(), watched.size(), nullptr, nullptr));  // or a signal
    return;
  }
  const microseconds left = std::max(*until - clock_.Now(), microseconds::zero());
  const auto seconds = duration_cast<std::chrono::seconds>(left);
  const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count() * 1000};
  static_cast<void>(ppoll(watched.data(), watched.size(), &timeout, nullptr));  // as above
}

void Daemon::HearInterfaces() {
  interfaces_.SetOptions(InterfaceOptionsOf(engine_.config()));
  std::vector<model::Update> updates = interfaces_.Read();
  if (updates.empty()) return;
  for (const model::Update& update : updates) {
    LogInterface(update);
    if (recorder_ != nullptr) recorder_->OnInterface(update);
  }
  engine_.NoteArrival(clock_.Now());
  engine_.OnUpdates(std::move(updates));
}

void Daemon::Hear() {
  HearInterfaces();
  if (const std::optional<Clock::TimePoint> arrival = arrivals_.Take()) {
    engine_.NoteArrival(*arrival);
  }
  datastore::UpdateQueue::Pending pending = queue_.Drain();
  for (auto& [id, refusal] : pending.refusals) engine_.OnRefusal(id, std::move(refusal));
  status_.Hear(pending.updates, engine_.config());
  if (!pending.updates.empty()) engine_.OnUpdates(std::move(pending.updates));
  datastore_complete_ = datastore_complete_ || pending.in_sync_marks != 0;
  if (datastore_complete_ && interfaces_.in_sync()) {
    engine_.OnInSync();
    datastore_complete_ = false;
  }
  if (!pending.source_status.ok()) engine_.OnLost(pending.source_status);
}

bool Daemon::HearSignals() {
  while (const std::optional<int> signal = signals_.Next()) {
    if (*signal != SIGHUP) {
      spdlog::info("stopping on signal {}, what the kernel holds stays", *signal);
      return false;
    }
    Reload();
  }
  return true;
}

void Daemon::Reload() {
  spdlog::info("reading everything anew");
  absl::StatusOr<ConfigSources> sources = ReadConfigSources(inputs_);
  if (sources.ok()) {
    engine_.Reconfigure(*std::move(sources));
  } else {
    spdlog::error("the configuration stays as it is: {}", ToStd(sources.status().message()));
  }
  // A file that was moved away is let go in any case.
  log_settings_ = {};
  ReopenLogIfChanged();
  engine_.Resync();
  interfaces_.Resync();
  source_->Resync();
}

void Daemon::LogSourceIfChanged() {
  const absl::Status& status = engine_.source_status();
  if (status == logged_source_status_) return;
  logged_source_status_ = status;
  if (status.ok()) {
    spdlog::info("the datastore can be read again");
  } else {
    spdlog::warn("the datastore cannot be read, what is known stays in force: {}",
                 ToStd(status.message()));
  }
}

void Daemon::LogInterfacesIfChanged() {
  const absl::Status& status = interfaces_.status();
  if (status == logged_interfaces_status_) return;
  logged_interfaces_status_ = status;
  if (status.ok()) {
    spdlog::info("the interfaces of this host can be read again");
  } else {
    spdlog::error("the interfaces of this host cannot be read, {}: {}",
                  interfaces_.in_sync() ? "what is known of them stays" : "nothing is applied yet",
                  ToStd(status.message()));
  }
}

std::optional<Clock::TimePoint> Daemon::NextDue() const {
  std::optional<Clock::TimePoint> next;
  for (const auto& due : {engine_.NextDue(), interfaces_.NextDue(), status_.NextDue()}) {
    if (due && (!next || *due < *next)) next = due;
  }
  return next;
}

void Daemon::ReopenLogIfChanged() {
  LogSettings settings = LogSettingsOf(engine_.config());
  if (settings == log_settings_) return;
  log_settings_ = std::move(settings);
  if (const absl::Status status = ConfigureLog(log_settings_); !status.ok()) {
    spdlog::error("{}", ToStd(status.message()));
  }
}

void Daemon::HearOutcome(const ApplyOutcome& outcome) {
  failure_log_.Hear(outcome.report);
  status_.HearApply(outcome.report, engine_.config());
  if (recorder_ != nullptr) recorder_->OnCommit(outcome);
}

absl::Status Daemon::Run() {
  FELIX_RETURN_IF_ERROR(source_->Start(arrivals_));
  spdlog::info("started: host={} datastore={}", engine_.config().compiler.hostname,
               engine_.config().datastore);
  while (HearSignals()) {
    Hear();
    LogSourceIfChanged();
    LogInterfacesIfChanged();
    const std::uint64_t applies = engine_.applies();
    FELIX_RETURN_IF_ERROR(engine_.Step());
    if (engine_.applies() != applies) HearOutcome(*engine_.last_outcome());
    status_.Step(engine_.config());
    ReopenLogIfChanged();
    Wait(NextDue());
  }
  return absl::OkStatus();
}

absl::Status Daemon::HearOnce() {
  if (!HearSignals()) return absl::CancelledError("interrupted");
  Hear();
  if (engine_.in_sync()) return absl::OkStatus();
  const absl::Status& unread = interfaces_.status();
  if (!unread.ok() && !absl::IsAborted(unread)) {
    return absl::Status(unread.code(), ToAbsl(fmt::format("cannot read the interfaces: {}",
                                                          ToStd(unread.message()))));
  }
  const absl::Status& lost = engine_.source_status();
  if (lost.ok()) return absl::OkStatus();
  return absl::Status(lost.code(),
                      ToAbsl(fmt::format("cannot read the datastore: {}", ToStd(lost.message()))));
}

absl::StatusOr<bool> Daemon::OnceRound(Clock::TimePoint start, OnceFigures& figures) {
  FELIX_RETURN_IF_ERROR(HearOnce());
  if (!engine_.in_sync()) return false;
  if (figures.read_time == microseconds::zero()) figures.read_time = clock_.Now() - start;
  const std::uint64_t applies = engine_.applies();
  FELIX_RETURN_IF_ERROR(engine_.Step());
  if (engine_.applies() == applies) return false;
  if (recorder_ != nullptr) recorder_->OnCommit(*engine_.last_outcome());
  const ApplyReport& report = engine_.last_outcome()->report;
  figures.Add(report);
  if (report.ok()) return !report.unfinished;
  if (!IsTransient(report)) return absl::UnavailableError(Describe(report));
  return false;
}

absl::Status Daemon::TakeTurns(std::chrono::seconds timeout,
                               const std::function<absl::StatusOr<bool>()>& turn) {
  const Clock::TimePoint start = clock_.Now();
  const Clock::TimePoint deadline = start + timeout;
  Clock::TimePoint say_something = start + std::chrono::seconds(1);
  FELIX_RETURN_IF_ERROR(source_->Start(arrivals_));
  for (;;) {
    FELIX_ASSIGN_OR_RETURN(const bool done, turn());
    if (done) return absl::OkStatus();
    const Clock::TimePoint now = clock_.Now();
    if (now >= deadline) return TooLate(timeout);
    if (now >= say_something) {
      say_something += std::chrono::seconds(1);
      fmt::print(stderr, "felix: {}, {} objects so far\n",
                 engine_.in_sync() ? "applying" : "reading the datastore",
                 engine_.graph().store().size());
    }
    const Clock::TimePoint latest = std::min(deadline, say_something);
    Wait(std::min(NextDue().value_or(latest), latest));
  }
}

absl::StatusOr<std::string> Daemon::RunOnce(std::chrono::seconds timeout) {
  const Clock::TimePoint start = clock_.Now();
  OnceFigures figures;
  FELIX_RETURN_IF_ERROR(TakeTurns(timeout, [&] { return OnceRound(start, figures); }));
  figures.total_time = clock_.Now() - start;
  for (const auto& [kind, count] : source_->IgnoredKinds()) figures.ignored[kind] = count;
  return OnceJson(engine_, figures);
}

absl::StatusOr<const compiler::Graph*> Daemon::CompileOnce(std::chrono::seconds timeout) {
  const auto turn = [this]() -> absl::StatusOr<bool> {
    FELIX_RETURN_IF_ERROR(HearOnce());
    return engine_.in_sync();
  };
  FELIX_RETURN_IF_ERROR(TakeTurns(timeout, turn));
  static_cast<void>(engine_.CompileOnly());
  return &engine_.graph();
}

absl::Status Daemon::TooLate(std::chrono::seconds timeout) const {
  const std::string state = engine_.last_outcome()  ? Describe(engine_.last_outcome()->report)
                            : interfaces_.in_sync() ? "the datastore is not complete"
                                                    : "the interfaces could not be read";
  return absl::DeadlineExceededError(
      fmt::format("gave up after {} s (--once-timeout allows more): {}", timeout.count(), state));
}

}  // namespace felix
