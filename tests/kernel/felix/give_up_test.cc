// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/kernel/felix/program.h"

namespace felix::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Its clock runs thirty times as fast as ours.
class HastyDaemon {
 public:
  HastyDaemon(const NetworkNamespace& netns, const std::string& datastore)
      : loader_(FELIX_FAST_CLOCK), daemon_(netns, datastore) {}
  FelixDaemon* operator->() { return &daemon_; }

 private:
  struct Loader {
    explicit Loader(const char* library) {
      setenv("LD_PRELOAD", library, 1);
      // A program with the address sanitizer insists on being the first otherwise.
      setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);
    }
    ~Loader() { unsetenv("LD_PRELOAD"); }
  };

  Loader loader_;
  FelixDaemon daemon_;
};

class GiveUpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    resources.Write("endpoint.yaml", EndpointYaml("cali1", 1));
    resources.Write("policy.yaml", PolicyYaml("web", 80));
  }
  void TearDown() override { MendLock(); }

  // No table can be read or written, for a reason other than that somebody else holds the lock.
  static void BreakLock() {
    const std::string path = std::getenv("XTABLES_LOCKFILE");
    unlink(path.c_str());
    ASSERT_EQ(symlink("/nowhere", path.c_str()), 0);
  }
  static void MendLock() {
    if (const char* path = std::getenv("XTABLES_LOCKFILE")) unlink(path);
  }
  [[nodiscard]] std::string Rules() const {
    std::string rules;
    netns.Shell("(iptables-legacy-save; ip6tables-legacy-save) | grep -v '^#' | sed 's/ \\[.*//'",
                &rules);
    return rules;
  }

  NetworkNamespace netns;
  ResourceDirectory resources;
};

TEST_F(GiveUpTest, EndsWith75AndADiagnosisWhenNothingCouldBeWrittenForNinetySeconds) {
  HastyDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitUntil([&] { return daemon->Log().find("ready: ") != std::string::npos; }))
      << daemon->Log();
  const std::string rules = Rules();
  EXPECT_THAT(rules, HasSubstr("cali-tw-cali1"));
  BreakLock();
  resources.Write("policy.yaml", PolicyYaml("web", 81));
  EXPECT_EQ(daemon->Join(), 75) << daemon->Log();
  EXPECT_THAT(daemon->Log(),
              AllOf(HasSubstr("not ready: for 30 s"), HasSubstr("gave up after 9"),
                    HasSubstr("without one success, what the kernel holds stays"),
                    HasSubstr("write the ipv4 filter table"), HasSubstr("opening the xtables lock"),
                    HasSubstr("symbolic links")));
  EXPECT_EQ(Rules(), rules);

  // Its successor waits as long again, and then has what it needs.
  HastyDaemon next(netns, resources.address());
  ASSERT_TRUE(WaitUntil([&] { return next->Log().find("xtables lock") != std::string::npos; }));
  std::this_thread::sleep_for(1s);
  EXPECT_THAT(next->Log(), Not(HasSubstr("gave up")));
  EXPECT_EQ(Rules(), rules);
  MendLock();
  ASSERT_TRUE(WaitUntil([&] { return Rules() != rules; })) << next->Log();
  EXPECT_THAT(Rules(), HasSubstr("81"));
}

TEST_F(GiveUpTest, NeverEndsBecauseSomebodyElseHasTheLock) {
  HastyDaemon daemon(netns, resources.address());
  ASSERT_TRUE(WaitUntil([&] { return daemon->Log().find("ready: ") != std::string::npos; }))
      << daemon->Log();
  std::string holder;
  ASSERT_EQ(netns.Shell("bash -c 'exec 9>>$XTABLES_LOCKFILE; flock 9; exec sleep 30' "
                        ">/dev/null 2>&1 & echo $!",
                        &holder),
            0);
  ASSERT_TRUE(WaitUntil([&] { return netns.Shell("flock -n $XTABLES_LOCKFILE true") != 0; }));
  resources.Write("policy.yaml", PolicyYaml("web", 81));
  // Four of its minutes.
  std::this_thread::sleep_for(8s);
  EXPECT_THAT(daemon->Log(), AllOf(HasSubstr("not ready: for 30 s"),
                                   HasSubstr("is held by process"), Not(HasSubstr("gave up"))));
  netns.Shell("kill " + holder);
  EXPECT_TRUE(WaitUntil([&] { return Rules().find("81") != std::string::npos; })) << daemon->Log();
}

}  // namespace
}  // namespace felix::testing
