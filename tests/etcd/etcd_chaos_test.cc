// SPDX-License-Identifier: Apache-2.0
// Whatever etcd and the network do, what the source told last is what the store says, and what was
// compiled from it step by step is what a compiler makes of it that starts from nothing.
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/graph.h"
#include "compiler/options.h"
#include "datastore/etcd/etcd_keys.h"
#include "tests/etcd/source_fixture.h"
#include "tests/reference/reference_compiler.h"
#include "tests/support/etcd_cluster.h"
#include "tests/support/etcd_server.h"
#include "tests/support/network_namespace.h"
#include "tests/support/random_etcd_writes.h"
#include "tests/support/seeds.h"
#include "tests/support/tcp_proxy.h"

namespace felix::datastore {
namespace {

using std::chrono::milliseconds;

compiler::Options OptionsOfNode1() {
  compiler::Options options;
  options.hostname = "node-1";
  return options;
}

class EtcdChaosTest : public SourceFixture {
 protected:
  static EtcdTiming Fast() {
    EtcdTiming timing;
    timing.connect = timing.answer = timing.probe = milliseconds(1000);
    timing.probe_after = milliseconds(300);
    timing.reopen_after = milliseconds(600);
    return timing;
  }
  static void Apply(const EtcdServer& server, const EtcdWrite& write) {
    if (write.value) {
      server.Put(write.key, *write.value);
    } else {
      server.Delete(write.key);
    }
  }
  void Write(const EtcdServer& server, int count) {
    for (int i = 0; i < count; ++i) Apply(server, RandomEtcdWrite(random_));
  }

  // The source comes to say what one says that begins now, and so does the compiler behind it.
  void ExpectAgreement(const EtcdServer& server, const std::string& after) {
    SCOPED_TRACE("after " + after);
    RecordingSink now;
    EtcdSource other({.endpoints = {server.endpoint()}});
    ASSERT_TRUE(other.Start(now).ok());
    bool is_in_sync = false;
    for (int i = 0; i < 3 && !is_in_sync; ++i) {
      is_in_sync = now.WaitUntil([](const State& s) { return s.in_sync_marks > 0; });
    }
    ASSERT_TRUE(is_in_sync);
    other.Stop();
    const model::Store expected = now.Now().store;
    const std::vector<model::Update> snapshot = expected.Snapshot();
    ASSERT_TRUE(WaitLong([&](const State& s) { return s.store.Snapshot() == snapshot; }))
        << Losses();
    const State state = sink_.Now();
    for (; compiled_ < state.batches.size(); ++compiled_) {
      graph_.OnUpdates(state.batches[compiled_]);
      static_cast<void>(graph_.Flush());
    }
    ASSERT_EQ(graph_.desired(), reference::Compile(expected, OptionsOfNode1()));
  }

  testing::Random random_{0};
  compiler::Graph graph_{OptionsOfNode1()};
  std::size_t compiled_ = 0;
};

// One server behind a proxy, through which the source alone goes.
class OneServerChaosTest : public EtcdChaosTest {
 protected:
  using Fault = std::pair<std::string, std::function<void()>>;

  void RestartBehindItsBack(const std::function<void()>& meanwhile) {
    server_.Kill();
    server_.Start(true);
    meanwhile();
    server_.Kill();
    server_.Start();
  }
  void Pause(int least, int most) {
    std::this_thread::sleep_for(milliseconds(random_.Between(least, most)));
  }

