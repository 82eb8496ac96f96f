// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "iptables/desired_encoder.h"
#include "iptables/planner.h"
#include "tests/support/fake_kernel_table.h"
#include "tests/support/random.h"
#include "tests/unit/iptables/encoded_rules.h"

namespace felix::iptables {
namespace {

using testing::ChainOf;
using testing::Random;

constexpr std::array<const char*, 5> kOurChains = {"cali-a", "cali-b", "califw-c", "felix-d",
                                                   "calipi-e"};
constexpr std::array<const char*, 2> kForeignChains = {"DOCKER", "KUBE-FORWARD"};
constexpr std::uint32_t kForeignNumber = 1000;

// Few numbers, so that rules repeat and move between places.
EncodedRule OurRule(Random& random, const std::vector<std::string>& targets) {
  if (!targets.empty() && random.Chance(30)) return testing::JumpTo(random.Pick(targets));
  return testing::Numbered(static_cast<std::uint32_t>(random.Below(6)));
}

DesiredTable RandomDesired(Random& random) {
  DesiredTable desired;
  std::vector<std::string> names;
  for (const char* name : kOurChains) {
    if (random.Chance(60)) names.emplace_back(name);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    // Jumps go to later chains only: no loops.
    const std::vector<std::string> later(names.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                         names.end());
    auto& rules = desired.chains[names[i]];
    for (std::size_t n = random.Below(8); n > 0; --n) rules.push_back(OurRule(random, later));
  }
  for (const char* base : {"INPUT", "FORWARD"}) {
    if (random.Chance(30)) continue;
    HookRules& hook = desired.hooks[base];
    if (!names.empty()) hook.first.push_back(testing::JumpTo(random.Pick(names)));
    for (std::size_t n = random.Below(3); n > 0; --n) {
      hook.last.push_back(testing::Tagged(static_cast<std::uint32_t>(random.Below(3))));
    }
  }
  return desired;
}

// Foreign chains with rules, some jumping to one another, and some policies.
TableContent RandomForeignTable(Random& random) {
  TableContent table = testing::EmptyTable(ir::Table::kFilter);
  for (const char* name : kForeignChains) {
    if (!random.Chance(60)) continue;
    EXPECT_TRUE(testing::Execute(CreateChain{name}, table).ok());
  }
  std::uint32_t number = kForeignNumber;
  for (KernelChain& chain : table.chains) {
    if (chain.is_builtin && random.Chance(30)) chain.policy = "DROP";
    for (std::size_t n = random.Below(5); n > 0; --n) {
      chain.rules.push_back(testing::InKernel(testing::Numbered(number), {.packets = number}));
      ++number;
    }
  }
  return table;
}

void Disturb(Random& random, TableContent& table) {
  std::vector<std::string> ours;
  for (const KernelChain& chain : table.chains) {
    if (!chain.is_builtin && IsOurChainName(chain.name)) ours.push_back(chain.name);
  }
  for (KernelChain& chain : table.chains) {
    if (random.Chance(50) || ours.empty()) continue;
    const auto place = static_cast<std::ptrdiff_t>(random.Below(chain.rules.size() + 1));
    chain.rules.insert(chain.rules.begin() + place,
                       testing::InKernel(random.Chance(50) ? testing::JumpTo(random.Pick(ours))
                                                           : testing::Tagged(5)));
  }
}

// Everything that is not ours, with counters.
std::string ForeignPart(TableContent table) {
  std::string out;
  for (KernelChain& chain : table.chains) {
    if (!chain.is_builtin && IsOurChainName(chain.name)) continue;
    std::erase_if(chain.rules, [](const KernelRule& rule) { return IsOurHookRule(rule.rule); });
    out += chain.name + " " + chain.policy + ":";
    for (const KernelRule& rule : chain.rules) {
      out += " " + std::to_string(rule.counters.packets) + rule.rule.target;
    }
    out += "\n";
  }
  return out;
}

void ExpectHolds(TableContent& table, const DesiredTable& desired, HookPlacement placement) {
  std::vector<std::string> ours;
  for (const KernelChain& chain : table.chains) {
    const bool is_ours = !chain.is_builtin && IsOurChainName(chain.name);
    if (is_ours) ours.push_back(chain.name);
    std::vector<EncodedRule> rules;
    std::vector<EncodedRule> foreign;
    for (const KernelRule& rule : chain.rules) {
      rules.push_back(rule.rule);
      if (!IsOurHookRule(rule.rule)) foreign.push_back(rule.rule);
    }
    std::vector<EncodedRule> expected;
    if (is_ours) {
      expected = desired.chains.at(chain.name);
    } else {
      const auto it = desired.hooks.find(chain.name);
      const HookRules hook = it == desired.hooks.end() ? HookRules{} : it->second;
      const auto add = [&](const std::vector<EncodedRule>& more) {
        expected.insert(expected.end(), more.begin(), more.end());
      };
      if (placement == HookPlacement::kInsert) add(hook.first);
      add(foreign);
      if (placement == HookPlacement::kAppend) add(hook.first);
      add(hook.last);
    }
    EXPECT_EQ(rules, expected) << chain.name;
  }
  EXPECT_EQ(ours.size(), desired.chains.size());
}

void ExpectAllJumpsLand(TableContent& table) {
  for (const KernelChain& chain : table.chains) {
    for (const KernelRule& rule : chain.rules) {
      if (!rule.rule.is_jump) continue;
      EXPECT_TRUE(std::any_of(table.chains.begin(), table.chains.end(), [&](const auto& other) {
        return other.name == rule.rule.target;
      })) << rule.rule.target;
    }
  }
}

TEST(PlannerProperty, PlansReachWhatIsDesiredAndHarmNobody) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    TableContent table = RandomForeignTable(random);
    const std::string foreign = ForeignPart(table);
    for (int step = 0; step < 4; ++step) {
      const DesiredTable desired = RandomDesired(random);
      const auto placement = random.PickOf({HookPlacement::kInsert, HookPlacement::kAppend});
      const auto plan = Plan(table, desired, placement);
      ASSERT_TRUE(plan.ok()) << plan.status();
      for (const Operation& operation : plan->operations) {
        const auto status = testing::Execute(operation, table);
        ASSERT_TRUE(status.ok()) << status;
        ExpectAllJumpsLand(table);
        ASSERT_EQ(ForeignPart(table), foreign);
      }
      ExpectHolds(table, desired, placement);
      const auto again = Plan(table, desired, placement);
      ASSERT_TRUE(again.ok() && again->empty()) << Print(*again, model::IpFamily::kV4);
      if (::testing::Test::HasFailure()) return;
      Disturb(random, table);
    }
  }
}

