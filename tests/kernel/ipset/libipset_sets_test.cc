// SPDX-License-Identifier: Apache-2.0
#include "ipset/libipset_sets.h"

#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "ipset/features.h"
#include "ipset/registry.h"
#include "tests/kernel/ipset/kernel_environment.h"
#include "tests/support/fake_kernel_sets.h"
#include "tests/unit/ipset/set_builders.h"

namespace felix::ipset {
namespace {

using felix::testing::Content;
using felix::testing::CountingKernelSets;
using felix::testing::KernelEnvironment;
using felix::testing::Key4;
using felix::testing::Key6;
using felix::testing::ManyHosts;
using felix::testing::Nets;
using felix::testing::NetSet;
using felix::testing::NewSet;
using felix::testing::Port;
using model::IpFamily;

class LibipsetSetsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    environment_.emplace();
  }
  KernelSets& kernel() { return environment_->kernel(); }
  SetContent Read(const std::string& name) {
    const auto content = kernel().Read(name);
    EXPECT_TRUE(content.ok() && content->has_value()) << name;
    return content.ok() && content->has_value() ? **content : SetContent{};
  }

  std::optional<KernelEnvironment> environment_;
};

TEST_F(LibipsetSetsTest, FillsAHundredThousandMembersAndAdoptsThemAfterARestart) {
  const ir::AddressSet big = ManyHosts(100000);
  CountingKernelSets counted(kernel());
  {
    Registry registry(IpFamily::kV4, counted, RegistryOptions{});
    registry.Stage(NewSet(Key4("s:big"), big));
    const auto stats = registry.ApplyUpserts(true);
    ASSERT_TRUE(stats.ok()) << stats.status();
    EXPECT_EQ(stats->members_added, 100000U);
  }
  EXPECT_EQ(counted.executes(), 1U);
  const SetContent content = Read("cali40s:big");
  EXPECT_EQ(content.header.hash_size, 131072U);
  EXPECT_EQ(content.members, std::vector<ir::SetMember>(big.members.begin(), big.members.end()));

  Registry restarted(IpFamily::kV4, counted, RegistryOptions{});
  restarted.Stage(NewSet(Key4("s:big"), big));
  ASSERT_TRUE(restarted.ApplyUpserts(true).ok());
  ASSERT_TRUE(restarted.ApplyRemovals().ok());
  EXPECT_EQ(counted.executes(), 1U);
}

TEST_F(LibipsetSetsTest, ReadsManyPortsWithoutAskingForProtocolNames) {
  ir::AddressSet ports;
  ports.kind = ir::SetKind::kIpPort;
  for (const ir::SetMember& host : ManyHosts(20000).members) {
    ports.members.insert({host.net, model::kTcp, 80});
    ports.members.insert({host.net, model::kSctp, 5000});
  }
  Registry registry(IpFamily::kV4, kernel(), RegistryOptions{});
  registry.Stage(NewSet(Key4("n:ports"), ports));
  ASSERT_TRUE(registry.ApplyUpserts(true).ok());
  EXPECT_EQ(Read("cali40n:ports").members,
            std::vector<ir::SetMember>(ports.members.begin(), ports.members.end()));
}

TEST_F(LibipsetSetsTest, ProgramsVersionSixWithZero) {
  Registry registry(IpFamily::kV6, kernel(), RegistryOptions{});
  registry.Stage(NewSet(Key6("s:all"), NetSet({"::/0", "fd00::1", "fd00:1::/32"})));
  ASSERT_TRUE(registry.ApplyUpserts(true).ok());
  EXPECT_EQ(Read("cali60s:all").members, Nets({"::/1", "8000::/1", "fd00::1", "fd00:1::/32"}));
}

