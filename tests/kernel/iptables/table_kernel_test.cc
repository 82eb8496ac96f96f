// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tuple>

#include "fmt/format.h"

#include "iptables/libiptc_table.h"
#include "iptables/table.h"
#include "tests/kernel/iptables/legacy_tools.h"
#include "tests/support/network_namespace.h"
#include "tests/unit/iptables/encoded_rules.h"

namespace felix::iptables {
namespace {

using model::IpFamily;
using ::testing::HasSubstr;
using testing::JumpRule;
using testing::MarkRule;
using testing::RunTool;
using testing::SavedTable;

class TableKernelTest : public ::testing::TestWithParam<IpFamily> {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    testing::EnterFreshNetworkNamespace();
  }

  ir::ChainKey Key(const std::string& name) {
    return {.family = GetParam(), .table = ir::Table::kFilter, .name = name};
  }
  ir::HookKey Hook(ir::BaseChain base, ir::HookPosition position) {
    return {.family = GetParam(), .table = ir::Table::kFilter, .base = base, .position = position};
  }

  // OUTPUT goes through cali-OUTPUT; FORWARD has a rule before and one behind those of others.
  ir::DesiredState Desired() {
    ir::DesiredState state;
    state.chains[Key("cali-OUTPUT")] = {{MarkRule(7, ir::Drop{}), MarkRule(0, ir::Return{})}};
    state.chains[Key("cali-FORWARD")] = {{MarkRule(5, ir::Drop{})}};
    state.hooks[Hook(ir::BaseChain::kOutput, ir::HookPosition::kFirst)] = {JumpRule("cali-OUTPUT")};
    state.hooks[Hook(ir::BaseChain::kForward, ir::HookPosition::kFirst)] = {
        JumpRule("cali-FORWARD")};
    state.hooks[Hook(ir::BaseChain::kForward, ir::HookPosition::kLast)] = {MarkRule(1)};
    return state;
  }

  void AddForeignRules() {
    RunTool(
        fmt::format("{0} -N DOCKER && {0} -A DOCKER -p tcp -j RETURN && {0} -P FORWARD DROP && "
                    "{0} -A FORWARD -c 7 700 -m limit --limit 5/sec -j DOCKER && "
                    "{0} -A FORWARD -c 8 800 -p udp --dport 53 -j ACCEPT",
                    testing::Tool(GetParam())));
  }

  Table NewTable(HookPlacement placement = HookPlacement::kInsert) {
    return Table(GetParam(), ir::Table::kFilter, kernel_, testing::NoSets, placement);
  }
  static ApplyStats MustApply(Table& table) {
    const auto stats = table.Apply();
    EXPECT_TRUE(stats.ok()) << stats.status();
    return stats.ok() ? *stats : ApplyStats{};
  }
  std::string Saved(bool with_counters = false) {
    return SavedTable(GetParam(), "filter", with_counters);
  }
  // Datagrams that go through OUTPUT.
  void SendToLoopback(int count) {
    const bool v4 = GetParam() == IpFamily::kV4;
    const int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in to4{};
    to4.sin_family = AF_INET;
    to4.sin_port = htons(9);
    to4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 to6{};
    to6.sin6_family = AF_INET6;
    to6.sin6_port = htons(9);
    to6.sin6_addr = in6addr_loopback;
    const auto* to =
        v4 ? reinterpret_cast<const sockaddr*>(&to4) : reinterpret_cast<const sockaddr*>(&to6);
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(sendto(fd, "x", 1, 0, to, v4 ? sizeof(to4) : sizeof(to6)), 1);
    }
    close(fd);
  }

  LibiptcTable kernel_{GetParam(), ir::Table::kFilter};
};

INSTANTIATE_TEST_SUITE_P(Families, TableKernelTest, ::testing::Values(IpFamily::kV4, IpFamily::kV6),
                         [](const auto& param_info) {
                           return param_info.param == IpFamily::kV4 ? "Ipv4" : "Ipv6";
                         });

constexpr char kTag[] = "-m comment --comment \"cali:hook\" ";

