// SPDX-License-Identifier: Apache-2.0
#include "iptables/xtables_lock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
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

TEST_F(XtablesLockTest, NamesTheProgramThatHoldsIt) {
  { ASSERT_TRUE(XtablesLock::Acquire(kShort).ok()); }
  std::array<int, 2> ready{};
  ASSERT_EQ(pipe2(ready.data(), O_CLOEXEC), 0);
  const std::string lock = path();
  const pid_t holder = fork();
  if (holder == 0) {
    dup2(ready[1], STDOUT_FILENO);
    execlp("flock", "flock", "-F", lock.c_str(), "sh", "-c", "echo; exec sleep 60", nullptr);
    _exit(127);
  }
  char byte = 0;
  EXPECT_EQ(read(ready[0], &byte, 1), 1) << "the holder does not hold it";
  const auto lock_of_ours = XtablesLock::Acquire(kShort);
  EXPECT_THAT(std::string(lock_of_ours.status().message()),
              HasSubstr(fmt::format("is held by process {} (sleep) for 30 ms", holder)));
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  for (const int end : ready) close(end);
  EXPECT_TRUE(XtablesLock::Acquire(kShort).ok());
}

TEST_F(XtablesLockTest, IsNotSharedWithAChild) {
  const auto lock = XtablesLock::Acquire(kShort);
  ASSERT_TRUE(lock.ok());
  const pid_t child = fork();
  if (child == 0) _exit(XtablesLock::Acquire(kShort).ok() ? 1 : 0);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(XtablesLockTest, OpensAFileThatWasReplaced) {
  { ASSERT_TRUE(XtablesLock::Acquire(kShort).ok()); }
  std::filesystem::remove(path());
  const auto lock = XtablesLock::Acquire(kShort);
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(std::filesystem::exists(path()));
  EXPECT_FALSE(XtablesLock::Acquire(kShort).ok());
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
