// SPDX-License-Identifier: Apache-2.0
#include "bench/known_shape.h"

#include <algorithm>
#include <array>
#include <memory>
#include <sstream>

#include "fmt/format.h"

#include "bench/floors/container_elements.h"
#include "bench/floors/tables.h"
#include "bench/stopwatch.h"
#include "compiler/endpoint_layout.h"
#include "compiler/names.h"
#include "ipset/set_name.h"
#include "model/base/check.h"

namespace felix::bench {

using compiler::ChainLayout;

std::string Quantiles(const std::vector<double>& microseconds) {
  return fmt::format("p50 {:8.1f} p99 {:8.1f} max {:8.1f} us", Quantile(microseconds, 0.5),
                     Quantile(microseconds, 0.99), Quantile(microseconds, 1));
}

namespace {

// How many elements the map of the senders has.
std::size_t Elements(ContainerHost& host, model::IpFamily family) {
  const ir::SetKey key{family, compiler::ElementMapId(compiler::Direction::kEgress)};
  const auto content = host.sets().Read(ipset::KernelSetName(key));
  FELIX_CHECK(content.ok() && content->has_value(), "there is no map of senders");
  return (*content)->interface_members.size();
}

// One container comes and goes, and the kernel is asked whether it does.
void CheckShared(ContainerHost& host) {
  const std::array families = {model::IpFamily::kV4, model::IpFamily::kV6};
  for (const bool comes : {true, false}) {
    const model::Update update = comes ? host.Start(kFirstNew) : host.Stop(kFirstNew);
    host.Push({&update, 1});
    FELIX_CHECK(host.report().commits == 0, "a container of a known shape writes a table");
    for (const model::IpFamily family : families) {
      if (family == model::IpFamily::kV6 && !host.size().ipv6) continue;
      FELIX_CHECK(Elements(host, family) == host.size().containers + (comes ? 1 : 0),
                  "an element is missing or too many");
    }
  }
}

// The input of iptables-legacy-restore that changes the chains of `delta` to what they are in
// `saved`.
std::string RestoreText(const std::string& saved, const ir::DesiredDelta& delta) {
  std::string chains = "*filter\n";
  std::string rules;
  std::string deletions;
  std::istringstream lines(saved);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("-A ")) continue;
    const std::string name = line.substr(3, line.find(' ', 3) - 3);
    if (delta.chains.contains({model::IpFamily::kV4, ir::Table::kFilter, name}))
      rules += line + "\n";
  }
  for (const auto& [key, chain] : delta.chains) chains += fmt::format(":{} - [0:0]\n", key.name);
  for (const ir::ChainKey& key : delta.removed_chains) {
    deletions += fmt::format("-F {0}\n-X {0}\n", key.name);
  }
  return chains + rules + deletions + "COMMIT\n";
}

// What the tools would be given to start and to stop a container.
class RestoreProcess {
 public:
  explicit RestoreProcess(ContainerHost& host) {
    for (const bool comes : {true, false}) {
      const model::Update update = comes ? host.Start(kFirstNew) : host.Stop(kFirstNew);
      host.Push({&update, 1});
      FELIX_CHECK(host.report().commits == 1, "a container with chains of its own writes no table");
      (comes ? start_ : stop_) = RestoreText(SavedTable(), host.delta());
    }
  }
  void Run(bool starts) const { RestoreWithProcess(starts ? start_ : stop_); }

 private:
  std::string start_;
  std::string stop_;
};

struct Samples {
  std::array<std::vector<double>, 2> by_act;  // start, stop
  void Add(bool starts, double value) { by_act.at(starts ? 0 : 1).push_back(value); }
};

void Print(const char* name, const Samples& samples) {
  for (const bool starts : {true, false}) {
    const std::vector<double>& values = samples.by_act.at(starts ? 0 : 1);
    if (!values.empty()) {
      fmt::print("  {:<22} {} {}\n", name, starts ? "start" : "stop ", Quantiles(values));
    }
  }
}

void PrintStages(const ContainerHost::Stages& stages) {
  const auto median = [](const std::vector<double>& all, std::size_t act) {
    std::vector<double> values;
    for (std::size_t i = act; i < all.size(); i += 2) values.push_back(all[i]);
    return Quantile(values, 0.5);
  };
  for (const std::size_t act : {std::size_t{0}, std::size_t{1}}) {
    fmt::print(
        "    of {}: updates {:.1f}, flush {:.1f}, stage {:.1f}, apply {:.1f}, applied {:.1f}\n",
        act == 0 ? "start" : "stop", median(stages.updates, act), median(stages.flush, act),
        median(stages.stage, act), median(stages.apply, act), median(stages.applied, act));
  }
}

}  // namespace