TEST_P(TableKernelTest, WritesAroundForeignRulesAndTakesItselfAwayAgain) {
  AddForeignRules();
  const std::string before = Saved(true);
  Table table = NewTable();
  table.Stage(ir::Diff({}, Desired()));
  EXPECT_EQ(MustApply(table).commits, 1);
  EXPECT_EQ(Saved(), fmt::format(R"(*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:cali-FORWARD - [0:0]
:cali-OUTPUT - [0:0]
-A FORWARD -j cali-FORWARD
-A FORWARD -m limit --limit 5/sec -j DOCKER
-A FORWARD -p udp -m udp --dport 53 -j ACCEPT
-A FORWARD {}-m mark --mark 0x1 -j ACCEPT
-A OUTPUT -j cali-OUTPUT
-A DOCKER -p tcp -j RETURN
-A cali-FORWARD -m mark --mark 0x5 -j DROP
-A cali-OUTPUT -m mark --mark 0x7 -j DROP
-A cali-OUTPUT -m mark --mark 0x0 -j RETURN
COMMIT
)",
                                 kTag));
  table.Resync();
  EXPECT_EQ(MustApply(table).commits, 0);
  table.RemoveEverything();
  EXPECT_EQ(MustApply(table).commits, 1);
  EXPECT_EQ(Saved(true), before);
}

TEST_P(TableKernelTest, AppendsBehindForeignRulesIfToldTo) {
  AddForeignRules();
  Table table = NewTable(HookPlacement::kAppend);
  table.Stage(ir::Diff({}, Desired()));
  MustApply(table);
  EXPECT_THAT(testing::SavedRules(GetParam(), "filter", "FORWARD"),
              ::testing::ElementsAre("-m limit --limit 5/sec -j DOCKER",
                                     "-p udp -m udp --dport 53 -j ACCEPT", "-j cali-FORWARD",
                                     fmt::format("{}-m mark --mark 0x1 -j ACCEPT", kTag)));
}

TEST_P(TableKernelTest, CountersSurviveAnInsertionBeforeThem) {
  Table table = NewTable();
  table.Stage(ir::Diff({}, Desired()));
  MustApply(table);
  SendToLoopback(6);
  const auto counters = [&] {
    auto session = kernel_.Open();
    Counters found;
    for (const KernelChain& chain : (*session)->content().chains) {
      for (const KernelRule& rule : chain.rules) {
        if (chain.name == "cali-OUTPUT" && rule.rule.target == "RETURN") found = rule.counters;
      }
    }
    return found;
  };
  const Counters before = counters();
  EXPECT_GE(before.packets, 6U);
  ir::DesiredState next = Desired();
  auto& rules = next.chains[Key("cali-OUTPUT")].rules;
  rules.insert(rules.begin(), MarkRule(9, ir::Drop{}));
  table.Stage(ir::Diff(Desired(), next));
  EXPECT_EQ(MustApply(table).rules_written, 1U);
  const Counters after = counters();
  EXPECT_GE(after.packets, before.packets);
  SendToLoopback(6);
  EXPECT_GE(counters().packets, before.packets + 6);
}

TEST_P(TableKernelTest, ANewProcessAdoptsWhatItFinds) {
  AddForeignRules();
  Table first = NewTable();
  first.Stage(ir::Diff({}, Desired()));
  MustApply(first);
  const std::string before = Saved(true);
  Table second = NewTable();
  second.Stage(ir::Diff({}, Desired()));
  const ApplyStats stats = MustApply(second);
  EXPECT_EQ(stats.commits, 0);
  EXPECT_EQ(Saved(true), before);
}

