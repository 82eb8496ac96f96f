// SPDX-License-Identifier: Apache-2.0
// What does it cost to start and to stop a container on a host that has many, in both layouts, from
// the compiler's input to the kernel's acknowledgement? Beside it: the bare messages for the same
// elements, and an iptables-legacy-restore process that writes what PerContainer changes. All take
// turns in one run, each host in a network namespace of its own; times are elapsed ones.
//
//   --small      a small size of everything
//   --only NAME  one of: known, new, rate, memory, packets; or ours: `known` without the others
//   --large      `known` at 50,000 containers too
//   --seconds N  how long `rate` lasts; 5 if it is not said
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fmt/format.h"

#include "bench/container_host.h"
#include "bench/floors/tables.h"
#include "bench/forwarding_cost.h"
#include "bench/heap.h"
#include "bench/known_shape.h"
#include "bench/stopwatch.h"
#include "model/base/check.h"

namespace felix::bench {
namespace {

using compiler::ChainLayout;

constexpr int kSkipped = 77;

struct Choice {
  bool small = false;
  bool large = false;
  int seconds = 5;
  std::string only;
};

// The first container of a shape that no other one has.
void NewShape(std::uint32_t shapes, bool ipv6, int rounds) {
  HostSize size{.ipv6 = ipv6, .containers = 1000, .shapes = shapes};
  ContainerHost host(size);
  std::vector<double> first;
  std::vector<double> compiled;
  std::uint64_t commits = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::uint32_t number = kFirstNew + static_cast<std::uint32_t>(round);
    const model::Update start = host.StartOfNewShape(number);
    const std::size_t before = host.graph().layout_report().shapes[0];
    static_cast<void>(host.TakeStages());
    first.push_back(host.Push({&start, 1}) / 1e3);
    FELIX_CHECK(host.graph().layout_report().shapes[0] == before + 1, "the shape is known");
    commits += host.report().commits;
    compiled.push_back(host.TakeStages().flush.front() / 1e3);
    const model::Update stop = host.Stop(number);
    host.Settle({&stop, 1});
    host.DropIdleShapes();
  }
  fmt::print(
      "new shape beside {}, {}: p50 {:.2f} ms, max {:.2f} ms, of which compiling {:.2f} ms; {:.1f} "
      "commits each\n",
      shapes, ipv6 ? "both families" : "one family", Quantile(first, 0.5), Quantile(first, 1),
      Quantile(compiled, 0.5), static_cast<double>(commits) / rounds);
}

// `per_second` starts and as many stops at even times; what is late is late for those behind it
// too.
void Rate(std::uint32_t containers, int seconds, int new_shapes_a_second) {
  constexpr int kStartsPerSecond = 1000;
  using Clock = std::chrono::steady_clock;
  HostSize size{.containers = containers, .shapes = 64};
  ContainerHost host(size);
  host.Enter();
  const int acts = 2 * kStartsPerSecond * seconds;
  std::vector<double> latencies;
  std::vector<double> works;
  latencies.reserve(static_cast<std::size_t>(acts));
  prctl(PR_SET_TIMERSLACK, 1000UL);  // nanoseconds
  std::uint64_t commits = 0;
  std::uint32_t started = 0;
  std::uint32_t stopped = 0;
  int fresh = 0;
  std::size_t most_behind = 0;
  constexpr std::uint32_t kAlive = 500;  // that came lately
  const auto begin = Clock::now();
  const double processor = ProcessorTime();
  for (int act = 0; act < acts; ++act) {
    const auto due = begin + std::chrono::microseconds(act * (500'000LL / kStartsPerSecond));
    // Whoever waits by spinning has used up his share of the processor when his work comes.
    std::this_thread::sleep_until(due);
    model::Update update;
    if (act % 2 == 0 || stopped + kAlive > started) {
      const std::uint32_t number = kFirstNew + started++;
      const bool is_new =
          new_shapes_a_second != 0 && act % (2 * kStartsPerSecond / new_shapes_a_second) == 0;
      // Each second another of the host's shapes gets the policy that none had.
      update = is_new ? host.StartOfNewShape(kFirstNew + static_cast<std::uint32_t>(fresh++))
                      : host.Start(number);
    } else {
      update = host.Stop(kFirstNew + stopped++);
    }
    works.push_back(host.Push({&update, 1}));
    commits += host.report().commits;
    const double late = std::chrono::duration<double, std::micro>(Clock::now() - due).count();
    latencies.push_back(late);
    most_behind = std::max(most_behind, static_cast<std::size_t>(late / 500.0));
  }
  fmt::print(
      "{} starts and stops a second for {} s at {} containers, {} new shapes a second: from due "
      "{}; work alone {}; at most {} acts behind, {} at the end; {} commits for {} new shapes; "
      "{:.0f}% of a processor\n",
      kStartsPerSecond, seconds, containers, new_shapes_a_second, Quantiles(latencies),
      Quantiles(works), most_behind, static_cast<std::size_t>(latencies.back() / 500.0), commits,
      fresh, (ProcessorTime() - processor) / (seconds * 1e4));
}

std::uint64_t ResidentBytes() {
  std::uint64_t pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  FELIX_CHECK(file != nullptr, "no statistics of our memory");
  unsigned long total = 0;
  unsigned long resident = 0;
  FELIX_CHECK(std::fscanf(file, "%lu %lu", &total, &resident) == 2, "strange memory statistics");
  std::fclose(file);
  pages = resident;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// "Size in memory" of all sets, as `ipset list` says.
std::uint64_t SetBytes() {
  std::istringstream lines(RunProgram({"ipset", "list", "-terse"}));
  constexpr std::string_view kLabel = "Size in memory: ";
  std::uint64_t bytes = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kLabel)) bytes += std::stoull(line.substr(kLabel.size()));
  }
  return bytes;
}

// Of both hosts, less what they take without containers.
void Memory(std::uint32_t containers) {
  for (const ChainLayout layout : {ChainLayout::kPerContainer, ChainLayout::kShared}) {
    const HostSize size{.layout = layout, .containers = 64, .shapes = 64};
    ContainerHost host(size);
    const auto table_bytes = [&] {
      std::uint64_t bytes = 0;
      for (const char* table : {"filter", "mangle"}) bytes += TableBytes::Read(table).size();
      return bytes;
    };
    const std::uint64_t tables = table_bytes();
    const std::uint64_t sets = SetBytes();
    const std::int64_t heap = HeapBytes();
    const std::uint64_t resident = ResidentBytes();
    std::vector<model::Update> updates;
    for (std::uint32_t n = 0; n < containers; ++n) updates.push_back(host.Start(kFirstNew + n));
    const std::int64_t input = HeapBytes() - heap;
    host.Settle(updates);
    updates = {};
    static_cast<void>(input);
    const double each = containers;
    fmt::print(
        "memory per container of {}, {:<12}: table {:.0f} bytes, sets {:.0f} bytes, agent's heap "
        "{:.0f} bytes, agent's resident growth {:.0f} bytes\n",
        containers, layout == ChainLayout::kShared ? "Shared" : "PerContainer",
        static_cast<double>(table_bytes() - tables) / each,
        static_cast<double>(SetBytes() - sets) / each,
        static_cast<double>(HeapBytes() - heap) / each,
        static_cast<double>(ResidentBytes() - resident) / each);
  }
}

Choice Read(int argc, char** argv) {
  Choice choice;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--small") choice.small = true;
    if (word == "--large") choice.large = true;
    if (word == "--seconds" && i + 1 < argc) choice.seconds = std::max(1, std::atoi(argv[++i]));
    if (word == "--only" && i + 1 < argc) choice.only = argv[++i];
  }
  return choice;
}

