// SPDX-License-Identifier: Apache-2.0
// A probe task of the demonstration, and the instruments that look at a network of them.
#include <arpa/inet.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"

#include "tests/demo/connection.h"
#include "tests/demo/matrix.h"
#include "tests/demo/server.h"
#include "tests/demo/watch.h"

namespace felix::demo {
namespace {

constexpr int kNotAsWanted = 1;

[[noreturn]] void RefuseArgument(const std::string& argument, std::string_view form) {
  errno = EINVAL;
  Fail(fmt::format("{} is not of the form {}", argument, form));
}

sockaddr_in AddressOrFail(const std::string& text) {
  const std::optional<sockaddr_in> address = ParseAddress(text);
  if (!address) RefuseArgument(text, "ADDRESS:PORT");
  return *address;
}

std::vector<std::string> Cut(const std::string& text, char separator) {
  std::vector<std::string> parts = {""};
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

std::vector<Origin> ParseOrigins(const std::vector<std::string>& texts) {
  std::vector<Origin> origins;
  for (const std::string& text : texts) {
    const std::vector<std::string> parts = Cut(text, '=');
    if (parts.size() != 2) RefuseArgument(text, "NAME=NETNS");
    origins.push_back({.name = parts[0], .network_namespace = parts[1]});
  }
  return origins;
}

std::vector<Target> ParseTargets(const std::vector<std::string>& texts) {
  std::vector<Target> targets;
  for (const std::string& text : texts) {
    const std::vector<std::string> parts = Cut(text, '=');
    if (parts.size() != 2) RefuseArgument(text, "NAME=ADDRESS:PORT");
    targets.push_back({.name = parts[0], .address = AddressOrFail(parts[1])});
  }
  return targets;
}

Wanted ParseWanted(const std::string& text) {
  if (text == "becomes-reached") return Wanted::kBecomesReached;
  if (text == "becomes-blocked") return Wanted::kBecomesBlocked;
  if (text == "stays-reached") return Wanted::kStaysReached;
  if (text == "stays-blocked") return Wanted::kStaysBlocked;
  RefuseArgument(text, "becomes-reached|becomes-blocked|stays-reached|stays-blocked");
}

Flow ParseFlow(const std::string& text) {
  const std::vector<std::string> parts = Cut(text, ',');
  if (parts.size() != 4) RefuseArgument(text, "NAME,NETNS,ADDRESS:PORT,WANTED");
  return {.name = parts[0],
          .network_namespace = parts[1],
          .to = AddressOrFail(parts[2]),
          .wanted = ParseWanted(parts[3])};
}

int Reach(const std::string& to, int timeout_ms) {
  const std::vector<Cell> cells = MeasureMatrix({{.name = "here", .network_namespace = ""}},
                                                {{.name = "", .address = AddressOrFail(to)}},
                                                std::chrono::milliseconds(timeout_ms));
  const bool reached = cells[0].verdict == "reached";
  fmt::print("{}\n", reached ? cells[0].answer : cells[0].verdict);
  return reached ? 0 : kNotAsWanted;
}

void PrintMatrix(const std::vector<std::string>& from, const std::vector<std::string>& to,
                 int timeout_ms) {
  const std::vector<Cell> cells =
      MeasureMatrix(ParseOrigins(from), ParseTargets(to), std::chrono::milliseconds(timeout_ms));
  for (const Cell& cell : cells) fmt::print("{} {} {}\n", cell.from, cell.to, cell.verdict);
}

bool AsWanted(const Flow& flow, const FlowReport& report) {
  const bool to_change =
      flow.wanted == Wanted::kBecomesReached || flow.wanted == Wanted::kBecomesBlocked;
  return report.contradictions == 0 && report.before > 0 && (report.changed || !to_change);
}

// One file takes another's place in one step, or a command does what it does.
void MakeChange(const std::vector<std::string>& files, const std::string& command) {
  if (!files.empty() && std::rename(files[0].c_str(), files[1].c_str()) != 0) {
    Fail(fmt::format("cannot rename {} to {}", files[0], files[1]));
  }
  if (!command.empty() && std::system(command.c_str()) != 0) {
    Fail(fmt::format("failed: {}", command));
  }
}

int Watch(const std::vector<std::string>& texts, const std::function<void()>& change,
          int timeout_ms) {
  std::vector<Flow> flows;
  flows.reserve(texts.size());
  for (const std::string& text : texts) flows.push_back(ParseFlow(text));
  const std::vector<FlowReport> reports =
      WatchFlows(flows, change, std::chrono::milliseconds(timeout_ms));
  int result = 0;
  for (size_t i = 0; i < flows.size(); ++i) {
    const FlowReport& report = reports[i];
    const bool good = AsWanted(flows[i], report);
    if (!good) result = kNotAsWanted;
    fmt::print("{} {} start_us={} done_us={} attempts={} before={} changed={} contradictions={}\n",
               flows[i].name, good ? "ok" : "wrong", report.first_start_us, report.first_done_us,
               report.attempts, report.before, report.changed ? "yes" : "no",
               report.contradictions);
  }
  return result;
}

int Main(int argc, char** argv) {
  CLI::App app("Probe tasks that serve and try TCP connections");
  app.require_subcommand(1);
  int timeout_ms = 700;
  std::string name;
  std::string bind = "0.0.0.0";
  std::uint16_t port = 9000;
  CLI::App* serve = app.add_subcommand("serve", "Answer every connection with a name");
  serve->add_option("--name", name, "The name")->required();
  serve->add_option("--port", port, "The port to listen on")->capture_default_str();
  serve->add_option("--bind", bind, "The IPv4 address to listen on")->capture_default_str();

  std::string address;
  CLI::App* reach = app.add_subcommand("reach", "Try one connection; status 0 if it is answered");
  reach->add_option("--to", address, "ADDRESS:PORT")->required();

  std::vector<std::string> from;
  std::vector<std::string> to;
  CLI::App* matrix = app.add_subcommand("matrix", "Try all connections at the same time");
  matrix->add_option("--from", from, "NAME=NETNS of an origin")->required();
  matrix->add_option("--to", to, "NAME=ADDRESS:PORT of a server")->required();

  std::vector<std::string> flows;
  std::vector<std::string> files;
  std::string command;
  CLI::App* watch = app.add_subcommand("watch", "Make a change amid traffic, and see what follows");
  watch->add_option("--flow", flows, "NAME,NETNS,ADDRESS:PORT,WANTED")->required();
  CLI::Option* rename =
      watch->add_option("--rename", files, "The file, and the name it takes")->expected(2);
  watch->add_option("--run", command, "A command for the shell")->excludes(rename);
  for (CLI::App* subcommand : {reach, matrix, watch}) {
    subcommand->add_option("--timeout-ms", timeout_ms, "How long to wait")->capture_default_str();
  }
  CLI11_PARSE(app, argc, argv);

  if (*serve) {
    Serve(name, AddressOrFail(fmt::format("{}:{}", bind, port)));
  } else if (*reach) {
    return Reach(address, timeout_ms);
  } else if (*matrix) {
    PrintMatrix(from, to, timeout_ms);
  } else {
    return Watch(
        flows, [&] { MakeChange(files, command); }, timeout_ms);
  }
  return 0;
}

}  // namespace
}  // namespace felix::demo

int main(int argc, char** argv) {
  try {
    return felix::demo::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "felix-probe: %s\n", error.what());
    return 2;
  }
}
