// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "fmt/format.h"

#include "iptables/left_overs.h"
#include "iptables/libiptc_table.h"
#include "iptables/set_index.h"
#include "iptables/table.h"
#include "tests/kernel/iptables/legacy_tools.h"
#include "tests/support/fake_kernel_table.h"
#include "tests/support/network_namespace.h"
#include "tests/unit/iptables/encoded_rules.h"

namespace felix::iptables {
namespace {

using model::IpFamily;
using ::testing::ElementsAre;
using testing::JumpRule;
using testing::MarkRule;
using testing::RunTool;
using testing::SavedRules;
using testing::SendDatagrams;

constexpr std::uint32_t kCommits = 1000;
constexpr int kEdits = 200;

class RivalsKernelTest : public ::testing::Test {
 protected:
  RivalsKernelTest() {
    state_.hooks[{.base = ir::BaseChain::kOutput}] = {JumpRule("cali-OUTPUT")};
    Rules() = {MarkRule(1),
               ir::When(ir::ProtocolMatch{.protocol = model::kUdp}).Then(ir::Return{})};
  }
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    testing::EnterFreshNetworkNamespace();
  }

  std::vector<ir::Rule>& Rules() { return state_.chains[{.name = "cali-OUTPUT"}].rules; }
  void ApplyState() {
    table_.Stage(ir::Diff(staged_, state_));
    staged_ = state_;
    const auto stats = table_.Apply();
    ASSERT_TRUE(stats.ok()) << stats.status();
  }

  XtablesLock::Options patient_{.timeout = std::chrono::seconds(60),
                                .probe_interval = std::chrono::milliseconds(1)};
  LibiptcTable kernel_{IpFamily::kV4, ir::Table::kFilter, patient_};
  Table table_{IpFamily::kV4, ir::Table::kFilter, kernel_, testing::NoSets};
  ir::DesiredState state_;
  ir::DesiredState staged_;
};

// Rewrites the one rule of its chain again and again, which changes no size, and the policy of
// FORWARD now and then. Counts the edits of its own that it does not find when it comes back.
void Rewrite(const XtablesLock::Options& lock, const std::atomic<bool>& stop,
             std::atomic<int>& edits, int& lost) {
  LibiptcTable kernel(IpFamily::kV4, ir::Table::kFilter, lock);
  std::uint32_t number = 0;
  while (!stop) {
    {
      const auto session = kernel.Open();
      ASSERT_TRUE(session.ok()) << session.status();
      TableContent content = (*session)->content();
      const EncodedRule& found = testing::ChainOf(content, "RIVAL").rules.at(0).rule;
      if (!(found == testing::Numbered(number))) ++lost;
      const auto status =
          (*session)->Commit({{ReplaceRule{"RIVAL", 0, testing::Numbered(++number)}}});
      ASSERT_TRUE(status.ok()) << status;
      ++edits;
    }
    const std::string policy = number % 2 == 0 ? "ACCEPT" : "DROP";
    if (number % 20 == 0) RunTool("iptables-legacy -w 60 -P FORWARD " + policy);
    std::this_thread::yield();
  }
}

TEST_F(RivalsKernelTest, LosesNoEditOfAProgramThatUsesTheLock) {
  RunTool("iptables-legacy -N RIVAL && iptables-legacy -A RIVAL -m mark --mark 0 -j ACCEPT");
  std::atomic<bool> stop = false;
  std::atomic<int> edits = 0;
  int lost = 0;
  ApplyState();
  std::thread rival([&] { Rewrite(patient_, stop, edits, lost); });
  for (std::uint32_t i = 0; i < kCommits || (edits < kEdits && i < 20 * kCommits); ++i) {
    Rules()[0] = MarkRule(i + 2);
    ApplyState();
    // Long enough for somebody who asks for the lock again and again.
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  stop = true;
  rival.join();
  EXPECT_EQ(lost, 0);
  EXPECT_GE(edits, kEdits);
  RecordProperty("edits", edits.load());
}

TEST_F(RivalsKernelTest, CountsEveryPacketThatPassesWhileItCommits) {
  constexpr int kPackets = 20000;
  ApplyState();
  std::atomic<bool> done = false;
  std::thread sender([&] {
    for (int i = 0; i < 20; ++i) SendDatagrams(kPackets / 20);
    done = true;
  });
  std::uint32_t commits = 0;
  for (; !done || commits < 50; ++commits) {
    // The counting rule moves down and up again, and is never rewritten itself.
    if (commits % 2 == 0) {
      Rules().insert(Rules().begin(), MarkRule(commits + 2));
    } else {
      Rules().erase(Rules().begin());
    }
    ApplyState();
  }
  sender.join();
  const auto session = kernel_.Open();
  ASSERT_TRUE(session.ok()) << session.status();
  TableContent content = (*session)->content();
  EXPECT_EQ(testing::ChainOf(content, "cali-OUTPUT").rules.back().counters.packets,
            static_cast<std::uint64_t>(kPackets));
  RecordProperty("commits", static_cast<int>(commits));
}

TEST(OldMasqueradeKernelTest, GoesAndNothingElseDoes) {
  FELIX_REQUIRE_ROOT();
  testing::EnterFreshNetworkNamespace();
  RunTool(
      "ipset create felix-masq-ipam-pools hash:net && ipset create felix-all-ipam-pools hash:net "
      "&& ipset create others hash:net && N='iptables-legacy -t nat -A POSTROUTING' && "
      "$N -m set --match-set others src -j MASQUERADE && "
      "$N -m set --match-set felix-masq-ipam-pools src "
      "-m set ! --match-set felix-all-ipam-pools dst -j MASQUERADE && "
      "$N -o tunl0 -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL "
      "-j MASQUERADE && $N -o tunl1 -m addrtype ! --src-type LOCAL --limit-iface-out "
      "-m addrtype --src-type LOCAL -j MASQUERADE && $N -o tunl0 -j MASQUERADE");
  SetIndexes indexes;
  const auto old_set = indexes.Find(kOldMasqueradeSet);
  ASSERT_TRUE(old_set.ok()) << old_set.status();
  LibiptcTable kernel(IpFamily::kV4, ir::Table::kNat);
  Table table(IpFamily::kV4, ir::Table::kNat, kernel, testing::NoSets);
  table.SetLeftOverRules(
      [&](const EncodedRule& rule) { return IsOldMasquerade(rule, IpFamily::kV4, *old_set); });
  const auto stats = table.Apply();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->rules_deleted, 2U);
  EXPECT_THAT(SavedRules(IpFamily::kV4, "nat", "POSTROUTING"),
              ElementsAre("-m set --match-set others src -j MASQUERADE",
                          "-o tunl1 -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype "
                          "--src-type LOCAL -j MASQUERADE",
                          "-o tunl0 -j MASQUERADE"));
}

}  // namespace
}  // namespace felix::iptables
