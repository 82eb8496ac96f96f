// SPDX-License-Identifier: Apache-2.0
// What the layout of our rules is worth: many changes of endpoints in one commit, and the bare
// replacement of our table next to one in which the chains of each endpoint name each of its
// policies and every rule carries a comment. Needs root.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <set>

#include "bench/table_contenders.h"
#include "compiler/graph.h"
#include "tests/support/builders.h"
#include "tests/support/random.h"

namespace felix::bench {
namespace {

using testing::NetworkNamespace;

constexpr int kPolicies = 100;
constexpr int kRulesPerPolicy = 5;
constexpr int kLists = 8;

std::string EndpointName(int number) {
  return fmt::format("e{}", number);
}
std::string AddressOf(int number, int round) {
  return fmt::format("10.{}.{}.{}", round, number / 250, number % 250 + 1);
}

// Endpoints of eight kinds; each kind has `policies_each` of a hundred policies.
class Cluster {
 public:
  Cluster(int endpoints, int policies_each) : graph(testing::OptionsOfThisHost()) {
    std::vector<model::Update> updates;
    for (int p = 0; p < kPolicies; ++p) {
      std::vector<model::PolicyRule> rules;
      for (int r = 0; r < kRulesPerPolicy; ++r) {
        model::PolicyRule rule = testing::Allow();
        rule.protocol = model::kTcp;
        rule.destination.ports.ranges = {{PortOf(p, r), PortOf(p, r)}};
        rules.push_back(std::move(rule));
      }
      updates.push_back({testing::GlobalPolicy(fmt::format("p{}", p)),
                         testing::PolicyOf(fmt::format("has(p{})", p), std::move(rules))});
    }
    testing::Random random(1);
    for (int l = 0; l < kLists; ++l) {
      std::set<int>& chosen = lists.emplace_back();
      while (static_cast<int>(chosen.size()) < policies_each) {
        chosen.insert(random.Between(0, kPolicies - 1));
      }
      std::vector<model::LabelSet::Entry> labels;
      for (const int p : chosen) labels.emplace_back(fmt::format("p{}", p), "");
      label_sets_.emplace_back(std::move(labels));
    }
    for (int e = 0; e < endpoints; ++e) updates.push_back(UpdateOf(e, 0));
    graph.OnUpdates(updates);
    everything = graph.Flush();
  }

  [[nodiscard]] model::Update UpdateOf(int number, int round) const {
    return {testing::EndpointId(EndpointName(number)),
            testing::Endpoint(fmt::format("cali{}", number), {AddressOf(number, round)},
                              label_sets_[static_cast<std::size_t>(number % kLists)])};
  }
  // Gives that many endpoints another address.
  ir::DesiredDelta Change(int first, int count, int endpoints, int round) {
    std::vector<model::Update> updates;
    for (int i = 0; i < count; ++i) updates.push_back(UpdateOf((first + i) % endpoints, round));
    graph.OnUpdates(updates);
    return graph.Flush();
  }
  static std::uint16_t PortOf(int policy, int rule) {
    return static_cast<std::uint16_t>(1000 + 10 * policy + rule);
  }

  std::vector<std::set<int>> lists;
  compiler::Graph graph;
  ir::DesiredDelta everything;

 private:
  std::vector<model::LabelSet> label_sets_;
};

void ChangeEndpoints(benchmark::State& state) {
  const auto endpoints = static_cast<int>(state.range(0));
  const int batch = endpoints / 5;
  Cluster cluster(endpoints, 10);
  const NetworkNamespace netns, check;
  Enter(netns);
  NobodyElse nobody;
  Ours ours(&nobody);
  ours.Apply(cluster.everything);
  Samples one, many, compile;
  int commits = 0;
  int round = 0;
  for (auto iteration : state) {
    ++round;
    one.Add(Milliseconds(
        [&] { commits += ours.Apply(cluster.Change(round * 7, 1, endpoints, round)).commits; }));
    ir::DesiredDelta change;
    const double compiled =
        Milliseconds([&] { change = cluster.Change(round * 13, batch, endpoints, round + 100); });
    compile.Add(compiled);
    many.Add(compiled + Milliseconds([&] { commits += ours.Apply(change).commits; }));
  }
  if (commits != 2 * round) state.SkipWithError("a batch was not one commit");
  const std::string changed = SavedTable();
  Enter(check);
  Ours().Apply(ir::Diff({}, cluster.graph.desired()));
  if (SavedTable() != changed) state.SkipWithError("the table is not the one of a cold start");
  state.counters["one_ms"] = one.Median();
  state.counters["batch"] = batch;
  state.counters["batch_ms"] = many.Median();
  state.counters["batch_compile_ms"] = compile.Median();
  state.counters["batch_to_one"] = many.RatioTo(one);
}
BENCHMARK(ChangeEndpoints)->Arg(1000)->Iterations(20)->Unit(benchmark::kMillisecond);
BENCHMARK(ChangeEndpoints)->Arg(5000)->Iterations(15)->Unit(benchmark::kMillisecond);

// The filter table of the layout in which nothing is shared between endpoints, as input to the
// restore tool. Per endpoint and direction: two rules for conntrack, one that clears the accept
// mark, start and end of the tier, a jump and a return per policy, the final drop; from the
// workload two drops of encapsulated packets more. An accepting rule of a policy is two.
class PerEndpointLayout {
 public:
  PerEndpointLayout(const Cluster& cluster, int endpoints) {
    std::set<int> in_use;
    for (const std::set<int>& list : cluster.lists) in_use.insert(list.begin(), list.end());
    for (const int p : in_use) {
      for (const char* way : {"pi", "po"}) AddPolicy(fmt::format("cali-{}-p{}", way, p), p);
    }
    for (int e = 0; e < endpoints; ++e) {
      const std::set<int>& list = cluster.lists[static_cast<std::size_t>(e % kLists)];
      AddEndpoint(fmt::format("cali-fw-cali{}", e), "po", list, true);
      AddEndpoint(fmt::format("cali-tw-cali{}", e), "pi", list, false);
      AddRule("cali-FORWARD", fmt::format("-i cali{0} -g cali-fw-cali{0}", e));
      AddRule("cali-FORWARD", fmt::format("-o cali{0} -g cali-tw-cali{0}", e));
    }
    AddRule("FORWARD", "-j cali-FORWARD");
    text = "*filter\n:cali-FORWARD - [0:0]\n" + chains_ + rules_ + "COMMIT\n";
  }

