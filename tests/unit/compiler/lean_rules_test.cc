// SPDX-License-Identifier: Apache-2.0
// How many entries the kernel's table holds, next to the layout in which each endpoint's chains
// name each of its policies.
#include <iostream>
#include <set>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "tests/support/builders.h"
#include "tests/support/random.h"

namespace felix::compiler {
namespace {

constexpr int kEndpoints = 200;
constexpr int kPolicies = 100;
constexpr int kPoliciesPerList = 30;
constexpr int kRulesPerPolicy = 5;

// A chain costs its header and its end besides its rules.
constexpr std::size_t kEntriesPerChain = 2;

struct Count {
  std::size_t ours = 0;
  std::size_t per_endpoint_layout = 0;
  [[nodiscard]] double Ratio() const {
    return static_cast<double>(per_endpoint_layout) / static_cast<double>(ours);
  }
};

std::size_t EntriesOf(const ir::DesiredState& state) {
  std::size_t entries = 0;
  for (const auto& [key, chain] : state.chains) {
    if (key.family != model::IpFamily::kV4) continue;
    entries += chain.rules.size() + kEntriesPerChain;
  }
  return entries;
}

// Per endpoint and direction: the chain, two rules for conntrack, one that clears the accept mark,
// the start and end of the tier, a jump and a return per policy, and the final drop; egress has two
// drops of encapsulated packets more. Dispatch is a rule per endpoint and direction. An accepting
// rule is two, one that marks and one that returns, but for the last. Static chains are not
// counted.
std::size_t PerEndpointLayout(std::size_t policies_in_use) {
  constexpr std::size_t kPerDirection =
      kEntriesPerChain + 2 + 1 + 2 + 2 * std::size_t{kPoliciesPerList} + 1;
  constexpr std::size_t kPerEndpoint = 2 * kPerDirection + 2 + 2;
  return kEndpoints * kPerEndpoint +
         policies_in_use * 2 * (kEntriesPerChain + 2 * std::size_t{kRulesPerPolicy} - 1);
}

Count CountWith(int lists) {
  testing::Random random(1);
  Graph graph(testing::OptionsOfThisHost());
  std::vector<model::Update> updates;
  for (int p = 0; p < kPolicies; ++p) {
    std::vector<model::PolicyRule> rules;
    for (int r = 0; r < kRulesPerPolicy; ++r) {
      model::PolicyRule rule = testing::Allow();
      rule.protocol = model::kTcp;
      const auto port = static_cast<std::uint16_t>(1000 + 10 * p + r);
      rule.destination.ports.ranges = {{port, port}};
      rules.push_back(std::move(rule));
    }
    updates.push_back({testing::GlobalPolicy(fmt::format("p{}", p)),
                       testing::PolicyOf(fmt::format("has(p{})", p), std::move(rules))});
  }
  std::vector<model::LabelSet> label_sets;
  std::set<int> in_use;
  for (int l = 0; l < lists; ++l) {
    std::set<int> chosen;
    while (chosen.size() < kPoliciesPerList) chosen.insert(random.Between(0, kPolicies - 1));
    std::vector<model::LabelSet::Entry> labels;
    for (const int p : chosen) labels.emplace_back(fmt::format("p{}", p), "");
    label_sets.emplace_back(std::move(labels));
    in_use.insert(chosen.begin(), chosen.end());
  }
  for (int e = 0; e < kEndpoints; ++e) {
    updates.push_back({testing::EndpointId(fmt::format("e{}", e)),
                       testing::Endpoint(fmt::format("cali{}", e), {fmt::format("10.0.0.{}", e)},
                                         label_sets[static_cast<std::size_t>(e % lists)])});
  }
  graph.OnUpdates(updates);
  static_cast<void>(graph.Flush());
  return {EntriesOf(graph.desired()), PerEndpointLayout(in_use.size())};
}

TEST(LeanRules, LikeEndpointsCostAFifthOrLessOfChainsOfTheirOwn) {
  const Count count = CountWith(8);
  RecordProperty("ratio", fmt::format("{:.2f}", count.Ratio()));
  std::cout << fmt::format("8 lists: {} entries, {} with chains per endpoint, ratio {:.2f}\n",
                           count.ours, count.per_endpoint_layout, count.Ratio());
  EXPECT_LE(count.ours * 5, count.per_endpoint_layout);
}

TEST(LeanRules, EndpointsThatHaveNothingInCommonCostNoMore) {
  const Count count = CountWith(kEndpoints);
  RecordProperty("ratio", fmt::format("{:.2f}", count.Ratio()));
  std::cout << fmt::format("200 lists: {} entries, {} with chains per endpoint, ratio {:.2f}\n",
                           count.ours, count.per_endpoint_layout, count.Ratio());
  EXPECT_LE(count.ours, count.per_endpoint_layout);
}

}  // namespace
}  // namespace felix::compiler
