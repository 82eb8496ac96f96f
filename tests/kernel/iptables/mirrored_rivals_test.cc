// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <new>
#include <optional>
#include <thread>

#include "fmt/format.h"

#include "felix/lock_watch.h"
#include "iptables/blob_edit.h"
#include "iptables/blob_entry.h"
#include "iptables/mirrored_table.h"
#include "iptables/table.h"
#include "tests/kernel/iptables/legacy_tools.h"
#include "tests/support/fake_kernel_table.h"
#include "tests/support/network_namespace.h"
#include "tests/support/random.h"
#include "tests/support/seeds.h"
#include "tests/unit/iptables/encoded_rules.h"

namespace felix::testing {
namespace {

using iptables::MirroredTable;
using iptables::Table;
using iptables::TableBlob;
using model::IpFamily;

// What the rival tells of itself, in memory that both processes see.
struct Tally {
  std::atomic<int> edits{0};
  std::atomic<int> lost{0};
  std::atomic<int> failed{0};
  std::atomic<std::uint32_t> number{0};
  std::atomic<bool> drops{false};
  std::atomic<bool> stop{false};
};

// A process that does as the tools do: opens the lock file, waits for its turn, edits, closes it.
// Each edit keeps all sizes: another mark in the one rule of its chain, and at times the other
// policy of FORWARD. It counts the edits of its own that it does not find when it comes back.
class Rival {
 public:
  Rival()
      : tally_(new (mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0)) Tally),
        pid_(fork()) {
    if (pid_ != 0) return;
    Random random(17);
    while (!tally_->stop) {
      Turn();
      std::this_thread::sleep_for(std::chrono::microseconds(random.Below(4000)));
    }
    _exit(0);
  }
  ~Rival() {
    Stop();
    munmap(tally_, sizeof(Tally));
  }
  Rival(const Rival&) = delete;
  Rival& operator=(const Rival&) = delete;

  const Tally& Stop() {
    tally_->stop = true;
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    pid_ = -1;
    return *tally_;
  }
  [[nodiscard]] const Tally& tally() const { return *tally_; }

 private:
  void Turn() {
    const int lock =
        open(iptables::XtablesLock::Path().c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    flock(lock, LOCK_EX);
    if (!Edit()) ++tally_->failed;
    close(lock);
  }

  [[nodiscard]] bool Edit() {
    iptables::TableOutlineReader outlines;
    const auto outline = outlines.Read(IpFamily::kV4, ir::Table::kFilter);
    const auto kernel = iptables::TableSocket::Open(IpFamily::kV4, ir::Table::kFilter);
    if (!outline.ok() || !kernel.ok()) return false;
    std::string buffer(TableBlob::kRoom + outline->bytes, '\0');
    if (!kernel->Read(*outline, buffer).ok()) return false;
    auto blob = iptables::ParseBlob(IpFamily::kV4, *outline, std::move(buffer));
    if (!blob.ok()) return false;
    auto content = iptables::ExcerptOf(*blob, {"RIVAL", "FORWARD"}, {});
    if (!content.ok()) return false;
    const auto& rules = ChainOf(*content, "RIVAL").rules;
    const std::string policy = tally_->drops ? "DROP" : "ACCEPT";
    if (rules.size() != 1 || !(rules[0].rule == Numbered(tally_->number)) ||
        ChainOf(*content, "FORWARD").policy != policy) {
      ++tally_->lost;
    }
    ++tally_->number;
    auto edited = iptables::EditBlob(
        *blob, {{iptables::ReplaceRule{"RIVAL", 0, Numbered(tally_->number)}}}, {});
    if (!edited.ok()) return false;
    if (tally_->number % 8 == 0) {
      tally_->drops = !tally_->drops;
      const iptables::BlobChain& forward = *edited->blob.Find("FORWARD");
      const iptables::EntryLayout layout = iptables::LayoutOf(IpFamily::kV4);
      const iptables::EntryView foot(edited->blob.entries().data() + forward.foot, layout);
      const std::int32_t verdict = tally_->drops ? -NF_DROP - 1 : -NF_ACCEPT - 1;
      std::memcpy(
          edited->blob.buffer.data() + TableBlob::kRoom + forward.foot + foot.verdict_offset(),
          &verdict, sizeof verdict);
    }
    std::vector<iptables::Counters> counters;
    if (!kernel->Replace(edited->blob, outline->entries, counters).ok()) return false;
    ++tally_->edits;
    return true;
  }

  Tally* tally_;
  pid_t pid_;
};

class MirroredRivalsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    EnterFreshNetworkNamespace();
    watch_.emplace(iptables::XtablesLock::Path());
    kernel_.emplace(IpFamily::kV4, ir::Table::kFilter, patient_, &*watch_);
    table_.emplace(IpFamily::kV4, ir::Table::kFilter, *kernel_, NoSets);
    state_.hooks[{.base = ir::BaseChain::kOutput}] = {JumpRule("cali-a")};
    Write(1);
  }