void KnownShape(const HostSize& size, int rounds, int slow_rounds) {
  HostSize chains = size;
  chains.layout = ChainLayout::kPerContainer;
  ContainerHost host(size);
  CheckShared(host);
  std::unique_ptr<ContainerHost> other;
  std::unique_ptr<RestoreProcess> process;
  if (slow_rounds > 0) {
    other = std::make_unique<ContainerHost>(chains);
    process = std::make_unique<RestoreProcess>(*other);
  }
  host.Enter();
  ContainerElements bare;
  Samples ours, one_by_one, at_once, per_container, restore;
  const int cycle = std::max(1, rounds / 4);
  const auto number_of = [&](int round) {
    return kFirstNew + static_cast<std::uint32_t>(round % cycle);
  };
  // What each of them changes is to be known before the contenders take turns.
  std::vector<ir::DesiredDelta> starts_of;
  for (int round = 0; round < cycle; ++round) {
    const std::array updates = {host.Start(number_of(round)), host.Stop(number_of(round))};
    host.Push({&updates[0], 1});
    starts_of.push_back(host.delta());
    host.Push({&updates[1], 1});
  }
  static_cast<void>(host.TakeStages());
  const auto for_both = [](const auto& act) {
    for (const bool starts : {true, false}) act(starts);
  };
  for (int round = 0; round < rounds; ++round) {
    const std::uint32_t number = number_of(round);
    const std::array updates = {host.Stop(number), host.Start(number)};
    bare.Take(starts_of.at(static_cast<std::size_t>(round % cycle)), InterfaceOf(number + 10000),
              {AddressOf(number + 10000, model::IpFamily::kV4),
               AddressOf(number + 10000, model::IpFamily::kV6)});
    // Whoever comes first finds nothing of these sets in the processor's caches.
    for (int turn = 0; turn < 3; ++turn) {
      switch ((round + turn) % 3) {
        case 0:
          for_both([&](bool starts) {
            ours.Add(starts, host.Push({&updates.at(starts ? 1 : 0), 1}));
            FELIX_CHECK(host.report().commits == 0, "a container of a known shape writes a table");
          });
          break;
        case 1:
          for_both([&](bool starts) {
            one_by_one.Add(starts, Elapsed([&] { bare.OneByOne(starts); }));
          });
          break;
        default:
          for_both(
              [&](bool starts) { at_once.Add(starts, Elapsed([&] { bare.AtOnce(starts); })); });
          break;
      }
    }
    if (slow_rounds == 0 || round % std::max(1, rounds / slow_rounds) != 0) continue;
    other->Enter();
    for_both([&](bool starts) {
      per_container.Add(starts, other->Push({&updates.at(starts ? 1 : 0), 1}));
    });
    for_both([&](bool starts) { restore.Add(starts, Elapsed([&] { process->Run(starts); })); });
    host.Enter();
  }
  fmt::print("known shape, {} containers, {}, {} memberships, {} sets a family, {} elements:\n",
             size.containers, size.ipv6 ? "both families" : "one family", size.memberships,
             size.selectors, bare.size());
  Print("Shared", ours);
  PrintStages(host.TakeStages());
  Print("bare, one by one", one_by_one);
  Print("bare, at once", at_once);
  Print("PerContainer", per_container);
  Print("restore --noflush", restore);
  for (const bool starts : {true, false}) {
    const std::size_t act = starts ? 0 : 1;
    const double p50 = Quantile(ours.by_act.at(act), 0.5);
    fmt::print("  {}: {:.2f}x bare one by one, {:.2f}x bare at once\n", starts ? "start" : "stop",
               p50 / Quantile(one_by_one.by_act.at(act), 0.5),
               p50 / Quantile(at_once.by_act.at(act), 0.5));
  }
}

void KnownShapeAlone(const HostSize& size, int rounds) {
  ContainerHost host(size);
  host.Enter();
  static_cast<void>(host.TakeStages());
  const model::Update start = host.Start(kFirstNew);
  const model::Update stop = host.Stop(kFirstNew);
  Samples ours;
  for (int i = 0; i < rounds; ++i) {
    ours.Add(true, host.Push({&start, 1}));
    ours.Add(false, host.Push({&stop, 1}));
  }
  Print("Shared", ours);
  PrintStages(host.TakeStages());
}

}  // namespace felix::bench
