// SPDX-License-Identifier: Apache-2.0
#include "felix/lock_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "iptables/xtables_lock.h"

namespace felix {
namespace {

using iptables::XtablesLock;

class LockWatchTest : public ::testing::Test {
 protected:
  LockWatchTest() {
    std::string name = ::testing::TempDir() + "felix-watch-XXXXXX";
    directory_ = mkdtemp(name.data());
    setenv("XTABLES_LOCKFILE", path().c_str(), 1);
  }
  ~LockWatchTest() override {
    unsetenv("XTABLES_LOCKFILE");
    std::filesystem::remove_all(directory_);
  }
  [[nodiscard]] std::string path() const { return directory_ + "/lock"; }
  static void TakeOurTurn() { ASSERT_TRUE(XtablesLock::Acquire({}).ok()); }
  // As the iptables tools do it.
  [[nodiscard]] int BeginTheirTurn() const {
    const int fd = open(path().c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
  }

  std::string directory_;
};

TEST_F(LockWatchTest, SeesTheTurnsOfOthersAndNotOurs) {
  TakeOurTurn();
  LockWatch watch(path());
  const auto before = watch.Token();
  ASSERT_TRUE(before.has_value());
  for (int i = 0; i < 3; ++i) TakeOurTurn();
  EXPECT_EQ(watch.Token(), before);
  EXPECT_FALSE(watch.TakeReleased());
  const int fd = BeginTheirTurn();
  EXPECT_NE(watch.Token(), before);
  EXPECT_FALSE(watch.TakeReleased()) << "they are not done";
  close(fd);
  EXPECT_TRUE(watch.TakeReleased());
  EXPECT_FALSE(watch.TakeReleased());
}

TEST_F(LockWatchTest, SeesATurnBetweenTwoOfOurs) {
  TakeOurTurn();
  LockWatch watch(path());
  const auto before = watch.Token();
  TakeOurTurn();
  close(BeginTheirTurn());
  TakeOurTurn();
  EXPECT_NE(watch.Token(), before);
  EXPECT_TRUE(watch.TakeReleased());
}

TEST_F(LockWatchTest, FollowsAFileThatIsMadeLater) {
  LockWatch watch(path());
  EXPECT_GE(watch.fd(), 0);
  EXPECT_FALSE(watch.Token().has_value()) << "there is no file";
  close(BeginTheirTurn());
  EXPECT_TRUE(watch.TakeReleased());
  const auto made = watch.Token();
  ASSERT_TRUE(made.has_value());
  close(BeginTheirTurn());
  EXPECT_NE(watch.Token(), made);
}

TEST_F(LockWatchTest, FollowsAFileThatIsReplaced) {
  TakeOurTurn();
  LockWatch watch(path());
  std::filesystem::remove(path());
  std::ofstream(path()) << "";
  EXPECT_TRUE(watch.TakeReleased());
  TakeOurTurn();  // opens the new file
  const auto before = watch.Token();
  TakeOurTurn();
  EXPECT_EQ(watch.Token(), before);
  close(BeginTheirTurn());
  EXPECT_NE(watch.Token(), before);
}

TEST_F(LockWatchTest, IgnoresOtherFilesOfTheDirectory) {
  TakeOurTurn();
  LockWatch watch(path());
  const auto before = watch.Token();
  std::ofstream(directory_ + "/other") << "x";
  EXPECT_EQ(watch.Token(), before);
  EXPECT_FALSE(watch.TakeReleased());
}

TEST_F(LockWatchTest, KnowsNothingWithoutADirectory) {
  LockWatch watch(directory_ + "/missing/lock");
  EXPECT_EQ(watch.fd(), -1);
  EXPECT_FALSE(watch.Token().has_value());
  EXPECT_FALSE(watch.TakeReleased());
}

}  // namespace
}  // namespace felix
