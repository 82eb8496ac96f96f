// SPDX-License-Identifier: Apache-2.0
#include "iptables/mirrored_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "fmt/format.h"

#include "iptables/table.h"
#include "tests/kernel/iptables/legacy_tools.h"
#include "tests/support/network_namespace.h"
#include "tests/support/random.h"
#include "tests/support/seeds.h"
#include "tests/unit/iptables/kernel_table_suite.h"
#include "tests/unit/iptables/rule_samples.h"

namespace felix::testing {
namespace {

using iptables::LibiptcTable;
using iptables::MirroredTable;
using iptables::Table;
using model::IpFamily;

const iptables::XtablesLock::Options kImpatient{.timeout = std::chrono::milliseconds(50),
                                                .probe_interval = std::chrono::milliseconds(5)};

// Every session that a test opens is one by our own calls: what leaves doubt is followed by a look.
class MirroredEnvironment {
 public:
  static bool Prepare() {
    if (!HasRoot()) {
      if (std::getenv("CI") != nullptr) ADD_FAILURE() << "kernel tests need root";
      return false;
    }
    EnterFreshNetworkNamespace();
    return true;
  }
  iptables::KernelTable& table() {
    static_cast<void>(table_.Open());
    return table_;
  }
  static void Append(const std::string& chain, const std::string& source,
                     iptables::Counters counters) {
    AppendWithoutLock(chain, source, counters);
  }
  static void SetPolicy(const std::string& chain, const std::string& policy) {
    RunTool(fmt::format("iptables-legacy -P {} {}", chain, policy));
  }

 private:
  MirroredTable table_{IpFamily::kV4, ir::Table::kFilter, kImpatient};
};

INSTANTIATE_TYPED_TEST_SUITE_P(OwnCalls, KernelTableSuite, MirroredEnvironment);

// Says that others had a turn when the test says so.
class Turns final : public iptables::LockWitness {
 public:
  std::optional<std::uint64_t> Token() override { return turns_; }
  void AddOne() { ++turns_; }

 private:
  std::uint64_t turns_ = 0;
};

class MirroredTableTest : public ::testing::TestWithParam<IpFamily> {
 protected:
  void SetUp() override { FELIX_REQUIRE_ROOT(); }

