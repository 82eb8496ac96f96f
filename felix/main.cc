// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

#include "felix/check.h"
#include "felix/cleanup.h"
#include "felix/clock.h"
#include "felix/config.h"
#include "felix/config_parameters.h"
#include "felix/counters_report.h"
#include "felix/daemon.h"
#include "felix/failure_log.h"
#include "felix/host_kernel.h"
#include "felix/layout_fit.h"
#include "felix/log.h"
#include "felix/rules_report.h"
#include "felix/version.h"
#include "model/base/strings.h"

namespace felix {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kGaveUp = 75;  // EX_TEMPFAIL of sysexits.h

constexpr std::chrono::seconds kCleanupLockTimeout{10};

constexpr const char* kExamples = R"(
Examples:
  felix --datastore file:/etc/felix/resources
      enforce what the directory says, and follow it
  felix --datastore etcd:https://a:2379,https://b:2379
      the same from a cluster's etcd (EtcdCaFile, EtcdCertFile, EtcdKeyFile; ETCD_USERNAME and
      ETCD_PASSWORD in the environment)
  felix --once --datastore file:/etc/felix/resources
      enforce it once and print what was done as JSON
  FELIX_LOGSEVERITYSCREEN=debug felix -c /etc/calico/felix.cfg
      the same parameters from the environment and a file
  felix check --datastore file:/etc/felix/resources
      does this kernel have what it takes, and which ChainLayout fits this host? Without a datastore
      only the kernel is asked
  felix rules --datastore file:/etc/felix/resources
      which object put which rule into the kernel? Needs no root, changes nothing
  felix counters --datastore file:/etc/felix/resources
      what did each container send and receive? Only with ChainLayout=Shared
  felix cleanup --dry-run
      what would go if everything of ours were removed?

Exit status: 0 done, 1 failed, 2 wrong usage, 75 nothing could be written for 90 seconds.)";

constexpr const char* kCountersHelp = R"(
Example:
  felix counters --by-address --datastore file:/etc/felix/resources
      packets and bytes from and to each address of each container of this host

Reads the kernel and the datastore, changes neither. A container with - in place of numbers is down,
has chains of its own, or is not in the kernel yet. JSON has both sums and addresses, and bears a
version. Exit status as of felix.)";

struct CommandLine {
  ConfigInputs inputs;
  std::string datastore;
  std::string hostname;
  std::string log_level;
  bool once = false;
  int once_timeout_seconds = 30;
  bool dry_run = false;
  bool by_address = false;
  std::string output = "text";
};

int Fail(const absl::Status& status) {
  const std::string_view message = ToStd(status.message());
  const std::string hint = HintFor(status);
  // Some messages carry their hint already.
  const bool hinted = message.find(hint) != std::string_view::npos;
  fmt::print(stderr, "felix: {}{}\n", EscapeControlCharacters(message), hinted ? "" : hint);
  return kFailed;
}

// Prints the answer; a reader that is gone must not look like success.
int Answer(std::string_view text, int exit_status) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return exit_status;
  }
  return Fail(absl::ErrnoToStatus(errno, "cannot write to standard output"));
}

// The configuration outside the datastore, with the log as it wants it.
absl::StatusOr<ConfigSources> Configure(const CommandLine& command_line) {
  absl::StatusOr<ConfigSources> sources = ReadConfigSources(command_line.inputs);
  if (!sources.ok()) return sources;
  const Config config = Config::Resolve(*sources);
  LogSettings settings = LogSettingsOf(config);
  if (const absl::Status status = ConfigureLog(settings); !status.ok()) {
    spdlog::error("{}", ToStd(status.message()));
  }
  return sources;
}

// The clock must outlive the daemon.
absl::StatusOr<std::unique_ptr<Daemon>> MakeDaemon(const CommandLine& command_line,
                                                   const Clock& clock) {
  absl::StatusOr<ConfigSources> sources = Configure(command_line);
  if (!sources.ok()) return sources.status();
  return Daemon::Make(clock, command_line.inputs, *std::move(sources));
}