void KnownShapes(const Choice& choice) {
  const int rounds = choice.small ? 20 : 2000;
  KnownShape({.containers = 100}, rounds, choice.small ? 2 : 20);
  if (choice.small) {
    KnownShape({.ipv6 = true, .selectors = 100, .memberships = 10}, rounds, 0);
    return;
  }
  KnownShape({.containers = 5000}, rounds, 10);
  if (choice.large) KnownShape({.containers = 50000}, rounds, 2);
  KnownShape({.ipv6 = true, .containers = 5000, .selectors = 1000, .memberships = 10}, rounds, 0);
}

void NewShapes(const Choice& choice) {
  for (const std::uint32_t shapes : {16U, 64U, 256U}) {
    for (const bool ipv6 : {false, true}) NewShape(shapes, ipv6, choice.small ? 2 : 15);
    if (choice.small) break;
  }
}

int Main(int argc, char** argv) {
  if (!testing::HasRoot()) {
    fmt::print("skipped: needs the right to make a network namespace\n");
    return kSkipped;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const Choice choice = Read(argc, argv);
  const auto wanted = [&](std::string_view name) {
    return choice.only.empty() || choice.only == name;
  };
  const std::uint32_t containers = choice.small ? 200 : 5000;
  if (wanted("known")) KnownShapes(choice);
  if (choice.only == "ours") {
    const int rounds = choice.small ? 100 : 30000;
    KnownShapeAlone({.containers = containers}, rounds);
    KnownShapeAlone({.ipv6 = true, .containers = containers, .selectors = 1000, .memberships = 10},
                    rounds / 10);
  }
  if (wanted("new")) NewShapes(choice);
  if (wanted("rate")) {
    for (const int new_shapes : {0, 1})
      Rate(containers, choice.small ? 1 : choice.seconds, new_shapes);
  }
  if (wanted("memory")) Memory(containers);
  if (wanted("packets")) CompareForwarding(containers, choice.small ? 2000 : 200000);
  return 0;
}

}  // namespace
}  // namespace felix::bench

int main(int argc, char** argv) {
  return felix::bench::Main(argc, argv);
}