  void Restart() {
    server_.Kill();
    Pause(0, 500);
    server_.Start();
  }
  void Suspend() {
    server_.Suspend();
    Pause(0, 2500);
    server_.Resume();
  }
  void Swallow() {
    proxy_.Swallow(true);
    Write(server_, 5);
    Pause(0, 2500);
    proxy_.Swallow(false);
  }
  void Delay() {
    proxy_.Delay(milliseconds(random_.Between(1, 400)));
    Write(server_, 20);
    if (random_.Chance(50)) proxy_.Cut();
    Pause(0, 500);
    proxy_.Delay(milliseconds(0));
  }
  void CompactUnderTheReader() {
    Write(server_, 5);
    server_.Compact();
    if (random_.Chance(50)) proxy_.Cut();
    Write(server_, 5);
  }
  void CompactBehindItsBack() {
    RestartBehindItsBack([&] {
      Write(server_, 10);
      server_.Compact();
      Write(server_, random_.Between(0, 5));
    });
  }
  void RestoreABackup() {
    server_.Kill();
    server_.SaveData();
    server_.Start();
    Write(server_, random_.Between(1, 10));
    Pause(0, 1000);
    server_.Kill();
    server_.RestoreData();
    server_.Start(true);
    Write(server_, random_.Between(0, 20));
    server_.Kill();
    server_.Start();
  }
  void Flood() {
    proxy_.Delay(milliseconds(20));
    Write(server_, 300);
    proxy_.Delay(milliseconds(0));
  }

  [[nodiscard]] std::vector<Fault> Faults() {
    return {
        {"a cut", [&] { proxy_.Cut(); }},
        {"a restart", [&] { Restart(); }},
        {"a suspension", [&] { Suspend(); }},
        {"a black hole", [&] { Swallow(); }},
        {"delays", [&] { Delay(); }},
        {"a compaction", [&] { CompactUnderTheReader(); }},
        {"a compaction it did not see", [&] { CompactBehindItsBack(); }},
        {"a restored backup", [&] { RestoreABackup(); }},
        {"a flood", [&] { Flood(); }},
    };
  }

  EtcdServer server_;
  TcpProxy proxy_{server_.endpoint().port};
};

TEST_F(OneServerChaosTest, EndsWithWhatTheStoreSaysAfterEveryFault) {
  server_.Put(kClusterInformationKey, ReadyValue(true));
  EtcdEndpoint endpoint = server_.endpoint();
  endpoint.port = proxy_.port();
  StartSource({.endpoints = {endpoint}, .timing = Fast()});
  const std::uint64_t first = testing::FirstSeed();
  for (std::uint64_t seed = first; seed < first + testing::SeedCount(1); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    random_ = testing::Random(seed);
    std::vector<Fault> faults = Faults();
    while (!faults.empty()) {
      const std::size_t next = random_.Below(faults.size());
      Write(server_, random_.Between(1, 20));
      faults[next].second();
      Write(server_, random_.Between(0, 5));
      ExpectAgreement(server_, faults[next].first);
      if (HasFatalFailure()) return;
      faults.erase(faults.begin() + static_cast<std::ptrdiff_t>(next));
    }
  }
}

TEST_F(EtcdChaosTest, LeavesAMemberThatIsCutOffForOneThatIsNot) {
  FELIX_REQUIRE_ROOT();
  std::thread([&] {
    testing::EnterFreshNetworkNamespace();
    EtcdCluster cluster;
    cluster.member(0).Put(kClusterInformationKey, ReadyValue(true));
    const std::uint64_t first = testing::FirstSeed();
    StartSource({.endpoints = cluster.endpoints(), .timing = Fast()});
    for (std::uint64_t seed = first; seed < first + testing::SeedCount(1); ++seed) {
      random_ = testing::Random(seed);
      for (std::size_t cut = 0; cut < EtcdCluster::kSize; ++cut) {
        Write(cluster.member(cut), 10);
        ExpectAgreement(cluster.member(cut), "peace");
        cluster.CutOff(cut);
        // The others may have to elect a leader first.
        const EtcdServer& other = cluster.member((cut + 1) % EtcdCluster::kSize);
        std::this_thread::sleep_for(milliseconds(2500));
        Write(other, 10);
        ExpectAgreement(other, fmt::format("member {} was cut off", cut));
        cluster.Heal();
        std::this_thread::sleep_for(milliseconds(1500));
      }
    }
    source_->Stop();
  }).join();
}

}  // namespace
}  // namespace felix::datastore