int RunDaemon(const CommandLine& command_line) {
  const SystemClock clock;
  const absl::StatusOr<std::unique_ptr<Daemon>> daemon = MakeDaemon(command_line, clock);
  if (!daemon.ok()) return Fail(daemon.status());
  if (!command_line.once) {
    const absl::Status status = (*daemon)->Run();
    if (status.ok()) return kDone;
    const int failed = Fail(status);
    return absl::IsDeadlineExceeded(status) ? kGaveUp : failed;
  }
  const absl::StatusOr<std::string> report =
      (*daemon)->RunOnce(std::chrono::seconds(command_line.once_timeout_seconds));
  if (!report.ok()) return Fail(report.status());
  return Answer(*report + "\n", kDone);
}

int RunRules(const CommandLine& command_line) {
  const SystemClock clock;
  const absl::StatusOr<std::unique_ptr<Daemon>> daemon = MakeDaemon(command_line, clock);
  if (!daemon.ok()) return Fail(daemon.status());
  const absl::StatusOr<const compiler::Graph*> graph =
      (*daemon)->CompileOnce(std::chrono::seconds(command_line.once_timeout_seconds));
  if (!graph.ok()) return Fail(graph.status());
  const ir::DesiredState& state = (*graph)->desired();
  return Answer(command_line.output == "json" ? RulesJson(state) + "\n" : RulesText(state), kDone);
}

int RunCounters(const CommandLine& command_line) {
  const SystemClock clock;
  const absl::StatusOr<std::unique_ptr<Daemon>> daemon = MakeDaemon(command_line, clock);
  if (!daemon.ok()) return Fail(daemon.status());
  const absl::StatusOr<const compiler::Graph*> graph =
      (*daemon)->CompileOnce(std::chrono::seconds(command_line.once_timeout_seconds));
  if (!graph.ok()) return Fail(graph.status());
  if (const absl::Status counts = CountsContainers(**graph); !counts.ok()) return Fail(counts);
  const absl::StatusOr<std::unique_ptr<HostKernel>> kernel = OpenHostKernel({});
  if (!kernel.ok()) return Fail(kernel.status());
  const absl::StatusOr<std::vector<ContainerCounters>> counters =
      ReadContainerCounters(**graph, (*kernel)->sets());
  if (!counters.ok()) return Fail(counters.status());
  return Answer(command_line.output == "json" ? CountersJson(*counters) + "\n"
                                              : CountersText(*counters, command_line.by_address),
                kDone);
}

int RunCleanup(const CommandLine& command_line) {
  const absl::StatusOr<ConfigSources> sources = Configure(command_line);
  if (!sources.ok()) return Fail(sources.status());
  UseLockFile(Config::Resolve(*sources));
  HostKernelOptions options;
  options.lock_timeout = kCleanupLockTimeout;
  const absl::StatusOr<std::unique_ptr<HostKernel>> kernel = OpenHostKernel(options);
  if (!kernel.ok()) return Fail(kernel.status());
  const CleanupReport report = Cleanup(**kernel, command_line.dry_run);
  std::string text;
  for (const std::string& line : report.lines) text += line + "\n";
  if (const int written = Answer(text, kDone); written != kDone) return written;
  if (!report.status.ok()) return Fail(report.status);
  if (report.destroys_refused != 0) {
    fmt::print(stderr, "felix: {} sets stay, since rules of others name them\n",
               report.destroys_refused);
    return kFailed;
  }
  return kDone;
}

int AnswerCheck(const CommandLine& command_line, const compiler::Options& options,
                const LayoutFit& fit) {
  const std::vector<CheckedFeature> features = CheckFeatures(options);
  const std::string answer =
      command_line.output == "json" ? CheckJson(features, fit) + "\n" : CheckText(features, fit);
  return Answer(answer, IsSufficient(features) ? kDone : kFailed);
}

int RunCheck(const CommandLine& command_line) {
  const absl::StatusOr<ConfigSources> sources = Configure(command_line);
  if (!sources.ok()) return Fail(sources.status());
  const Config config = Config::Resolve(*sources);
  const auto answer_without = [&] {
    return AnswerCheck(command_line, config.compiler, FitOf(config.compiler));
  };
  if (config.datastore.empty()) return answer_without();
  const SystemClock clock;
  const absl::StatusOr<std::unique_ptr<Daemon>> daemon =
      Daemon::Make(clock, command_line.inputs, *sources);
  absl::StatusOr<const compiler::Graph*> graph =
      daemon.ok() ? (*daemon)->CompileOnce(std::chrono::seconds(command_line.once_timeout_seconds))
                  : daemon.status();
  if (graph.ok()) return AnswerCheck(command_line, (*graph)->options(), FitOf(**graph));
  // What the kernel has is worth knowing all the same.
  static_cast<void>(answer_without());
  return Fail(graph.status());
}

