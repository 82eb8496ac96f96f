// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/graph.h"
#include "datastore/source.h"
#include "datastore/update_queue.h"
#include "felix/arrival_sink.h"
#include "felix/clock.h"
#include "felix/config.h"
#include "felix/engine.h"
#include "felix/failure_log.h"
#include "felix/log.h"
#include "felix/netlink/interface_monitor.h"
#include "felix/once_report.h"
#include "felix/recorder.h"
#include "felix/signals.h"
#include "felix/status_reporter.h"

namespace felix {

// Where configuration comes from outside the datastore.
struct ConfigInputs {
  ConfigSources::Values command_line;
  ConfigSources::Values environment;
  // Kept apart from parameters, which are printed: ETCD_USERNAME and ETCD_PASSWORD.
  std::string etcd_user = {};
  std::string etcd_password = {};
  ConfigSources::Values defaults;  // in place of built-in ones
  std::string record_path = {};    // what is seen and done is appended to it; empty: nowhere
  std::string file_path = "/etc/calico/felix.cfg";
  bool file_must_exist = false;  // it was asked for
};

// Reads the file; the rest is as given. Errors: a file that is there cannot be read.
[[nodiscard]] absl::StatusOr<ConfigSources> ReadConfigSources(const ConfigInputs& inputs);

// The iptables tools, and we, have the path of their lock from the environment (XTABLES_LOCKFILE);
// this puts it there if the configuration names one.
void UseLockFile(const Config& config);

[[nodiscard]] LogSettings LogSettingsOf(const Config& config);

// The program: a source on its thread, a queue, and the engine on the calling thread, with the
// signals and the interfaces of the host. Builds them in this order, ends them in reverse. Ending
// leaves the kernel as it is.
class Daemon {
 public:
  // Errors: no usable datastore address.
  static absl::StatusOr<std::unique_ptr<Daemon>> Make(const Clock& clock, ConfigInputs inputs,
                                                      ConfigSources sources);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Works until SIGTERM or SIGINT, which is OK. Errors: the kernel cannot be opened; nothing could
  // be written for too long; the source does not start.
  absl::Status Run();

  // Reads the datastore once, applies it, and tells about it as one line of JSON. Errors: the
  // source cannot be read, something cannot be applied, it takes too long, a signal came.
  absl::StatusOr<std::string> RunOnce(std::chrono::seconds timeout);

  // Reads the datastore once and compiles it; never opens the kernel's tables. The graph lives as
  // long as the object. Errors: the source cannot be read, it takes too long, a signal came.
  absl::StatusOr<const compiler::Graph*> CompileOnce(std::chrono::seconds timeout);

 private:
  Daemon(const Clock& clock, ConfigInputs inputs, ConfigSources sources,
         std::unique_ptr<Recorder> recorder, std::unique_ptr<datastore::Source> source,
         std::unique_ptr<datastore::StatusWriter> status_writer);

  // Waits for the queue, the interfaces, a signal, another program at the tables, or `until`.
  void Wait(std::optional<Clock::TimePoint> until);
  void Hear();
  void HearInterfaces();
  void HearOutcome(const ApplyOutcome& outcome);
  // False if the process is to end.
  bool HearSignals();
  void Reload();
  void ReopenLogIfChanged();
  void LogSourceIfChanged();
  void LogInterfacesIfChanged();
  [[nodiscard]] std::optional<Clock::TimePoint> NextDue() const;
  // Until the turn says that it is done.
  absl::Status TakeTurns(std::chrono::seconds timeout,
                         const std::function<absl::StatusOr<bool>()>& turn);
  // Hears; an error if there is nothing more to hear.
  absl::Status HearOnce();
  // One turn of a single run; true if everything is applied.
  absl::StatusOr<bool> OnceRound(Clock::TimePoint start, OnceFigures& figures);
  [[nodiscard]] absl::Status TooLate(std::chrono::seconds timeout) const;

  const Clock& clock_;
  ConfigInputs inputs_;
  Signals signals_;
  Engine engine_;
  LogSettings log_settings_;
  FailureLog failure_log_;
  absl::Status logged_source_status_;
  netlink::InterfaceMonitor interfaces_;
  absl::Status logged_interfaces_status_;
  bool datastore_complete_ = false;  // and the engine was not told yet
  datastore::UpdateQueue queue_;
  ArrivalSink arrivals_;
  std::unique_ptr<Recorder> recorder_;  // may be null; the source borrows it
  std::unique_ptr<datastore::Source> source_;
  StatusReporter status_;
};

}  // namespace felix
