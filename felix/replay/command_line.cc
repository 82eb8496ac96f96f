// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/command_line.h"

#include <cstdio>
#include <string_view>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "fmt/format.h"

#include "felix/config_file.h"
#include "felix/log.h"
#include "felix/replay/answer.h"
#include "felix/replay/bisect.h"
#include "felix/replay/convert.h"
#include "felix/replay/explain.h"
#include "felix/replay/info.h"
#include "felix/replay/judge.h"
#include "felix/replay/lint.h"
#include "felix/replay/manual.h"
#include "felix/replay/matrix.h"
#include "felix/replay/plan.h"
#include "felix/replay/render.h"
#include "felix/replay/run.h"
#include "felix/replay/selector_check.h"
#include "felix/version.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::replay {
namespace {

absl::Status ReadConfiguration(CommandLine& command_line) {
  ConfigSources& sources = command_line.input.local;
  if (!command_line.config_file.empty()) {
    FELIX_ASSIGN_OR_RETURN(ConfigFile file, ReadConfigFile(command_line.config_file));
    sources.file = std::move(file.values);
  }
  for (const std::string& setting : command_line.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(
          fmt::format("--set {}: not of the form Name=value", setting));
    }
    sources.command_line[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  if (command_line.at.empty()) return absl::OkStatus();
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, command_line.at, &time, &error)) {
    return absl::InvalidArgumentError(
        fmt::format("--at {}: not a time like 2026-01-31T12:00:00Z", command_line.at));
  }
  command_line.input.snapshot.at = time;
  return absl::OkStatus();
}

// What was passed over is told, so that an answer from half an input is known as one.
void TellDamages(const datastore::SnapshotFacts& facts) {
  for (const std::string& damage : facts.damages) {
    fmt::print(stderr, "felix-replay: passed over: {}\n", EscapeControlCharacters(damage));
  }
  if (!facts.damages.empty()) {
    fmt::print(stderr, "felix-replay: {} damaged places were passed over\n", facts.damages.size());
  }
}

absl::StatusOr<Cluster> Read(const InputRequest& request) {
  absl::StatusOr<Cluster> cluster = ReadCluster(request);
  if (cluster.ok()) TellDamages(cluster->facts);
  return cluster;
}

absl::StatusOr<std::string> HostOf(const CommandLine& command_line, const Cluster& cluster) {
  if (!command_line.host.empty()) return command_line.host;
  return cluster.OnlyHost();
}

Output OutputOf(const CommandLine& command_line) {
  if (command_line.output == "svg") return Output::kSvg;
  if (command_line.output == "html") return Output::kHtml;
  return command_line.output == "json" ? Output::kJson : Output::kText;
}

absl::StatusOr<Answer> AnswerPlan(const CommandLine& command_line, const Cluster& cluster,
                                  const std::string& host) {
  const Output output = OutputOf(command_line);
  const int ways = (command_line.apply.empty() ? 0 : 1) + (command_line.against.empty() ? 0 : 1) +
                   (command_line.captured.empty() ? 0 : 1);
  if (ways != 1) {
    return absl::InvalidArgumentError(
        "plan compares the input with one of --apply, --against and --kernel-v4, -v6 or -sets");
  }
  if (!command_line.captured.empty()) {
    return PlanKernel(command_line.captured, cluster, host, output);
  }
  InputRequest changed = command_line.input;
  if (!command_line.against.empty()) changed.paths = command_line.against;
  changed.paths.insert(changed.paths.end(), command_line.apply.begin(), command_line.apply.end());
  FELIX_ASSIGN_OR_RETURN(const Cluster after, Read(changed));
  return PlanChange(cluster, after, host, output);
}

// What is asked about one host.
absl::StatusOr<Answer> AnswerHost(const std::string& verb, const CommandLine& command_line) {
  const Output output = OutputOf(command_line);
  if (verb == "run" && !command_line.host.empty()) {
    return Run(command_line.input, command_line.host, command_line.live, output);
  }
  FELIX_ASSIGN_OR_RETURN(const Cluster cluster, Read(command_line.input));
  FELIX_ASSIGN_OR_RETURN(const std::string host, HostOf(command_line, cluster));
  if (verb == "run") return Run(command_line.input, host, command_line.live, output);
  if (verb == "plan") return AnswerPlan(command_line, cluster, host);
  return Render(cluster, host, command_line.output_directory, output);
}

// What is asked about policies.
absl::StatusOr<Answer> AnswerPolicy(const std::string& verb, const CommandLine& command_line) {
  FELIX_ASSIGN_OR_RETURN(const Cluster cluster, Read(command_line.input));
  const Judge judge = JudgeOf(cluster);
  const Output output = OutputOf(command_line);
  if (verb == "lint") return Lint(cluster, judge, output);
  if (verb == "matrix") {
    return ShowMatrix(judge, command_line.selector, command_line.flow, output);
  }
  absl::StatusOr<Answer> answer = verb == "who-can" ? WhoCan(judge, command_line.flow, output)
                                                    : Explain(judge, command_line.flow, output);
  if (answer.ok() && !command_line.exit_code) answer->status = kDone;
  return answer;
}

absl::StatusOr<Answer> AnswerVerb(const std::string& verb, CommandLine& command_line) {
  FELIX_RETURN_IF_ERROR(ReadConfiguration(command_line));
  if (verb == "info") return Info(command_line.input, OutputOf(command_line));
  if (verb == "selector") {
    return CheckSelector(command_line.selector, command_line.labels, OutputOf(command_line));
  }
  if (verb == "bisect") {
    return Bisect(command_line.input, command_line.when, OutputOf(command_line));
  }
  if (verb == "convert") {
    return Convert(command_line.input,
                   command_line.form == "etcd" ? ConvertTo::kEtcd : ConvertTo::kResources);
  }
  if (verb == "render" || verb == "run" || verb == "plan") return AnswerHost(verb, command_line);
  return AnswerPolicy(verb, command_line);
}

}  // namespace

int Main(int argc, char** argv) {
  CommandLine command_line;
  const std::unique_ptr<CLI::App> app = MakeOptionTable(command_line);
  try {
    app->parse(argc, argv);
  } catch (const CLI::Success& wish) {
    return app->exit(wish);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "felix-replay: {} (felix-replay --help tells more)\n", error.what());
    return kUnusable;
  }
  const std::string verb = app->get_subcommands().front()->get_name();
  const absl::StatusOr<Answer> answer =
      verb == "manual"       ? Answer{ManualPage(*app, std::string(BuildVersion().version)), kDone}
      : verb == "completion" ? Answer{BashCompletion(*app), kDone}
                             : AnswerVerb(verb, command_line);
  if (!answer.ok()) {
    fmt::print(stderr, "felix-replay: {}\n",
               EscapeControlCharacters(ToStd(answer.status().message())));
    return kUnusable;
  }
  const std::string& text = answer->text;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    fmt::print(stderr, "felix-replay: cannot write to standard output\n");
    return kUnusable;
  }
  return answer->status;
}

}  // namespace felix::replay
