// SPDX-License-Identifier: Apache-2.0
// Are the properties worth anything? For each fault that the compiler can be made to have, they are
// tried until one of them notices, and the list of who noticed what is printed. Fails if a fault
// goes unnoticed, or if something is noticed where there is none.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "fmt/format.h"

#include "compiler/fault.h"
#include "tests/property/properties.h"

namespace felix::compiler {

Fault planted_fault = Fault::kNone;

}  // namespace felix::compiler

namespace felix {
namespace {

using compiler::Fault;

struct NamedFault {
  Fault fault;
  std::string_view name;
};
#define FELIX_NAMED_FAULT(name) {Fault::name, std::string_view(#name).substr(1)},
constexpr NamedFault kFaults[] = {FELIX_FAULTS(FELIX_NAMED_FAULT)};
#undef FELIX_NAMED_FAULT

constexpr std::uint64_t kSeeds = 60;

// What the child writes and the parent reads after its end, however it ended.
struct Progress {
  std::array<char, 16> property{};
  std::uint64_t seed = 0;
  int step = 0;
  bool violated = false;
};

void Note(Progress& progress, const char* property, std::uint64_t seed) {
  std::strncpy(progress.property.data(), property, progress.property.size() - 1);
  progress.seed = seed;
  progress.step = 0;
}

// The cheapest property of a seed first.
bool IsCaught(Progress& progress) {
  const testing::OnStep on_step = [&](int step) { progress.step = step; };
  testing::VerdictCounts seen;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Note(progress, "tear-down", seed);
    if (testing::CheckTearDown(seed, on_step).has_value()) return true;
    Note(progress, "meaning", seed);
    if (testing::CheckMeaning(seed, on_step, seen).has_value()) return true;
    Note(progress, "transitions", seed);
    if (testing::CheckTransitions(seed, on_step, seen).has_value()) return true;
    Note(progress, "rare rules", seed);
    if (testing::CheckRareRules(seed, on_step, seen).has_value()) return true;
    Note(progress, "host paths", seed);
    if (testing::CheckHostPaths(seed, on_step, seen).has_value()) return true;
    Note(progress, "history", seed);
    if (testing::CheckHistory(seed, on_step).has_value()) return true;
    Note(progress, "crowded host", seed);
    if (testing::CheckCrowdedHost(seed, on_step, seen).has_value()) return true;
  }
  return false;
}

struct Outcome {
  bool caught = false;
  std::string how;
};

// In a process of its own: a fault may make a check end it, which is one way to be caught.
Outcome Try(Fault fault) {
  void* shared =
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return {false, "no shared memory"};
  Progress* const progress = new (shared) Progress();
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(EXIT_SUCCESS);
    compiler::planted_fault = fault;
    progress->violated = IsCaught(*progress);
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return {false, "no child process"};
  const bool ended_by_check = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  const Outcome outcome{
      progress->violated || ended_by_check,
      fmt::format("{}, seed {}, step {}{}", progress->property.data(), progress->seed,
                  progress->step, ended_by_check ? ", by a check" : "")};
  munmap(shared, sizeof(Progress));
  return outcome;
}

int Main(const std::vector<std::string_view>& wanted) {
  const auto start = std::chrono::steady_clock::now();
  int survivors = 0;
  int tried = 0;
  for (const NamedFault& named : kFaults) {
    const bool asked_for =
        wanted.empty() || std::find(wanted.begin(), wanted.end(), named.name) != wanted.end();
    if (!asked_for) continue;
    ++tried;
    const Outcome outcome = Try(named.fault);
    if (!outcome.caught) ++survivors;
    fmt::print("{:<30} -> {}\n", named.name,
               outcome.caught ? outcome.how : fmt::format("SURVIVES {} seeds", kSeeds));
  }
  const Outcome control = Try(Fault::kNone);
  fmt::print("{:<30} -> {}\n", "no fault", control.caught ? control.how : "nothing caught");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  fmt::print("{} faults, {} unnoticed, {:.1f} s\n", tried, survivors, took.count());
  return survivors > 0 || control.caught || tried == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace
}  // namespace felix

int main(int argc, char** argv) {
  return felix::Main(std::vector<std::string_view>(argv + 1, argv + argc));
}
