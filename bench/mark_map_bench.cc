// SPDX-License-Identifier: Apache-2.0
// What does it cost to start or stop a container that is an element of a mark map, beside the bare
// netlink message for such an element in a set that counts and in one that does not? All contenders
// take turns in one run, in a network namespace of the program's own, in sets of one size. Prints
// medians and 99th percentiles of elapsed time. `--small` runs a small size.
#include <sched.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "fmt/format.h"

#include "bench/floors/sets.h"
#include "bench/stopwatch.h"
#include "ipset/libipset_sets.h"
#include "ipset/mark_maps.h"
#include "ipset/planner.h"
#include "model/base/check.h"

namespace felix::bench {
namespace {

constexpr std::uint32_t kFirstHost = 0x0a000000U;
constexpr std::uint32_t kMaxMembers = 1048576;
constexpr int kSkipped = 77;

const ir::SetKey kMap{model::IpFamily::kV4, "e:from"};

std::string Interface(std::uint32_t number) {
  return fmt::format("cali{:07x}", number);
}

ir::LocalAddress Address(std::uint32_t number) {
  return {Interface(number), model::IpAddress::V4(kFirstHost + number)};
}

void Apply(ipset::MarkMaps& maps, const ir::DesiredDelta& delta) {
  maps.Stage(delta);
  FELIX_CHECK(maps.ApplyLeaving().ok() && maps.ApplyArriving().ok(), "a change fails");
}

void OneElement(std::uint32_t members, int rounds) {
  auto kernel = ipset::LibipsetSets::Open();
  FELIX_CHECK(kernel.ok(), kernel.status().ToString());
  ipset::MarkMaps maps(model::IpFamily::kV4, **kernel, ipset::MarkMapOptions{});
  BareSets bare;
  const std::uint32_t hash_size = ipset::HashSize(members);
  bare.CreateMarked("counts", hash_size, kMaxMembers, true);
  bare.CreateMarked("plain", hash_size, kMaxMembers, false);
  ir::DesiredDelta all;
  ir::MarkMap& map = all.new_mark_maps[kMap];
  map.mask = 0xffffffffU;
  for (std::uint32_t i = 0; i < members; ++i) {
    map.values[Address(i)] = i;
    bare.AddMarked("counts", kFirstHost + i, Interface(i), i, true);
    bare.AddMarked("plain", kFirstHost + i, Interface(i), i, false);
  }
  Apply(maps, all);

  std::vector<double> ours;
  std::vector<double> counting;
  std::vector<double> plain;
  for (int round = 0; round < rounds; ++round) {
    const bool comes = round % 2 == 0;
    const std::uint32_t number = members + static_cast<std::uint32_t>(round / 2);
    const std::uint32_t host = kFirstHost + number;
    const std::string interface = Interface(number);
    ir::DesiredDelta change;
    ir::MarkChange& change_of_map = change.changed_mark_maps[kMap];
    if (comes) {
      change_of_map.set.emplace_back(Address(number), 1);
    } else {
      change_of_map.removed.push_back(Address(number));
    }
    ours.push_back(Elapsed([&] { Apply(maps, change); }));
    counting.push_back(Elapsed([&] {
      comes ? bare.AddMarked("counts", host, interface, 1, true)
            : bare.DeleteMarked("counts", host, interface);
    }));
    plain.push_back(Elapsed([&] {
      comes ? bare.AddMarked("plain", host, interface, 1, false)
            : bare.DeleteMarked("plain", host, interface);
    }));
  }
  const double p50 = Quantile(ours, 0.5);
  const double counting_p50 = Quantile(counting, 0.5);
  fmt::print(
      "one element of {}: engine p50 {:.2f} p99 {:.2f} us, bare that counts p50 {:.2f} p99 {:.2f} "
      "us, bare without p50 {:.2f} p99 {:.2f} us; {:.2f}x bare\n",
      members, p50, Quantile(ours, 0.99), counting_p50, Quantile(counting, 0.99),
      Quantile(plain, 0.5), Quantile(plain, 0.99), p50 / counting_p50);

  std::vector<double> readings;
  for (int i = 0; i < 5; ++i) {
    readings.push_back(
        Time([&] { FELIX_CHECK(maps.ReadCounters().ok(), "counters cannot be read"); }));
  }
  const double resync = Time([&] {
    maps.Resync();
    Apply(maps, {});
  });
  FELIX_CHECK(maps.TakeDamage().empty(), "there is damage in a namespace of our own");
  fmt::print("  reading its counters {:.2f} ms, comparing it in full {:.2f} ms\n",
             Quantile(readings, 0.5) / 1e3, resync / 1e3);
  maps.RemoveEverything();
  Apply(maps, {});
  bare.Destroy("counts");
  bare.Destroy("plain");
}

int Main(int argc, char** argv) {
  if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
    fmt::print("skipped: needs the right to make a network namespace\n");
    return kSkipped;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const bool small = argc > 1 && std::string_view(argv[1]) == "--small";
  for (const std::uint32_t members : {100U, 5000U, 50000U}) {
    OneElement(members, small ? 100 : 20000);
    if (small) break;
  }
  return 0;
}

}  // namespace
}  // namespace felix::bench

int main(int argc, char** argv) {
  return felix::bench::Main(argc, argv);
}