TEST_P(TableKernelTest, SweepsChainsThatAnEarlierVersionLeft) {
  RunTool(fmt::format(
      "{0} -N cali-old && {0} -N califw-old && {0} -A cali-old -g califw-old && "
      "{0} -A califw-old -j DROP && {0} -I INPUT -m comment --comment cali:abc -j cali-old && "
      "{0} -A FORWARD -m comment --comment cali:6gwbT8clXdHdC1b1 -m mark --mark 8 -j ACCEPT && "
      "{0} -N OTHER && {0} -A OTHER -j cali-old",
      testing::Tool(GetParam())));
  Table table = NewTable();
  const ApplyStats stats = MustApply(table);
  EXPECT_EQ(stats.commits, 1);
  EXPECT_EQ(stats.chains_deleted, 2U);
  EXPECT_EQ(stats.rules_deleted, 5U);
  EXPECT_EQ(Saved(),
            "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
            ":OTHER - [0:0]\nCOMMIT\n");
}

TEST_P(TableKernelTest, RepairsWhatOthersDidToItsRules) {
  Table table = NewTable();
  table.Stage(ir::Diff({}, Desired()));
  MustApply(table);
  const std::string good = Saved();
  RunTool(
      fmt::format("{0} -D FORWARD -j cali-FORWARD && {0} -F cali-OUTPUT && "
                  "{0} -A cali-FORWARD -j ACCEPT && {0} -A OUTPUT -j cali-FORWARD",
                  testing::Tool(GetParam())));
  EXPECT_EQ(MustApply(table).commits, 0) << "nobody said that there is anything to do";
  table.Resync();
  EXPECT_EQ(MustApply(table).commits, 1);
  EXPECT_EQ(Saved(), good);
}

// Passes sessions on, and lets another program write behind their back a number of times.
class InterferingTable final : public KernelTable {
 public:
  InterferingTable(KernelTable& kernel, std::string command, int times)
      : kernel_(kernel), command_(std::move(command)), times_(times) {}
  absl::StatusOr<std::unique_ptr<TableSession>> Open() override {
    auto session = kernel_.Open();
    if (times_-- > 0) {
      RunTool(
          fmt::format("XTABLES_LOCKFILE=/tmp/felix-test-other-lock-{0} {1}; status=$?; "
                      "rm -f /tmp/felix-test-other-lock-{0}; exit $status",
                      getpid(), command_));
    }
    return session;
  }

 private:
  KernelTable& kernel_;
  std::string command_;
  int times_;
};

TEST_P(TableKernelTest, ReadsAgainWhenAProgramIgnoresTheLock) {
  InterferingTable interfering(kernel_, testing::Tool(GetParam()) + " -A FORWARD -j ACCEPT", 2);
  Table table(GetParam(), ir::Table::kFilter, interfering, testing::NoSets);
  table.Stage(ir::Diff({}, Desired()));
  EXPECT_EQ(MustApply(table).retries, 2);
  EXPECT_THAT(
      testing::SavedRules(GetParam(), "filter", "FORWARD"),
      ::testing::ElementsAre("-j cali-FORWARD", "-j ACCEPT", "-j ACCEPT", HasSubstr("--mark 0x1")));
}

TEST_P(TableKernelTest, ServesTheOtherTablesToo) {
  for (const auto& [which, base, name] :
       {std::tuple{ir::Table::kRaw, ir::BaseChain::kPrerouting, "raw"},
        std::tuple{ir::Table::kMangle, ir::BaseChain::kPostrouting, "mangle"},
        std::tuple{ir::Table::kNat, ir::BaseChain::kOutput, "nat"}}) {
    LibiptcTable kernel(GetParam(), which);
    Table table(GetParam(), which, kernel, testing::NoSets);
    ir::DesiredState state;
    ir::ChainKey key = Key("cali-x");
    key.table = which;
    state.chains[key] = {{MarkRule(1, ir::SetMark{.value = 2, .mask = 3})}};
    ir::HookKey hook = Hook(base, ir::HookPosition::kFirst);
    hook.table = which;
    state.hooks[hook] = {JumpRule("cali-x")};
    table.Stage(ir::Diff({}, state));
    EXPECT_EQ(MustApply(table).commits, 1);
    EXPECT_THAT(SavedTable(GetParam(), name), HasSubstr("-A cali-x -m mark --mark 0x1 -j MARK"));
  }
}

}  // namespace
}  // namespace felix::iptables
