// SPDX-License-Identifier: Apache-2.0
// Whatever somebody puts into the store, each key fails alone and by name, and the source goes on.
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <string_view>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "datastore/etcd/etcd_keys.h"
#include "tests/etcd/source_fixture.h"
#include "tests/support/etcd_server.h"
#include "tests/support/tcp_proxy.h"

namespace felix::datastore {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A little below what etcd takes in one request, which is text in Base64.
constexpr std::size_t kLargest = 1'500'000;

std::size_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::string Repeat(std::string_view text, std::size_t bytes) {
  std::string result;
  while (result.size() < bytes) result += text;
  return result;
}

std::string TierWith(std::string_view name, std::string_view more) {
  return fmt::format(R"({{"apiVersion":"projectcalico.org/v3","kind":"Tier",)"
                     R"("metadata":{{"name":"{}"{}}},"spec":{{"order":1}}}})",
                     name, more);
}

class EtcdHostileTest : public SourceFixture {
 protected:
  void SetUp() override {
    server_.Put(kClusterInformationKey, ReadyValue(true));
    StartSource({.endpoints = {server_.endpoint()}});
    ExpectInSync(1);
  }
  void ExpectRefused(std::string_view key, std::string_view value) {
    SCOPED_TRACE(key);
    const auto is_refused = [&](const State& state) {
      for (const auto& [id, refusal] : state.refusals) {
        if (refusal.origin.find(key) != std::string::npos) return !refusal.reason.empty();
      }
      return false;
    };
    server_.Put(key, value);
    EXPECT_TRUE(WaitLong(is_refused)) << value.substr(0, 100);
    server_.Delete(key);
    EXPECT_TRUE(WaitLong([&](const State& state) { return !is_refused(state); }));
  }
  void ExpectWorks() {
    server_.Put(TierKey("good"), TierValue("good", ++orders_));
    ExpectTier("good", orders_);
    EXPECT_THAT(sink_.Now().losses, IsEmpty());
  }

  EtcdServer server_;
  int orders_ = 0;
};

TEST_F(EtcdHostileTest, ValuesAsLargeAsEtcdTakesFailAloneAndWithinBounds) {
  ExpectWorks();
  const std::size_t before = ResidentBytes();
  for (int round = 0; round < 5; ++round) {
    ExpectRefused(TierKey("brackets"), Repeat("[", kLargest));
    ExpectRefused(TierKey("objects"), Repeat(R"({"a":)", kLargest));
    ExpectRefused(TierKey("zeros"), std::string(kLargest, '\0'));
    ExpectRefused(TierKey("open"), "\"" + Repeat("x", kLargest));
    ExpectRefused(TierKey("numbers"), "[" + Repeat("1,", kLargest) + "1]");
  }
  ExpectWorks();
  EXPECT_LT(ResidentBytes(), before + (std::size_t{64} << 20));
}

TEST_F(EtcdHostileTest, ALargeValueThatIsSoundIsUsed) {
  server_.Put(TierKey("large"),
              TierWith("large", R"(,"managedFields":")" + Repeat("x", kLargest - 500) + '"'));
  ExpectTier("large", 1);
  ExpectWorks();
}

TEST_F(EtcdHostileTest, WrongTypesFailByFieldAndUnknownFieldsDoNot) {
  const auto spec = [](std::string_view text) {
    return fmt::format(R"({{"apiVersion":"projectcalico.org/v3","kind":"GlobalNetworkPolicy",)"
                       R"("metadata":{{"name":"p"}},"spec":{}}})",
                       text);
  };
  const std::string key = fmt::format("{}globalnetworkpolicies/p", kPrefix);
  for (const std::string_view text :
       {"[]", "7", "\"x\"", R"({"order":"first"})", R"({"selector":7})", R"({"types":"Ingress"})",
        R"({"types":[7]})", R"({"ingress":{}})", R"({"ingress":[7]})",
        R"({"ingress":[{"action":7}]})", R"({"ingress":[{"action":"Allow","protocol":{}}]})",
        R"({"ingress":[{"action":"Allow","source":[]}]})",
        R"({"ingress":[{"action":"Allow","source":{"nets":"10.0.0.0/8"}}]})",
        R"({"ingress":[{"action":"Allow","source":{"nets":["ten"]}}]})", R"({"order":1e999})",
        R"({"selector":"has(("})"}) {
    ExpectRefused(key, spec(text));
  }
  server_.Put(TierKey("more"),
              TierWith("more", R"(,"managedFields":[{"x":null}],"new":{"y":[1]})"));
  ExpectTier("more", 1);
  ExpectWorks();
}

TEST_F(EtcdHostileTest, TextThatIsNoUtf8FailsAndIsPrintedSafely) {
  ExpectRefused(TierKey("bytes"), TierWith("bytes\xff\xfe", ""));
  server_.Put(TierKey("\xff\x01\n"), "{");
  EXPECT_TRUE(WaitLong([](const State& s) { return !s.refusals.empty(); }));
  for (const auto& [id, refusal] : sink_.Now().refusals) {
    for (const std::string_view bad : {"\xff", "\n", "\x01"}) {
      EXPECT_THAT(refusal.ToString(), Not(HasSubstr(std::string(bad))));
    }
  }
  ExpectWorks();
}

TEST_F(EtcdHostileTest, KeysOfNoLayoutDoNoHarm) {
  const std::size_t batches = sink_.Now().batches.size();
  for (const std::string& rest :
       {std::string("tiers/"), std::string("tiers"), std::string("tiers/a/b"), std::string("/"),
        std::string(""), std::string("tiers/%2f"), std::string("tiers/..%00"),
        std::string("tiers/\0", 7), std::string("workloadendpoints/a"),
        std::string("workloadendpoints//"), std::string("workloadendpoints/ns/a/b"),
        std::string("nothings/x"), "tiers/" + std::string(100'000, 'k')}) {
    server_.Put(std::string(kPrefix) + rest, TierValue("a", 1));
  }
  server_.Put("/calico/v1/", "x");
  server_.Put("/calico/v1/policy/tier//policy/%2f%zz", "{}");
  server_.Put("/calico/v1/host/%/workload/o/w%2fx/endpoint/e", "{}");
  ExpectWorks();
  EXPECT_EQ(sink_.Now().store.tiers().size(), 3U + 1U);
  EXPECT_EQ(sink_.Now().batches.size(), batches + 1);
}

// The server goes on to take connections and bytes, and nothing comes back.
TEST(EtcdBlackHoleTest, IsNoticedWithinTwentySeconds) {
  EtcdServer server;
  server.Put(kClusterInformationKey, ReadyValue(true));
  TcpProxy proxy(server.endpoint().port);
  EtcdEndpoint endpoint = server.endpoint();
  endpoint.port = proxy.port();
  EtcdSource source({.endpoints = {endpoint}});
  RecordingSink sink;
  ASSERT_TRUE(source.Start(sink).ok());
  ASSERT_TRUE(sink.WaitUntil([](const RecordingSink::State& s) { return s.in_sync_marks == 1; }));
  proxy.Swallow(true);
  const auto start = std::chrono::steady_clock::now();
  const auto is_lost = [](const RecordingSink::State& s) { return !s.losses.empty(); };
  while (!sink.WaitUntil(is_lost)) {
    ASSERT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace felix::datastore