// The verdict of a packet that no rule but DROP and the jumps catch: it shows whether the way ends
// in the DROP behind all dispatch rules.
bool IsDropped(TableContent& table, const std::string& chain) {
  for (const KernelRule& rule : ChainOf(table, chain).rules) {
    if (rule.rule.is_jump && IsDropped(table, rule.rule.target)) return true;
    if (rule.rule.target == "DROP" && rule.rule == DropRule(model::IpFamily::kV4)) return true;
  }
  return false;
}

// FORWARD goes to a dispatch chain, which goes to some of the endpoint chains and then drops.
DesiredTable RandomDispatch(Random& random) {
  DesiredTable desired;
  std::vector<EncodedRule> rules;
  for (const char* name : {"califw-c", "felix-d", "calipi-e"}) {
    if (random.Chance(40)) continue;
    rules.push_back(testing::JumpTo(name));
  }
  rules.push_back(DropRule(model::IpFamily::kV4));
  desired.chains["cali-a"] = rules;
  for (const EncodedRule& rule : rules) {
    if (!rule.is_jump) continue;
    auto& chain = desired.chains[rule.target];
    for (std::size_t n = random.Below(4); n > 0; --n) {
      chain.push_back(testing::Numbered(static_cast<std::uint32_t>(random.Below(6))));
    }
  }
  desired.hooks["FORWARD"].first = {testing::JumpTo("cali-a")};
  return desired;
}

TEST(PlannerProperty, EveryPrefixOfAPlanDropsWhatNoDispatchRuleKnows) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    TableContent table = RandomForeignTable(random);
    DesiredTable desired = RandomDispatch(random);
    for (int step = 0; step < 5; ++step, desired = RandomDispatch(random)) {
      const auto plan = Plan(table, desired, HookPlacement::kInsert);
      ASSERT_TRUE(plan.ok()) << plan.status();
      for (const Operation& operation : plan->operations) {
        ASSERT_TRUE(testing::Execute(operation, table).ok());
        ExpectAllJumpsLand(table);
        ASSERT_TRUE(step == 0 || IsDropped(table, "FORWARD"));
      }
      ASSERT_TRUE(IsDropped(table, "FORWARD"));
    }
  }
}

TEST(PlannerProperty, SamePlansForTheSameInput) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    const TableContent table = RandomForeignTable(random);
    const DesiredTable desired = RandomDesired(random);
    EXPECT_EQ(*Plan(table, desired, HookPlacement::kInsert),
              *Plan(table, desired, HookPlacement::kInsert));
  }
}

}  // namespace
}  // namespace felix::iptables
