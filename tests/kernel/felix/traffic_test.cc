// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>

#include "fmt/format.h"

#include "iptables/libiptc_table.h"
#include "iptables/table.h"
#include "tests/kernel/felix/steady_flow.h"

namespace felix::testing {
namespace {

using Ports = SteadyFlow::Ports;

constexpr int kChains = 100;
constexpr int kRulesPerChain = 200;

ir::ChainKey Key(const std::string& name) {
  return {.family = model::IpFamily::kV4, .table = ir::Table::kFilter, .name = name};
}

ir::Chain Filler(int chain, int round) {
  ir::Chain filler;
  for (int r = 0; r < kRulesPerChain; ++r) {
    filler.rules.push_back(
        ir::When(ir::MarkMatch{.value = static_cast<std::uint32_t>(1 + chain * 1000 + r + round),
                               .mask = 0xffffffff})
            .Then(ir::Drop{}));
  }
  return filler;
}

// What is not accepted by the very last rule that a packet meets is dropped, so that a packet which
// met a part of the table only would be missing. A packet meets one chain of rules.
ir::DesiredDelta TwentyThousandRules() {
  ir::DesiredDelta delta;
  ir::Chain forward;
  for (int c = 0; c < kChains; ++c) {
    const std::string name = fmt::format("cali-filler-{}", c);
    delta.chains[Key(name)] = Filler(c, 0);
    const auto mark = static_cast<std::uint32_t>(c);
    forward.rules.push_back(
        ir::When(ir::MarkMatch{.value = mark, .mask = 0xffffffff}).Then(ir::Jump{name}));
  }
  forward.rules.push_back(ir::When().Then(ir::Accept{}));
  delta.chains[Key("cali-FORWARD")] = std::move(forward);
  delta.hooks[{.family = model::IpFamily::kV4,
               .table = ir::Table::kFilter,
               .base = ir::BaseChain::kForward,
               .position = ir::HookPosition::kFirst}] = {ir::When().Then(ir::Jump{"cali-FORWARD"})};
  return delta;
}

TEST(Traffic, LosesNoPacketWhileATableOfTwentyThousandRulesIsCommittedBackToBack) {
  FELIX_REQUIRE_ROOT();
  const TwoContainers containers;
  ASSERT_EQ(containers.router().Shell("iptables-legacy -P FORWARD DROP"), 0);
  iptables::LibiptcTable kernel(model::IpFamily::kV4, ir::Table::kFilter);
  iptables::Table table(model::IpFamily::kV4, ir::Table::kFilter, kernel,
                        [](const ir::SetKey& key) -> absl::StatusOr<std::uint16_t> {
                          return absl::NotFoundError("no set " + key.id);
                        });
  const auto apply = [&](const ir::DesiredDelta& delta) {
    int commits = 0;
    containers.router().Run([&] {
      table.Stage(delta);
      const auto stats = table.Apply();
      EXPECT_TRUE(stats.ok()) << stats.status();
      if (stats.ok()) commits = stats->commits;
    });
    return commits;
  };
  ASSERT_EQ(apply(TwentyThousandRules()), 1);

  SteadyFlow one(containers, 5000, 2000, Ports::kOne);
  SteadyFlow fresh(containers, 5001, 1000, Ports::kFreshEach);
  int commits = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  for (int round = 1; std::chrono::steady_clock::now() < end; ++round) {
    ir::DesiredDelta change;
    change.chains[Key(fmt::format("cali-filler-{}", round % kChains))] =
        Filler(round % kChains, round);
    commits += apply(change);
  }
  one.Stop();
  fresh.Stop();
  RecordProperty("commits", commits);
  RecordProperty("sent", fmt::format("{}", one.sent() + fresh.sent()));
  EXPECT_GE(commits, 10);
  EXPECT_GT(one.sent() + fresh.sent(), 3000U);
  EXPECT_EQ(one.received(), one.sent());
  EXPECT_EQ(fresh.received(), fresh.sent());
}

}  // namespace
}  // namespace felix::testing
