// SPDX-License-Identifier: Apache-2.0
// What a change of the filter table costs, next to what the library, the system call and a process
// of the iptables tools need for the same change; and what it costs to see that nothing changed.
// Needs root.
#include <benchmark/benchmark.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include "bench/table_contenders.h"
#include "iptables/table_outline.h"
#include "iptables/xtables_lock.h"

namespace felix::bench {
namespace {

using testing::NetworkNamespace;

// The same table in a namespace for each contender.
struct Arena {
  explicit Arena(int rules) : blocks(rules / kRulesPerChain) {
    // The first two sessions are not like the others: libiptc's, and one that reads all.
    for (Ours* engine : {&ours, &knowing}) {
      Enter(engine == &ours ? ours_netns : knowing_netns);
      engine->Apply(Blocks(blocks));
      engine->Compare();
    }
    const std::string saved = SavedTable();
    for (const NetworkNamespace* other : {&library, &call, &process}) {
      Enter(*other);
      RestoreWithProcess(saved);
    }
  }
  // True if all hold the same; libiptc and the tools order chains alike.
  bool IsEven() {
    Enter(ours_netns);
    const std::string saved = SavedTable();
    for (const NetworkNamespace* other : {&knowing_netns, &library, &process}) {
      Enter(*other);
      if (SavedTable() != saved) return false;
    }
    return true;
  }

