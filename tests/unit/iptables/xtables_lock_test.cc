// SPDX-License-Identifier: Apache-2.0
#include "iptables/xtables_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "fmt/format.h"

namespace felix::iptables {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class XtablesLockTest : public ::testing::Test {
 protected:
  XtablesLockTest() {
    std::string name = ::testing::TempDir() + "felix-lock-XXXXXX";
    directory_ = mkdtemp(name.data());
    setenv("XTABLES_LOCKFILE", path().c_str(), 1);
  }
  ~XtablesLockTest() override {
    unsetenv("XTABLES_LOCKFILE");
    std::filesystem::remove_all(directory_);
  }
  [[nodiscard]] std::string path() const { return directory_ + "/lock"; }

  static constexpr XtablesLock::Options kShort{.timeout = 30ms, .probe_interval = 5ms};
  std::string directory_;
};

TEST_F(XtablesLockTest, MakesTheFileForItsOwnerOnly) {
  const auto lock = XtablesLock::Acquire(kShort);
  ASSERT_TRUE(lock.ok()) << lock.status();
  struct stat status {};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(XtablesLockTest, SaysWhoHoldsItWhenTimeIsOver) {
  const auto first = XtablesLock::Acquire(kShort);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = XtablesLock::Acquire(kShort);
  EXPECT_TRUE(absl::IsUnavailable(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(fmt::format("process {} (iptables_unit", getpid())));
}

TEST_F(XtablesLockTest, IsFreeAgainWhenTheObjectEnds) {
  { ASSERT_TRUE(XtablesLock::Acquire(kShort).ok()); }
  auto lock = XtablesLock::Acquire(kShort);
  ASSERT_TRUE(lock.ok());
  const XtablesLock moved = *std::move(lock);
  EXPECT_FALSE(XtablesLock::Acquire(kShort).ok());
}

TEST_F(XtablesLockTest, DoesNotFollowASymbolicLink) {
  std::filesystem::create_symlink(directory_ + "/elsewhere", path());
  EXPECT_TRUE(absl::IsFailedPrecondition(XtablesLock::Acquire(kShort).status()));
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/elsewhere"));
}

TEST_F(XtablesLockTest, FallsBackToThePathThatToolsUse) {
  unsetenv("XTABLES_LOCKFILE");
  EXPECT_EQ(XtablesLock::Path(), "/run/xtables.lock");
}

}  // namespace
}  // namespace felix::iptables