TEST_F(LibipsetSetsTest, LeavesTheSetsOfOtherProgramsByteForByte) {
  KernelEnvironment::Shell(
      "ipset create other list:set && ipset create b bitmap:port range 0-100 comment && "
      "ipset add b 7 comment 'not ours' && ipset create felix4 hash:ip && "
      "ipset save > /dev/shm/felix-before-$PPID");
  Registry registry(IpFamily::kV4, kernel(), RegistryOptions{});
  registry.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.1"})));
  ASSERT_TRUE(registry.ApplyUpserts(true).ok());
  registry.RemoveEverything();
  ASSERT_TRUE(registry.ApplyUpserts(true).ok());
  ASSERT_TRUE(registry.ApplyRemovals().ok());
  KernelEnvironment::Shell(
      "ipset save | cmp - /dev/shm/felix-before-$PPID; s=$?; "
      "rm /dev/shm/felix-before-$PPID; exit $s");
}

TEST_F(LibipsetSetsTest, ReadsTheParametersOfSetsItWouldNotMake) {
  KernelEnvironment::Shell(
      "ipset create holes hash:net && ipset add holes 10.0.0.0/8 && "
      "ipset add holes 10.1.0.0/16 nomatch && ipset create counted hash:net counters && "
      "ipset create masked hash:ip,port bitmask 255.255.255.0; ipset create l list:set && "
      "ipset create m hash:ip");
  EXPECT_EQ(Read("holes").members, Nets({"10.0.0.0/8"}));
  EXPECT_EQ(Read("holes").strange_members, 1U);
  EXPECT_FALSE(Read("counted").header.plain);
  EXPECT_EQ(Read("l").header.type, "list:set");
  EXPECT_EQ(Read("l").header.family, std::nullopt);
  EXPECT_EQ(Read("m").header.type, "hash:ip");
}

TEST_F(LibipsetSetsTest, DeletesMembersThatOnlyOthersWouldAdd) {
  KernelEnvironment::Shell(
      "ipset create cali40n:a hash:ip,port maxelem 1048576 && "
      "ipset add cali40n:a 10.0.0.1,icmp:8/0 && ipset add cali40n:a 10.0.0.1,47:0");
  ir::AddressSet ports;
  ports.kind = ir::SetKind::kIpPort;
  ports.members = {Port("10.0.0.1", model::kUdp, 53)};
  Registry registry(IpFamily::kV4, kernel(), RegistryOptions{});
  registry.Stage(NewSet(Key4("n:a"), ports));
  const auto stats = registry.ApplyUpserts(false);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->sets_swapped, 0U);
  EXPECT_EQ(Read("cali40n:a").members,
            std::vector<ir::SetMember>{Port("10.0.0.1", model::kUdp, 53)});
}

TEST_F(LibipsetSetsTest, SpeaksWhatTheCommandLineToolUnderstands) {
  Registry registry(IpFamily::kV4, kernel(), RegistryOptions{});
  registry.Stage(NewSet(Key4("s:a"), NetSet({"10.0.0.0/8", "11.0.0.1"})));
  const auto lines = registry.DryRun();
  ASSERT_TRUE(lines.ok());
  std::string script;
  for (const std::string& line : *lines) script += line + "\\n";
  KernelEnvironment::Shell("printf '" + script + "' | ipset restore");
  EXPECT_EQ(Read("cali40s:a"), [] {
    SetContent expected = Content("cali40s:a", NetSet({"10.0.0.0/8", "11.0.0.1"}));
    return expected;
  }());
}

TEST_F(LibipsetSetsTest, KernelHasEverySetTypeAndProbingMakesNone) {
  const std::vector<Feature> features = ProbeFeatures();
  ASSERT_EQ(features.size(), 7U);
  EXPECT_EQ(features[0].name, "ip_set");
  for (const Feature& feature : features) {
    EXPECT_TRUE(feature.present) << feature.name << ": " << feature.detail;
  }
  EXPECT_TRUE(kernel().ListNames()->empty());
}

}  // namespace
}  // namespace felix::ipset