  int blocks;
  NetworkNamespace ours_netns, knowing_netns, library, call, process;
  NobodyElse nobody;
  Ours ours;
  Ours knowing{&nobody};
};

void Report(benchmark::State& state, const Samples& ours, const Samples& library,
            const Samples& call, const Samples& process) {
  state.counters["ours_ms"] = ours.Median();
  state.counters["libiptc_ms"] = library.Median();
  state.counters["replace_ms"] = call.Median();
  state.counters["restore_ms"] = process.Median();
  state.counters["ours_to_libiptc"] = ours.RatioTo(library);
  state.counters["ours_to_replace"] = ours.RatioTo(call);
  state.counters["ours_to_restore"] = ours.RatioTo(process);
}

// Some chains of ten rules get other ports. We do it with a read and, as another contender,
// without.
void RewriteChains(benchmark::State& state) {
  Arena arena(static_cast<int>(state.range(0)));
  if (!arena.IsEven()) state.SkipWithError("the contenders do not hold the same");
  Enter(arena.call);
  TableBytes bytes = TableBytes::Read();
  Samples ours, knowing, library, call, process;
  int round = 0;
  for (auto iteration : state) {
    ir::DesiredDelta change;
    std::vector<NamedChain> chains;
    for (int i = 0; i < state.range(1); ++i) {
      const int block = ++round % arena.blocks;
      const std::string name = BlockName(block);
      change.chains[ChainKeyOf(name)] = Block(block, round);
      chains.push_back(Encoded(name, Block(block, round)));
    }
    Enter(arena.ours_netns);
    ours.Add(Milliseconds([&] { arena.ours.Apply(change); }));
    const std::string text = TextOfChains(SavedTable(), chains);
    Enter(arena.knowing_netns);
    knowing.Add(Milliseconds([&] { arena.knowing.Apply(change); }));
    Enter(arena.library);
    library.Add(Milliseconds([&] { RewriteWithLibiptc(chains); }));
    Enter(arena.call);
    call.Add(Milliseconds([&] { bytes.Replace(); }));
    Enter(arena.process);
    process.Add(Milliseconds([&] { RestoreWithProcess(text); }));
  }
  if (!arena.IsEven()) state.SkipWithError("the contenders did not do the same");
  FELIX_CHECK(arena.ours.sessions().by_libiptc == 1 && arena.knowing.sessions().by_libiptc == 1 &&
                  arena.knowing.sessions().not_read >= static_cast<int>(state.iterations()),
              "the sessions were not those that are compared");
  Report(state, ours, library, call, process);
  state.counters["knowing_ms"] = knowing.Median();
  state.counters["knowing_to_replace"] = knowing.RatioTo(call);
  state.counters["knowing_to_restore"] = knowing.RatioTo(process);
}
BENCHMARK(RewriteChains)->Args({1000, 1})->Iterations(60)->Unit(benchmark::kMillisecond);
BENCHMARK(RewriteChains)->Args({1000, 10})->Iterations(60)->Unit(benchmark::kMillisecond);
BENCHMARK(RewriteChains)->Args({10000, 1})->Iterations(30)->Unit(benchmark::kMillisecond);
BENCHMARK(RewriteChains)->Args({10000, 10})->Iterations(30)->Unit(benchmark::kMillisecond);
BENCHMARK(RewriteChains)->Args({10000, 100})->Iterations(30)->Unit(benchmark::kMillisecond);
BENCHMARK(RewriteChains)->Args({20000, 1})->Iterations(15)->Unit(benchmark::kMillisecond);
BENCHMARK(RewriteChains)->Args({50000, 1})->Iterations(11)->Unit(benchmark::kMillisecond);
BENCHMARK(RewriteChains)->Args({50000, 10})->Iterations(11)->Unit(benchmark::kMillisecond);
BENCHMARK(RewriteChains)->Args({50000, 100})->Iterations(11)->Unit(benchmark::kMillisecond);

void LoadFromNothing(benchmark::State& state) {
  Arena arena(static_cast<int>(state.range(0)));
  const ir::DesiredDelta everything = Blocks(arena.blocks);
  Enter(arena.ours_netns);
  const std::string saved = SavedTable();
  Enter(arena.call);
  TableBytes bytes = TableBytes::Read();
  std::vector<NamedChain> chains = {{.name = "cali-allow", .rules = {}}};
  for (const auto& [key, chain] : everything.chains) {
    if (key.name != "cali-FORWARD") chains.push_back(Encoded(key.name, chain));
  }
  chains.push_back(
      Encoded("cali-FORWARD", everything.chains.find(ChainKeyOf("cali-FORWARD"))->second));
  chains.push_back({.name = "FORWARD",
                    .rules = Encoded("", {{ir::When().Then(ir::Jump{"cali-FORWARD"})}}).rules});
  const NetworkNamespace fresh;
  Enter(fresh);
  TableBytes nothing = TableBytes::Read();
  Samples ours, library, call, process;
  for (auto iteration : state) {
    for (const NetworkNamespace* netns :
         {&arena.ours_netns, &arena.library, &arena.call, &arena.process}) {
      Enter(*netns);
      nothing.Replace();
    }
    Enter(arena.ours_netns);
    ours.Add(Milliseconds([&] { Ours().Apply(everything); }));
    Enter(arena.library);
    library.Add(Milliseconds([&] { RewriteWithLibiptc(chains); }));
    Enter(arena.call);
    call.Add(Milliseconds([&] { bytes.Replace(); }));
    Enter(arena.process);
    process.Add(Milliseconds([&] { RestoreWithProcess(saved); }));
  }
  if (!arena.IsEven()) state.SkipWithError("the contenders did not do the same");
  Report(state, ours, library, call, process);
}
BENCHMARK(LoadFromNothing)->Arg(1000)->Iterations(30)->Unit(benchmark::kMillisecond);
BENCHMARK(LoadFromNothing)->Arg(50000)->Iterations(5)->Unit(benchmark::kMillisecond);

// Nothing has changed: the look at the outlines, the comparison of the whole table, and the process
// that prints it. Then somebody deletes a rule, and it is put back.
void SeeAndRepairDrift(benchmark::State& state) {
  Arena arena(static_cast<int>(state.range(0)));
  Enter(arena.ours_netns);
  const std::string before = SavedTable();
  iptables::TableOutlineReader reader;
  const auto left = reader.Read(model::IpFamily::kV4, ir::Table::kFilter);
  FELIX_CHECK(left.ok(), "no outline");
  Samples look, compare, save, repair;
  for (auto iteration : state) {
    constexpr int kLooks = 1000;
    look.Add(Milliseconds([&] {
               for (int i = 0; i < kLooks; ++i) {
                 const auto now = reader.Read(model::IpFamily::kV4, ir::Table::kFilter);
                 FELIX_CHECK(now.ok() && *now == *left, "the outline changed");
               }
             }) *
             1000 / kLooks);
    // After a repair the table is read in full once.
    arena.ours.Compare();
    compare.Add(Milliseconds([&] { arena.ours.Compare(); }));
    save.Add(Milliseconds([&] { RunProgram({"iptables-legacy-save", "-t", "filter"}); }));
    RunProgram({"iptables-legacy", "-D", BlockName(1), "1"});
    const auto now = reader.Read(model::IpFamily::kV4, ir::Table::kFilter);
    FELIX_CHECK(now.ok() && *now != *left, "the outline did not change");
    int commits = 0;
    repair.Add(Milliseconds([&] { commits = arena.ours.Compare().commits; }));
    FELIX_CHECK(commits == 1, "nothing was repaired");
  }
  if (SavedTable() != before) state.SkipWithError("the table was not repaired");
  state.counters["look_us"] = look.Median();
  state.counters["compare_ms"] = compare.Median();
  state.counters["save_ms"] = save.Median();
  state.counters["repair_ms"] = repair.Median();
  state.counters["save_to_compare"] = save.RatioTo(compare);
}
BENCHMARK(SeeAndRepairDrift)->Arg(1000)->Iterations(20)->Unit(benchmark::kMillisecond);
BENCHMARK(SeeAndRepairDrift)->Arg(10000)->Iterations(15)->Unit(benchmark::kMillisecond);
BENCHMARK(SeeAndRepairDrift)->Arg(50000)->Iterations(7)->Unit(benchmark::kMillisecond);

// A child that holds the lock for 5 ms of every 10.
class Rival {
 public:
  Rival() : pid_(fork()) {
    if (pid_ != 0) return;
    const std::string path = iptables::XtablesLock::Path();
    for (;;) {
      const int fd = open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
      flock(fd, LOCK_EX);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      close(fd);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  ~Rival() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Rival(const Rival&) = delete;
  Rival& operator=(const Rival&) = delete;

 private:
  pid_t pid_;
};

// One chain of a thousand rules changed while another process holds the lock half of the time: how
// long until it is in force, for us with the usual probe interval and for the tool, which waits in
// the kernel.
void RewriteWhileTheLockIsContended(benchmark::State& state) {
  Arena arena(1000);
  Samples ours, process, alone;
  int round = 0;
  const auto change_one = [&](Samples& samples) {
    ir::DesiredDelta change;
    const int block = ++round % arena.blocks;
    change.chains[ChainKeyOf(BlockName(block))] = Block(block, round);
    Enter(arena.ours_netns);
    samples.Add(ElapsedMilliseconds([&] { arena.ours.Apply(change); }));
    return BlockName(block);
  };
  for (int i = 0; i < 50; ++i) change_one(alone);
  const Rival rival;
  for (auto iteration : state) {
    const std::string name = change_one(ours);
    const std::string text = TextOfChains(SavedTable(), {{.name = name, .rules = {}}});
    Enter(arena.process);
    process.Add(ElapsedMilliseconds([&] { RestoreWithProcess(text); }));
  }
  state.counters["alone_p50_ms"] = alone.Median();
  state.counters["ours_p50_ms"] = ours.Median();
  state.counters["ours_p99_ms"] = ours.Quantile(0.99);
  state.counters["restore_p50_ms"] = process.Median();
  state.counters["restore_p99_ms"] = process.Quantile(0.99);
}
BENCHMARK(RewriteWhileTheLockIsContended)->Iterations(300)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace felix::bench

int main(int argc, char** argv) {
  return felix::bench::RunBenchmarksAsRoot(argc, argv);
}