std::string VersionText() {
  const Version version = BuildVersion();
  return fmt::format("Version:    {}\nCommit:     {}\nBuild date: {}", version.version,
                     version.commit, version.build_date);
}

int Main(int argc, char** argv) {
  CommandLine command_line;
  CLI::App app("Enforces the network policy of a cluster on this host, with iptables and ipset.",
               "felix");
  app.footer(kExamples);
  app.set_version_flag("--version", VersionText(), "print version, commit and build date");
  const CLI::Option* file =
      app.add_option("-c,--config-file", command_line.inputs.file_path,
                     "configuration file, Name = value (default /etc/calico/felix.cfg)");
  app.add_option("--datastore", command_line.datastore,
                 "where the cluster's objects come from: file:DIR, etcd:URL[,URL] or "
                 "etcd-v2:URL[,URL]");
  app.add_option("--hostname", command_line.hostname,
                 "the name of this host in the datastore (default: its own)")
      ->check([](const std::string& name) {
        const absl::Status status =
            ParseParameterValue(*FindParameter("FelixHostname"), name).status();
        return std::string(status.message());
      });
  app.add_option("--log-level", command_line.log_level,
                 "TRACE, DEBUG, INFO, WARNING, ERROR or FATAL, on standard error")
      ->check(
          CLI::IsMember({"TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "FATAL"}, CLI::ignore_case));
  app.add_option("--record", command_line.inputs.record_path,
                 "append what is seen and done to this file, for felix-replay");
  app.add_flag("--once", command_line.once,
               "apply what the datastore says now, print a line of JSON, end");
  app.add_option("--once-timeout", command_line.once_timeout_seconds,
                 "seconds that --once may take (default 30)")
      ->check(CLI::Range(1, 86400));
  app.require_subcommand(0, 1);
  CLI::App* cleanup =
      app.add_subcommand("cleanup", "remove all rules and sets of ours, and nothing else");
  cleanup->add_flag("--dry-run", command_line.dry_run, "only print what would be removed");
  CLI::App* check = app.add_subcommand("check", "tell whether this kernel has what is needed");
  check->add_option("-o,--output", command_line.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  CLI::App* rules = app.add_subcommand(
      "rules", "print the rules that the datastore asks for here, and which object asks for each");
  rules->add_option("-o,--output", command_line.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  CLI::App* counters = app.add_subcommand(
      "counters", "print what each container of this host sent and received (ChainLayout=Shared)");
  counters->footer(kCountersHelp);
  counters->add_option("-o,--output", command_line.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  counters->add_flag("--by-address", command_line.by_address,
                     "in text, a line for each address instead of one for each container");
  for (CLI::App* subcommand : {cleanup, check, rules, counters}) subcommand->fallthrough();

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wish) {
    return app.exit(wish);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "felix: {} (felix --help tells more)\n", error.what());
    return kUsage;
  }

  command_line.inputs.file_must_exist = file->count() != 0;
  command_line.inputs.environment = ConfigFromEnvironment(environ);
  command_line.inputs.defaults = EtcdFromEnvironment(environ);
  command_line.inputs.etcd_user = CalicoVariable(environ, "ETCD_USERNAME");
  command_line.inputs.etcd_password = CalicoVariable(environ, "ETCD_PASSWORD");
  if (command_line.once || *cleanup || *check || *rules || *counters) {
    // The answer counts, not the way there; anybody who asks for more overrules this.
    command_line.inputs.defaults["LogSeverityScreen"] = "WARNING";
  }
  ConfigSources::Values& flags = command_line.inputs.command_line;
  flags["Datastore"] = command_line.datastore;
  flags["FelixHostname"] = command_line.hostname;
  flags["LogSeverityScreen"] = command_line.log_level;
  if (*cleanup) return RunCleanup(command_line);
  if (*check) return RunCheck(command_line);
  if (*rules) return RunRules(command_line);
  if (*counters) return RunCounters(command_line);
  return RunDaemon(command_line);
}

}  // namespace
}  // namespace felix

int main(int argc, char** argv) {
  try {
    return felix::Main(argc, argv);
  } catch (const std::exception& error) {
    // Nothing of ours throws, so this is memory or a library; the rules stay in place.
    std::fprintf(stderr, "felix: unexpected error: %s\n", error.what());
    return felix::kFailed;
  }
}
