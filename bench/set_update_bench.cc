// SPDX-License-Identifier: Apache-2.0
// What does it cost to change sets, beside bare netlink messages, libipset, and the `ipset restore`
// process? All contenders do the same work in one run, taking turns, in a network namespace of the
// program's own. Prints medians: of elapsed time for single members and for the run
// with many sets, else of processor time. `--small` runs a small size of everything, `--sets N`
// only creates N sets and destroys them.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fmt/format.h"

#include "bench/floors/process.h"
#include "bench/floors/sets.h"
#include "bench/heap.h"
#include "bench/stopwatch.h"
#include "ipset/libipset_sets.h"
#include "ipset/registry.h"
#include "model/base/check.h"

namespace felix::bench {
namespace {

constexpr std::uint32_t kFirstHost = 0x0a000000U;
constexpr std::uint32_t kMaxMembers = 1048576;
constexpr int kSkipped = 77;

ir::SetMember Host(std::uint32_t host) {
  return {model::Cidr::Host(model::IpAddress::V4(host)), {}, 0};
}

std::vector<std::uint32_t> Hosts(std::uint32_t count) {
  std::vector<std::uint32_t> hosts(count);
  for (std::uint32_t i = 0; i < count; ++i) hosts[i] = kFirstHost + i;
  return hosts;
}

ir::DesiredDelta NewSets(std::uint32_t sets, std::uint32_t members) {
  ir::DesiredDelta delta;
  for (std::uint32_t s = 0; s < sets; ++s) {
    ir::AddressSet set;
    for (std::uint32_t i = 0; i < members; ++i) {
      set.members.insert(set.members.end(), Host(kFirstHost + s * members + i));
    }
    delta.new_sets.emplace(ir::SetKey{model::IpFamily::kV4, fmt::format("s:{}", s)},
                           std::move(set));
  }
  return delta;
}

ir::DesiredDelta Removed(std::uint32_t sets) {
  ir::DesiredDelta delta;
  for (std::uint32_t s = 0; s < sets; ++s) {
    delta.removed_sets.insert({model::IpFamily::kV4, fmt::format("s:{}", s)});
  }
  return delta;
}

std::string RestoreText(std::string_view prefix, std::uint32_t sets, std::uint32_t members) {
  std::string text;
  for (std::uint32_t s = 0; s < sets; ++s) {
    text += fmt::format("create {}{} hash:net family inet maxelem {}\n", prefix, s, kMaxMembers);
    for (std::uint32_t i = 0; i < members; ++i) {
      const std::uint32_t host = kFirstHost + s * members + i;
      text += fmt::format("add {}{} {}.{}.{}.{}\n", prefix, s, host >> 24U, (host >> 16U) & 255U,
                          (host >> 8U) & 255U, host & 255U);
    }
  }
  return text;
}

void Restore(std::string_view text) {
  std::string output;
  const absl::Status status = RunProcess({"ipset", "restore", "-exist"}, text, &output);
  FELIX_CHECK(status.ok(), output);
}

class Engine {
 public:
  Engine() {
    auto opened = ipset::LibipsetSets::Open();
    FELIX_CHECK(opened.ok(), opened.status().ToString());
    kernel_ = *std::move(opened);
    registry_ =
        std::make_unique<ipset::Registry>(model::IpFamily::kV4, *kernel_, ipset::RegistryOptions{});
    ApplyAll();
  }

  void Stage(const ir::DesiredDelta& delta) { registry_->Stage(delta); }
  // As often as there is something to do; returns the longest turn.
  double ApplyAll() {
    double longest = 0;
    do {
      longest = std::max(longest, Time([&] { ApplyOnce(); }));
      ++applies_;
    } while (registry_->dirty() || registry_->verify_pending());
    return longest;
  }
  [[nodiscard]] ipset::Registry& registry() { return *registry_; }
  [[nodiscard]] ipset::KernelSets& kernel() { return *kernel_; }
  [[nodiscard]] int applies() const { return applies_; }

