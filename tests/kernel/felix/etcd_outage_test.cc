// SPDX-License-Identifier: Apache-2.0
// The program on a real etcd through all that can happen to that: packets that were allowed go on
// to pass, forbidden ones never do, and in the end the kernel holds what the store says.
#include <chrono>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "datastore/etcd/etcd_client.h"
#include "datastore/etcd/etcd_keys.h"
#include "tests/kernel/felix/program.h"
#include "tests/kernel/felix/steady_flow.h"
#include "tests/support/etcd_server.h"
#include "tests/support/random_etcd_writes.h"
#include "tests/support/seeds.h"
#include "tests/support/tcp_proxy.h"

namespace felix::testing {
namespace {

using Ports = SteadyFlow::Ports;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kReady =
    R"({"kind":"ClusterInformation","apiVersion":"projectcalico.org/v3",)"
    R"("metadata":{"name":"default"},"spec":{"datastoreReady":true}})";
constexpr std::uint16_t kAllowedPort = 5000;
constexpr std::uint16_t kForbiddenPort = 6666;

// Without what etcd's own packets count and what is drawn at random when a set is made; sets in
// order, rules in theirs.
std::string RulesAndMembers(const NetworkNamespace& netns) {
  static const std::regex kIncidental(R"( \[\d+:\d+\]| hashsize \d+| initval \w+)");
  std::istringstream dump(std::regex_replace(Dump(netns), kIncidental, ""));
  std::string rules;
  std::set<std::string> sets;
  for (std::string line; std::getline(dump, line);) {
    if (line.starts_with("create ") || line.starts_with("add ")) {
      sets.insert(line);
    } else {
      rules += line + "\n";
    }
  }
  for (const std::string& line : sets) rules += line + "\n";
  return rules;
}

// The rules of the second container's chain, with their counters.
std::string CountedRules(const NetworkNamespace& netns) {
  std::istringstream dump(Dump(netns, true));
  std::string rules;
  for (std::string line; std::getline(dump, line);) {
    if (line.find("-A cali-tw-cali2") != std::string::npos) rules += line + "\n";
  }
  return rules;
}

// How often the program wrote something.
std::size_t Writes(const FelixDaemon& felix) {
  const std::string log = felix.Log();
  static const std::regex kApplied("\\] applied ");
  return static_cast<std::size_t>(
      std::distance(std::sregex_iterator(log.begin(), log.end(), kApplied), {}));
}

// All of it runs in the router's namespace, etcd and its proxy included.
class Outage {
 public:
  explicit Outage(const TwoContainers& containers) : containers_(containers) {
    server_.Put(datastore::kClusterInformationKey, kReady);
    for (const EtcdWrite& write : {EndpointWrite("node-1", 1, "fixed", "10.65.0.1"),
                                   EndpointWrite("node-1", 2, "fixed", "10.65.0.2"),
                                   PolicyWrite("fixed", "fixed", kAllowedPort)}) {
      server_.Put(write.key, *write.value);
    }
  }

  [[nodiscard]] std::string address() const {
    return fmt::format("etcd:http://127.0.0.1:{}", proxy_.port());
  }
  EtcdServer& server() { return server_; }
  TcpProxy& proxy() { return proxy_; }

  void Write(int count) {
    for (int i = 0; i < count; ++i) {
      const EtcdWrite write = RandomEtcdWrite(random_);
      if (write.value) {
        server_.Put(write.key, *write.value);
      } else {
        server_.Delete(write.key);
      }
    }
  }

  // The kernel comes to hold what the program makes, in a namespace without a past, of files that
  // say the same as the store.
  void ExpectAgreement(const std::string& after) {
    const ResourceDirectory files;
    datastore::EtcdConfig config;
    datastore::EtcdClient client(config);
    ASSERT_TRUE(client.Connect(server_.endpoint()).ok());
    int count = 0;
    ASSERT_TRUE(client
                    .ReadRange(kResourcePrefix, "/calico/v1",
                               [&](const std::vector<datastore::KeyValue>& page) {
                                 for (const datastore::KeyValue& value : page) {
                                   files.Write(fmt::format("{}.json", ++count), value.value);
                                 }
                               })
                    .ok());
    const NetworkNamespace fresh;
    const RunResult once = RunOnce(fresh, files);
    ASSERT_EQ(once.exit_status, 0) << once.err;
    const std::string expected = RulesAndMembers(fresh);
    EXPECT_TRUE(
        WaitUntil([&] { return RulesAndMembers(containers_.router()) == expected; }, seconds(25)))
        << "after " << after << "\n"
        << expected << "\nis not\n"
        << RulesAndMembers(containers_.router());
  }