  std::string text;

 private:
  void AddRule(const std::string& chain, const std::string& rule) {
    rules_ += fmt::format("-A {} -m comment --comment \"cali:{:016x}\" {}\n", chain, ++id_, rule);
  }
  void AddPolicy(const std::string& chain, int policy) {
    chains_ += fmt::format(":{} - [0:0]\n", chain);
    for (int r = 0; r < kRulesPerPolicy; ++r) {
      AddRule(chain, fmt::format("-p tcp -m multiport --dports {} -j MARK --set-xmark "
                                 "0x10000/0x10000",
                                 Cluster::PortOf(policy, r)));
      if (r + 1 < kRulesPerPolicy) AddRule(chain, "-m mark --mark 0x10000/0x10000 -j RETURN");
    }
  }
  void AddEndpoint(const std::string& chain, const char* way, const std::set<int>& list,
                   bool from) {
    chains_ += fmt::format(":{} - [0:0]\n", chain);
    AddRule(chain, "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    AddRule(chain, "-m conntrack --ctstate INVALID -j DROP");
    AddRule(chain, "-j MARK --set-xmark 0x0/0x10000");
    if (from) {
      AddRule(chain, "-p udp -m multiport --dports 4789 -j DROP");
      AddRule(chain, "-p ipencap -j DROP");
    }
    AddRule(chain, "-j MARK --set-xmark 0x0/0x20000");
    for (const int p : list) {
      AddRule(chain, fmt::format("-m mark --mark 0x0/0x20000 -j cali-{}-p{}", way, p));
      AddRule(chain, "-m mark --mark 0x10000/0x10000 -j RETURN");
    }
    AddRule(chain, "-m mark --mark 0x0/0x20000 -j DROP");
    AddRule(chain, "-j DROP");
  }

  std::uint64_t id_ = 0;
  std::string chains_;
  std::string rules_;
};

void ReplaceWholeTable(benchmark::State& state) {
  const auto endpoints = static_cast<int>(state.range(0));
  const auto policies_each = static_cast<int>(state.range(1));
  const Cluster cluster(endpoints, policies_each);
  const NetworkNamespace lean_netns, other_netns;
  Enter(lean_netns);
  Ours().Apply(cluster.everything);
  TableBytes lean = TableBytes::Read();
  Enter(other_netns);
  RestoreWithProcess(PerEndpointLayout(cluster, endpoints).text);
  TableBytes other = TableBytes::Read();
  Samples ours, theirs;
  for (auto iteration : state) {
    Enter(lean_netns);
    ours.Add(Milliseconds([&] { lean.Replace(); }));
    Enter(other_netns);
    theirs.Add(Milliseconds([&] { other.Replace(); }));
  }
  state.counters["ours_ms"] = ours.Median();
  state.counters["per_endpoint_ms"] = theirs.Median();
  state.counters["ours_entries"] = lean.entries();
  state.counters["per_endpoint_entries"] = other.entries();
  state.counters["ours_mb"] = static_cast<double>(lean.size()) / 1e6;
  state.counters["per_endpoint_mb"] = static_cast<double>(other.size()) / 1e6;
  state.counters["per_endpoint_to_ours"] = theirs.RatioTo(ours);
}
BENCHMARK(ReplaceWholeTable)->Args({200, 10})->Iterations(40)->Unit(benchmark::kMillisecond);
BENCHMARK(ReplaceWholeTable)->Args({1000, 10})->Iterations(20)->Unit(benchmark::kMillisecond);
BENCHMARK(ReplaceWholeTable)->Args({1000, 3})->Iterations(20)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace felix::bench

int main(int argc, char** argv) {
  return felix::bench::RunBenchmarksAsRoot(argc, argv);
}