 private:
  void ApplyOnce() {
    const auto upserts = registry_->ApplyUpserts(false);
    FELIX_CHECK(upserts.ok(), upserts.status().ToString());
    if (registry_->removals_pending()) {
      const auto removals = registry_->ApplyRemovals();
      FELIX_CHECK(removals.ok(), removals.status().ToString());
    }
    if (registry_->verify_pending()) {
      const auto verified = registry_->Verify();
      FELIX_CHECK(verified.ok(), verified.status().ToString());
      FELIX_CHECK(registry_->TakeDamage().empty(), "there is damage in a namespace of our own");
    }
  }

  std::unique_ptr<ipset::LibipsetSets> kernel_;
  std::unique_ptr<ipset::Registry> registry_;
  int applies_ = 0;
};

void OneMember(std::uint32_t members, int rounds) {
  Engine engine;
  engine.Stage(NewSets(1, members));
  engine.ApplyAll();
  BareSets bare;
  LibipsetMembers library;
  const ir::SetKey key{model::IpFamily::kV4, "s:0"};
  const std::string name = "cali40s:0";
  const std::uint32_t extra = kFirstHost + 0x100000U;
  std::vector<double> ours;
  std::vector<double> floor;
  std::vector<double> libipset;
  std::vector<double> process;
  for (int round = 0; round < rounds; ++round) {
    ir::DesiredDelta change;
    ir::MemberChange& members_change = change.changed_sets[key];
    (round % 2 == 0 ? members_change.added : members_change.removed).push_back(Host(extra));
    ours.push_back(Elapsed([&] {
      engine.registry().Stage(change);
      FELIX_CHECK(engine.registry().ApplyUpserts(false).ok(), "a change fails");
    }));
    floor.push_back(Elapsed(
        [&] { round % 2 == 0 ? bare.Add(name, extra + 1) : bare.Delete(name, extra + 1); }));
    libipset.push_back(Elapsed([&] { library.Delete(name, extra + 2); }));
    if (round % 100 < 2) {
      const char* verb = round % 2 == 0 ? "add" : "del";
      process.push_back(Elapsed([&] { Restore(fmt::format("{} {} 10.200.0.1\n", verb, name)); }));
    }
  }
  const double p50 = Quantile(ours, 0.5);
  const double bare_p50 = Quantile(floor, 0.5);
  const double process_p50 = Quantile(process, 0.5);
  fmt::print(
      "one member of {}: engine p50 {:.2f} p99 {:.2f} us, bare {:.2f} us, libipset {:.2f} us, "
      "process {:.0f} us; {:.2f}x bare, process {:.0f}x ours\n",
      members, p50, Quantile(ours, 0.99), bare_p50, Quantile(libipset, 0.5), process_p50,
      p50 / bare_p50, process_p50 / p50);
}

void Bulk(std::uint32_t members, int rounds) {
  Engine engine;
  BareSets bare;
  LibipsetMembers library;
  const std::vector<std::uint32_t> hosts = Hosts(members);
  const ir::DesiredDelta delta = NewSets(1, members);
  const std::string text = RestoreText("cali40s:", 1, members);
  const std::uint32_t hash_size = ipset::HashSize(members);
  std::vector<double> ours;
  std::vector<double> floor;
  std::vector<double> libipset;
  std::vector<double> process;
  for (int round = 0; round < rounds; ++round) {
    ours.push_back(Time([&] {
      engine.Stage(delta);
      engine.ApplyAll();
    }));
    engine.Stage(Removed(1));
    engine.ApplyAll();
    floor.push_back(Time([&] {
      bare.Create("b", hash_size, kMaxMembers);
      bare.AddAll("b", hosts);
    }));
    bare.Destroy("b");
    bare.Create("l", hash_size, kMaxMembers);
    libipset.push_back(Time([&] { library.AddAll("l", hosts); }));
    bare.Destroy("l");
    process.push_back(Time([&] { Restore(text); }));
    bare.Destroy("cali40s:0");
  }
  const auto rate = [&](const std::vector<double>& samples) {
    return members / Quantile(samples, 0.5);
  };
  fmt::print(
      "bulk of {}: engine {:.2f}, bare {:.2f}, libipset {:.2f}, process {:.3f} M members/s; "
      "{:.2f}x bare, {:.2f}x libipset, {:.1f}x process\n",
      members, rate(ours), rate(floor), rate(libipset), rate(process), rate(ours) / rate(floor),
      rate(ours) / rate(libipset), rate(ours) / rate(process));
}

void ManySets(std::uint32_t sets, std::uint32_t members, int rounds) {
  const ir::DesiredDelta delta = NewSets(sets, members);
  const std::string text = RestoreText("cali40s:", sets, members);
  const std::vector<std::uint32_t> hosts = Hosts(members);
  std::vector<double> ours;
  std::vector<double> floor;
  std::vector<double> process;
  std::vector<double> headers;
  std::vector<double> verify_turns;
  Engine engine;
  BareSets bare;
  for (int round = 0; round < rounds; ++round) {
    ours.push_back(Time([&] {
      engine.Stage(delta);
      engine.ApplyAll();
    }));
    engine.registry().Resync();
    headers.push_back(
        Time([&] { FELIX_CHECK(engine.registry().ApplyUpserts(false).ok(), "a refresh fails"); }));
    while (engine.registry().verify_pending()) {
      verify_turns.push_back(
          Time([&] { FELIX_CHECK(engine.registry().Verify().ok(), "comparing fails"); }));
    }
    engine.Stage(Removed(sets));
    engine.ApplyAll();
    floor.push_back(Time([&] {
      for (std::uint32_t s = 0; s < sets; ++s) {
        const std::string name = fmt::format("cali40s:{}", s);
        bare.Create(name, 1024, kMaxMembers);
        bare.AddAll(name, hosts);
      }
    }));
    for (std::uint32_t s = 0; s < sets; ++s) bare.Destroy(fmt::format("cali40s:{}", s));
    process.push_back(Time([&] { Restore(text); }));
    FELIX_CHECK(RunProcess({"ipset", "destroy"}, "", nullptr).ok(), "ipset destroy fails");
  }
  const double p50 = Quantile(ours, 0.5);
  fmt::print(
      "create {} sets of {}: engine {:.0f} ms, bare {:.0f} ms, process {:.0f} ms; "
      "{:.2f}x the process\n",
      sets, members, p50 / 1e3, Quantile(floor, 0.5) / 1e3, Quantile(process, 0.5) / 1e3,
      p50 / Quantile(process, 0.5));
  fmt::print(
      "refresh of {} sets: headers {:.1f} ms, then {} turns of comparing, longest {:.2f} ms\n",
      sets, Quantile(headers, 0.5) / 1e3, verify_turns.size() / static_cast<std::size_t>(rounds),
      Quantile(verify_turns, 1) / 1e3);
}

void Flap(std::uint32_t sets, std::uint32_t members) {
  Engine engine;
  const ir::DesiredDelta on = NewSets(sets, members);
  const ir::DesiredDelta off = Removed(sets);
  double longest = 0;
  const int before = engine.applies();
  const double total = Time([&] {
    for (int i = 0; i < 10; ++i) {
      for (const ir::DesiredDelta* delta : {&on, &off}) {
        longest = std::max(longest, Time([&] { engine.Stage(*delta); }));
        longest = std::max(longest, engine.ApplyAll());
      }
    }
  });
  fmt::print(
      "flap of {} sets of {}, on and off ten times: {:.2f} s in {} applies, longest {:.1f} ms\n",
      sets, members, total / 1e6, engine.applies() - before, longest / 1e3);
}

void Memory(std::uint32_t members) {
  Engine engine;
  ir::DesiredDelta delta = NewSets(1, members);
  const std::int64_t before = HeapBytes();
  engine.Stage(delta);
  engine.ApplyAll();
  const auto bytes = static_cast<double>(HeapBytes() - before);
  fmt::print("memory: {:.1f} bytes of the engine's own for each of {} members\n", bytes / members,
             members);
  engine.Stage(Removed(1));
  engine.ApplyAll();
}

// One change at a time in a set that another process lists all the while.
void ChurnWhileListed(std::uint32_t members, std::uint32_t changes) {
  Engine engine;
  engine.Stage(NewSets(1, members));
  engine.ApplyAll();
  const ir::SetKey key{model::IpFamily::kV4, "s:0"};
  std::vector<double> samples;
  const pid_t lister = fork();
  if (lister == 0) {
    for (;;) static_cast<void>(RunProcess({"ipset", "list"}, "", nullptr));
  }
  for (std::uint32_t i = 0; i < changes; ++i) {
    ir::DesiredDelta change;
    change.changed_sets[key].added.push_back(Host(kFirstHost + 0x400000U + i));
    change.changed_sets[key].removed.push_back(Host(kFirstHost + i));
    samples.push_back(Elapsed([&] {
      engine.Stage(change);
      FELIX_CHECK(engine.registry().ApplyUpserts(false).ok(), "a change fails");
    }));
  }
  kill(lister, SIGKILL);
  int status = 0;
  waitpid(lister, &status, 0);
  const auto content = engine.kernel().Read("cali40s:0");
  FELIX_CHECK(content.ok() && (*content)->members.size() == members, "members are lost");
  fmt::print(
      "{} exchanges of a member of {} while others list: p50 {:.1f} p99 {:.1f} max {:.0f} us\n",
      changes, members, Quantile(samples, 0.5), Quantile(samples, 0.99), Quantile(samples, 1));
}

void HowManySets(std::uint32_t sets) {
  Engine engine;
  engine.Stage(NewSets(sets, 1));
  std::string refused;
  std::size_t applies = 0;
  const double created = Elapsed([&] {
    do {
      const auto stats = engine.registry().ApplyUpserts(false);
      if (!stats.ok() && refused.empty()) refused = std::string(stats.status().ToString());
      ++applies;
    } while (engine.registry().upserts_pending());
  });
  const std::size_t there = engine.kernel().ListNames().value().size();
  fmt::print("{} of {} sets created in {:.1f} s, {} applies; refused: {}\n", there, sets,
             created / 1e6, applies, refused.empty() ? "none" : refused);
  engine.Stage(Removed(sets));
  const double destroyed = Elapsed([&] {
    while (engine.registry().removals_pending()) {
      FELIX_CHECK(engine.registry().ApplyRemovals().ok(), "destroying fails");
    }
  });
  fmt::print("destroyed in {:.1f} s\n", destroyed / 1e6);
}

int Main(int argc, char** argv) {
  if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
    fmt::print("skipped: needs the right to make a network namespace\n");
    return kSkipped;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "--flap") {
    ManySets(2000, 50, 5);
    Flap(2000, 50);
    return 0;
  }
  if (mode == "--sets" && argc > 2) {
    HowManySets(static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)));
    return 0;
  }
  const bool small = mode == "--small";
  OneMember(small ? 10 : 1000, small ? 100 : 20000);
  for (const std::uint32_t members : {10000U, 100000U, 1000000U}) {
    Bulk(small ? members / 1000 : members, small ? 1 : members == 1000000U ? 3 : 7);
    if (small) break;
  }
  ManySets(small ? 20 : 2000, 50, small ? 1 : 5);
  Flap(small ? 20 : 2000, 50);
  Memory(small ? 10000 : 1000000);
  ChurnWhileListed(small ? 1000 : 100000, small ? 100 : 10000);
  return 0;
}

}  // namespace
}  // namespace felix::bench

int main(int argc, char** argv) {
  return felix::bench::Main(argc, argv);
}