 private:
  const TwoContainers& containers_;
  Random random_{FirstSeed()};
  EtcdServer server_;
  TcpProxy proxy_{server_.endpoint().port};
};

void GoThroughAll(Outage& outage) {
  EtcdServer& server = outage.server();
  outage.Write(20);
  outage.ExpectAgreement("writes");

  server.Kill();
  std::this_thread::sleep_for(seconds(2));
  server.Start(true);
  outage.Write(20);
  server.Compact();
  server.Kill();
  server.Start();
  outage.ExpectAgreement("a restart and a compaction meanwhile");

  outage.proxy().Swallow(true);
  outage.Write(20);
  std::this_thread::sleep_for(seconds(11));
  outage.proxy().Swallow(false);
  outage.ExpectAgreement("a black hole");

  server.Kill();
  server.SaveData();
  server.Start();
  outage.Write(10);
  std::this_thread::sleep_for(seconds(2));
  server.Kill();
  server.RestoreData();
  server.Start();
  outage.Write(30);
  outage.ExpectAgreement("a restored backup");

  outage.proxy().Delay(milliseconds(20));
  outage.Write(500);
  outage.proxy().Cut();
  outage.proxy().Delay(milliseconds(0));
  outage.ExpectAgreement("a flood");
}

TEST(EtcdOutage, LetsNoForbiddenPacketPassAndLosesNoAllowedOne) {
  FELIX_REQUIRE_ROOT();
  const TwoContainers containers;
  containers.router().Run([&] {
    Outage outage(containers);
    const FelixDaemon felix(containers.router(), outage.address());
    ASSERT_TRUE(WaitUntil([&] { return Holds(containers.router(), "cali-tw-cali2"); }))
        << felix.Log();
    SteadyFlow allowed(containers, kAllowedPort, 100, Ports::kFreshEach);
    SteadyFlow forbidden(containers, kForbiddenPort, 100, Ports::kFreshEach);
    GoThroughAll(outage);
    allowed.Stop();
    forbidden.Stop();
    EXPECT_GT(allowed.sent(), 1000U);
    EXPECT_EQ(allowed.received(), allowed.sent());
    EXPECT_GT(forbidden.sent(), 1000U);
    EXPECT_EQ(forbidden.received(), 0U);
    if (::testing::Test::HasFailure()) ADD_FAILURE() << felix.Log();
  });
}

// Counters of rules and sets tell what was written anew.
TEST(EtcdOutage, AListingOfAnUnchangedStoreWritesNothingToTheKernel) {
  FELIX_REQUIRE_ROOT();
  const TwoContainers containers;
  containers.router().Run([&] {
    Outage outage(containers);
    outage.Write(20);
    const ResourceDirectory etc;
    etc.Write("felix.cfg", "IptablesRefreshInterval = 0\nIpsetsRefreshInterval = 0\n");
    const FelixDaemon felix(containers.router(), outage.address(),
                            {"--config-file", etc.path() + "/felix.cfg"});
    outage.ExpectAgreement("the start");
    SteadyFlow allowed(containers, kAllowedPort, 100, Ports::kOne);
    allowed.Stop();
    const std::string before = CountedRules(containers.router());
    EXPECT_NE(before.find('['), std::string::npos);
    const std::size_t writes = Writes(felix);
    EXPECT_GT(writes, 0U);
    // The last change is compacted away, and so is what is known: all is to be listed.
    EtcdServer& server = outage.server();
    server.Kill();
    server.Start(true);
    server.Put("/calico/resources/v3/projectcalico.org/ippools/none", "{}");
    server.Delete("/calico/resources/v3/projectcalico.org/ippools/none");
    server.Compact();
    server.Kill();
    server.Start();
    EXPECT_TRUE(WaitUntil(
        [&] { return felix.Log().find("can be read again") != std::string::npos; }, seconds(20)));
    std::this_thread::sleep_for(milliseconds(500));
    EXPECT_EQ(CountedRules(containers.router()), before);
    EXPECT_EQ(Writes(felix), writes) << felix.Log();
  });
}

}  // namespace
}  // namespace felix::testing