  [[nodiscard]] ir::ChainKey Key(const std::string& name) const {
    return {.family = GetParam(), .table = ir::Table::kFilter, .name = name};
  }
  [[nodiscard]] ir::HookKey Hook(ir::BaseChain base, ir::HookPosition position) const {
    return {.family = GetParam(), .table = ir::Table::kFilter, .base = base, .position = position};
  }
  static void MustApply(Table& table) {
    const auto stats = table.Apply();
    ASSERT_TRUE(stats.ok()) << stats.status();
  }
};

INSTANTIATE_TEST_SUITE_P(Families, MirroredTableTest,
                         ::testing::Values(IpFamily::kV4, IpFamily::kV6),
                         [](const auto& param_info) {
                           return param_info.param == IpFamily::kV4 ? "Ipv4" : "Ipv6";
                         });

constexpr std::array kChains = {"cali-pi-a", "cali-pi-b", "cali-fw-c", "cali-tw-d", "cali-zz"};

// Chains jump to later ones only, so there are no loops.
std::vector<ir::Rule> RandomRules(Random& random, const std::vector<ir::Rule>& samples,
                                  const std::vector<std::string>& later) {
  std::vector<ir::Rule> rules;
  for (std::size_t n = random.Below(7); n > 0; --n) {
    if (!later.empty() && random.Chance(30)) {
      rules.push_back(JumpRule(random.Pick(later)));
      if (random.Chance(30)) rules.back().action = ir::Goto{random.Pick(later)};
    } else {
      rules.push_back(random.Chance(50) ? random.Pick(samples) : MarkRule(random.Below(4) & 3U));
    }
  }
  return rules;
}

// Filter rules of every kind that need neither a set nor a certain chain.
std::vector<ir::Rule> FilterSamples(IpFamily family) {
  std::vector<ir::Rule> rules;
  for (const RuleSample& sample : RuleSamples(family)) {
    if (sample.table != ir::Table::kFilter || sample.base != ir::BaseChain::kForward) continue;
    if (std::holds_alternative<ir::Jump>(sample.rule.action) ||
        std::holds_alternative<ir::Goto>(sample.rule.action)) {
      continue;
    }
    if (iptables::Encode(sample.rule, family, NoSets).ok()) rules.push_back(sample.rule);
  }
  return rules;
}

std::string RandomEdit(Random& random, const std::string& tool) {
  const std::string mark = std::to_string(random.Below(50));
  switch (random.Below(8)) {
    case 0:
      return fmt::format("{} -P FORWARD {}", tool, random.PickOf({"ACCEPT", "DROP"}));
    case 1:
      return fmt::format("{} -A FORWARD -c 7 700 -m mark --mark {} -j DOCKER", tool, mark);
    case 2:
      return fmt::format("{} -R DOCKER 1 -m mark --mark {} -j RETURN", tool, mark);
    case 3:
      return fmt::format("{0} -N OTHER-{1} 2>/dev/null; {0} -A OTHER-{1} -m limit", tool, mark);
    case 4:
      return fmt::format("{} -F {} || true", tool, random.Pick(kChains));
    case 5:
      return fmt::format("{} -D {} 1 || true", tool, random.Pick(kChains));
    case 6:
      return fmt::format("{} -I FORWARD -m comment --comment \"not ours\"", tool);
    default:
      return fmt::format("{} -I {} -j DROP || true", tool, random.Pick(kChains));
  }
}

TEST_P(MirroredTableTest, EndsWhereLibiptcEndsWhateverHappens) {
  const std::vector<ir::Rule> samples = FilterSamples(GetParam());
  ASSERT_GT(samples.size(), 20U);
  MirroredTable::Sessions all;
  for (std::uint64_t seed = FirstSeed(); seed < FirstSeed() + SeedCount(12); ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const NetworkNamespace slow_netns, fast_netns;
    const auto enter = [](const NetworkNamespace& netns) { setns(netns.fd(), CLONE_NEWNET); };
    LibiptcTable libiptc(GetParam(), ir::Table::kFilter);
    Turns turns;
    MirroredTable mirrored(GetParam(), ir::Table::kFilter, {}, &turns);
    Table slow(GetParam(), ir::Table::kFilter, libiptc, NoSets);
    Table fast(GetParam(), ir::Table::kFilter, mirrored, NoSets);
    const auto others_do = [&](const std::string& command) {
      for (const NetworkNamespace* netns : {&slow_netns, &fast_netns}) {
        enter(*netns);
        RunTool(command);
      }
      turns.AddOne();
    };
    const std::string tool = Tool(GetParam());
    others_do(
        fmt::format("{0} -N DOCKER && {0} -A DOCKER -p tcp -j RETURN && {0} -A FORWARD "
                    "-c 3 300 -p udp -m hashlimit --hashlimit-above 5/sec "
                    "--hashlimit-name felix-test -j DOCKER",
                    tool));
    ir::DesiredState state;
    for (int step = 0; step < 14; ++step) {
      ir::DesiredState next = state;
      for (std::size_t i = 0; i < kChains.size(); ++i) {
        if (random.Chance(60)) continue;
        std::vector<std::string> later(kChains.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                       kChains.end());
        std::erase_if(later,
                      [&](const std::string& name) { return !next.chains.contains(Key(name)); });
        next.chains[Key(kChains[i])].rules = RandomRules(random, samples, later);
      }
      for (const ir::HookPosition position : {ir::HookPosition::kFirst, ir::HookPosition::kLast}) {
        if (next.chains.empty() || random.Chance(70)) continue;
        auto& hook = next.hooks[Hook(ir::BaseChain::kForward, position)];
        hook = {JumpRule(next.chains.begin()->first.name)};
        if (random.Chance(50)) hook.push_back(MarkRule(3));
      }
      // All chains of the state at once, since others may jump to any of them.
      if (random.Chance(8)) next = {};
      if (random.Chance(25)) others_do(RandomEdit(random, tool));
      const bool resync = random.Chance(15);
      std::array<std::string, 2> saved;
      for (const bool is_fast : {false, true}) {
        enter(is_fast ? fast_netns : slow_netns);
        Table& table = is_fast ? fast : slow;
        table.Stage(ir::Diff(state, next));
        // What goes to a chain that is gone shows only when something is written.
        if (resync) table.Resync();
        MustApply(table);
        saved[is_fast ? 1 : 0] = SavedTable(GetParam(), "filter", true);
      }
      ASSERT_EQ(saved[0], saved[1]) << "step " << step;
      state = std::move(next);
    }
    all.by_libiptc += mirrored.sessions().by_libiptc;
    all.read += mirrored.sessions().read;
    all.not_read += mirrored.sessions().not_read;
  }
  EXPECT_GT(all.by_libiptc, 0);
  EXPECT_GT(all.read, 0);
  EXPECT_GT(all.not_read, 10);
}

TEST_P(MirroredTableTest, ServesTheOtherTablesToo) {
  EnterFreshNetworkNamespace();
  for (const auto& [which, base] : {std::pair{ir::Table::kRaw, ir::BaseChain::kPrerouting},
                                    std::pair{ir::Table::kMangle, ir::BaseChain::kPostrouting},
                                    std::pair{ir::Table::kNat, ir::BaseChain::kOutput}}) {
    Turns turns;
    MirroredTable kernel(GetParam(), which, {}, &turns);
    Table table(GetParam(), which, kernel, NoSets);
    ir::DesiredState state;
    for (std::uint32_t round = 0; round < 4; ++round) {
      ir::DesiredState next;
      ir::ChainKey key = Key("cali-x");
      key.table = which;
      next.chains[key].rules.assign(1 + round % 2,
                                    MarkRule(round, ir::SetMark{.value = 2, .mask = 3}));
      ir::HookKey hook = Hook(base, ir::HookPosition::kFirst);
      hook.table = which;
      next.hooks[hook] = {JumpRule("cali-x")};
      table.Stage(ir::Diff(state, next));
      MustApply(table);
      state = std::move(next);
      EXPECT_THAT(SavedRules(GetParam(), std::string(ir::TableName(which)), "cali-x"),
                  ::testing::Each(
                      ::testing::StartsWith(fmt::format("-m mark --mark 0x{:x} -j MARK", round))));
    }
    EXPECT_EQ(kernel.sessions().not_read, 2) << ir::TableName(which);
  }
}

TEST_P(MirroredTableTest, BelievesItsCopyOnlyIfNothingTellsOtherwise) {
  EnterFreshNetworkNamespace();
  Turns turns;
  MirroredTable kernel(GetParam(), ir::Table::kFilter, {}, &turns);
  Table table(GetParam(), ir::Table::kFilter, kernel, NoSets);
  std::uint32_t number = 0;
  ir::DesiredState state;
  const auto change = [&] {
    ir::DesiredState next;
    next.chains[Key("cali-x")].rules = {MarkRule(++number)};
    next.hooks[Hook(ir::BaseChain::kInput, ir::HookPosition::kFirst)] = {JumpRule("cali-x")};
    table.Stage(ir::Diff(state, next));
    MustApply(table);
    state = std::move(next);
  };
  const auto expect = [&](int by_libiptc, int read, int not_read) {
    EXPECT_EQ(kernel.sessions().by_libiptc, by_libiptc);
    EXPECT_EQ(kernel.sessions().read, read);
    EXPECT_EQ(kernel.sessions().not_read, not_read);
  };
  change();
  expect(1, 0, 0);
  change();
  expect(1, 1, 0);
  change();
  expect(1, 1, 1);
  // Somebody had the lock and changed nothing.
  turns.AddOne();
  change();
  expect(1, 2, 1);
  change();
  expect(1, 2, 2);
  // Somebody had the lock and changed no size.
  RunTool(Tool(GetParam()) + " -P FORWARD DROP");
  turns.AddOne();
  change();
  expect(2, 2, 2);
  change();
  table.Resync();
  MustApply(table);
  expect(2, 4, 2);
  change();
  expect(2, 4, 3);
  // Somebody changes the size without a turn: whoever does that may do more, so we look each time.
  RunTool(Tool(GetParam()) + " -A INPUT -j ACCEPT");
  change();
  expect(3, 4, 3);
  for (int i = 0; i < 3; ++i) change();
  expect(3, 7, 3);
  EXPECT_THAT(SavedTable(GetParam(), "filter"), ::testing::HasSubstr(":FORWARD DROP"));
  EXPECT_THAT(SavedRules(GetParam(), "filter", "INPUT"),
              ::testing::ElementsAre("-j cali-x", "-j ACCEPT"));
}

TEST_P(MirroredTableTest, FindsAnEditOfTheSameSizeWithoutATurnWhenItReads) {
  EnterFreshNetworkNamespace();
  Turns turns;
  MirroredTable kernel(GetParam(), ir::Table::kFilter, {}, &turns);
  Table table(GetParam(), ir::Table::kFilter, kernel, NoSets);
  ir::DesiredState state;
  state.chains[Key("cali-x")].rules = {MarkRule(1)};
  state.hooks[Hook(ir::BaseChain::kInput, ir::HookPosition::kFirst)] = {JumpRule("cali-x")};
  table.Stage(ir::Diff({}, state));
  MustApply(table);
  table.Resync();
  MustApply(table);
  const std::string good = SavedTable(GetParam(), "filter");
  RunTool(Tool(GetParam()) + " -R cali-x 1 -m mark --mark 2 -j ACCEPT");
  table.Resync();
  MustApply(table);
  EXPECT_EQ(SavedTable(GetParam(), "filter"), good);
}

TEST(MirroredCountersTest, CountEveryPacketThatPassesWhileTheCopyIsWritten) {
  FELIX_REQUIRE_ROOT();
  EnterFreshNetworkNamespace();
  constexpr int kPackets = 20000;
  Turns turns;
  MirroredTable kernel(IpFamily::kV4, ir::Table::kFilter, {}, &turns);
  Table table(IpFamily::kV4, ir::Table::kFilter, kernel, NoSets);
  ir::DesiredState state;
  state.hooks[{.base = ir::BaseChain::kOutput}] = {JumpRule("cali-OUTPUT")};
  auto& rules = state.chains[{.name = "cali-OUTPUT"}].rules;
  rules = {ir::When(ir::ProtocolMatch{.protocol = model::kUdp}).Then(ir::Return{})};
  ir::DesiredState staged;
  const auto apply = [&] {
    table.Stage(ir::Diff(staged, state));
    staged = state;
    const auto stats = table.Apply();
    ASSERT_TRUE(stats.ok()) << stats.status();
  };
  apply();
  // Of a rule of somebody else as well.
  RunTool("iptables-legacy -A OUTPUT -p udp -j ACCEPT");
  turns.AddOne();
  std::atomic<bool> done = false;
  std::thread sender([&] {
    for (int i = 0; i < 20; ++i) SendDatagrams(kPackets / 20);
    done = true;
  });
  std::uint32_t commits = 0;
  for (; !done || commits < 50; ++commits) {
    if (commits % 2 == 0) {
      rules.insert(rules.begin(), MarkRule(commits + 2));
    } else {
      rules.erase(rules.begin());
    }
    apply();
  }
  sender.join();
  EXPECT_GT(kernel.sessions().not_read, 40);
  LibiptcTable reader(IpFamily::kV4, ir::Table::kFilter);
  const auto session = reader.Open();
  ASSERT_TRUE(session.ok()) << session.status();
  iptables::TableContent content = (*session)->content();
  for (const char* chain : {"cali-OUTPUT", "OUTPUT"}) {
    EXPECT_EQ(ChainOf(content, chain).rules.back().counters.packets,
              static_cast<std::uint64_t>(kPackets))
        << chain;
  }
}

}  // namespace
}  // namespace felix::testing