  // Both chains say one number, in one commit.
  void Write(std::uint32_t number) {
    state_.chains[{.name = "cali-a"}].rules = {MarkRule(number), JumpRule("cali-b")};
    state_.chains[{.name = "cali-b"}].rules.assign(1 + number % 2, MarkRule(number));
    table_->Stage(ir::Diff(staged_, state_));
    staged_ = state_;
    const auto stats = table_->Apply();
    ASSERT_TRUE(stats.ok()) << stats.status();
  }

  const iptables::XtablesLock::Options patient_{.timeout = std::chrono::seconds(60),
                                                .probe_interval = std::chrono::milliseconds(1)};
  std::optional<LockWatch> watch_;
  std::optional<MirroredTable> kernel_;
  std::optional<Table> table_;
  ir::DesiredState state_;
  ir::DesiredState staged_;
};

TEST_F(MirroredRivalsTest, LosesNoEditOfTheSameSizeByAProcessThatUsesTheLock) {
  RunTool("iptables-legacy -N RIVAL && iptables-legacy -A RIVAL -m mark --mark 0 -j ACCEPT");
  const auto commits = static_cast<std::uint32_t>(NumberOf("FELIX_TEST_RIVAL_COMMITS", 1000));
  Rival rival;
  std::uint32_t number = 1;
  for (std::uint32_t i = 0; i < commits || (rival.tally().edits < 100 && i < 20 * commits); ++i) {
    Write(++number);
    if (HasFatalFailure()) return;
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  const Tally& tally = rival.Stop();
  EXPECT_EQ(tally.lost, 0);
  EXPECT_EQ(tally.failed, 0);
  EXPECT_GE(tally.edits, 100);
  EXPECT_THAT(
      SavedRules(IpFamily::kV4, "filter", "RIVAL"),
      ::testing::ElementsAre(fmt::format("-m mark --mark 0x{:x} -j ACCEPT", tally.number.load())));
  EXPECT_THAT(SavedTable(IpFamily::kV4, "filter"),
              ::testing::HasSubstr(tally.drops ? ":FORWARD DROP" : ":FORWARD ACCEPT"));
  // All three ways were gone.
  EXPECT_GT(kernel_->sessions().not_read, 20);
  EXPECT_GT(kernel_->sessions().read, 20);
  EXPECT_GT(kernel_->sessions().by_libiptc, 20);
  fmt::print("{} commits, {} edits of the rival, sessions: {} not read, {} read, {} by libiptc\n",
             number, tally.edits.load(), kernel_->sessions().not_read, kernel_->sessions().read,
             kernel_->sessions().by_libiptc);
}

std::vector<std::string> Marks(const std::string& chain) {
  std::vector<std::string> marks;
  for (const std::string& rule : SavedRules(IpFamily::kV4, "filter", chain)) {
    if (const auto at = rule.find("0x"); at != std::string::npos) {
      marks.push_back(rule.substr(at, rule.find(' ', at) - at));
    }
  }
  return marks;
}

TEST_F(MirroredRivalsTest, LeavesWholeTablesWhenItIsKilledAndTheNextProcessConverges) {
  Random random(5);
  for (int round = 0; round < 25; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      for (std::uint32_t number = 2;; ++number) Write(number);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(2000 + random.Below(20000)));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const std::vector<std::string> marks = Marks("cali-a");
    ASSERT_EQ(marks.size(), 1U);
    EXPECT_THAT(Marks("cali-b"), ::testing::Each(marks[0])) << "half of a commit";
    EXPECT_THAT(Marks("cali-b"), ::testing::Not(::testing::IsEmpty()));

    MirroredTable kernel(IpFamily::kV4, ir::Table::kFilter, patient_);
    Table next(IpFamily::kV4, ir::Table::kFilter, kernel, NoSets);
    next.Stage(ir::Diff({}, state_));
    const auto stats = next.Apply();
    ASSERT_TRUE(stats.ok()) << stats.status();
    EXPECT_THAT(Marks("cali-a"), ::testing::ElementsAre("0x1"));
    EXPECT_THAT(Marks("cali-b"), ::testing::ElementsAre("0x1", "0x1"));
  }
}

}  // namespace
}  // namespace felix::testing
