// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "datastore/etcd/etcd_client.h"
#include "datastore/etcd/etcd_status_writer.h"
#include "tests/support/etcd_server.h"

namespace felix::datastore {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using Content = std::map<std::string, std::string>;

constexpr std::string_view kHost = "/calico/felix/v2/no-region/host/node-1/";

class EtcdStatusTest : public ::testing::Test {
 protected:
  [[nodiscard]] Content Read() const {
    const EtcdConfig config;
    EtcdClient client(config);
    EXPECT_TRUE(client.Connect(server_.endpoint()).ok());
    Content content;
    EXPECT_TRUE(client
                    .ReadRange("/calico/felix/", "/calico/felix0",
                               [&](const std::vector<KeyValue>& page) {
                                 for (const KeyValue& kv : page) content[kv.key] = kv.value;
                               })
                    .ok());
    return content;
  }
  bool WaitFor(const std::function<bool(const Content&)>& condition) const {
    for (int i = 0; i < 200; ++i) {
      if (condition(Read())) return true;
      std::this_thread::sleep_for(milliseconds(50));
    }
    return false;
  }
  static StatusReport Endpoints(std::map<std::string, EndpointStatus> statuses) {
    StatusReport report;
    report.host = "node-1";
    report.tells_endpoints = true;
    report.endpoint_interval = milliseconds(20);
    for (const auto& [name, status] : statuses) {
      report.endpoints[model::WorkloadEndpointId{"node-1", "k8s", "ns/" + name, "eth0"}] = status;
    }
    return report;
  }
  static std::string KeyOf(const std::string& name) {
    return fmt::format("{}workload/k8s/ns%2f{}/endpoint/eth0", kHost, name);
  }

  EtcdServer server_;
  EtcdStatusWriter writer_{EtcdConfig{.endpoints = {server_.endpoint()}}};
};

TEST_F(EtcdStatusTest, SaysNothingUnlessAsked) {
  StatusReport report = Endpoints({{"a", EndpointStatus::kUp}});
  report.tells_endpoints = false;
  writer_.Report(report);
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_THAT(Read(), IsEmpty());
}

TEST_F(EtcdStatusTest, TellsOfTheHostUnderALeaseAndForEver) {
  StatusReport report;
  report.host = "node-1";
  report.host_interval = milliseconds(500);
  report.host_lifetime = std::chrono::seconds(2);
  writer_.Report(report);
  const std::string status = fmt::format("{}status", kHost);
  const std::string last = fmt::format("{}last_reported_status", kHost);
  ASSERT_TRUE(WaitFor([&](const Content& c) { return c.contains(status) && c.contains(last); }));
  EXPECT_THAT(Read()[status], HasSubstr(R"("first_update":true})"));
  EXPECT_TRUE(WaitFor([&](const Content& c) {
    return c.at(status).find(R"("first_update":false})") != std::string::npos;
  }));
  writer_.Stop();
  EXPECT_TRUE(WaitFor([&](const Content& c) { return !c.contains(status); }));
  EXPECT_TRUE(Read().contains(last));
}

TEST_F(EtcdStatusTest, TellsOfEndpointsAsTheyComeChangeAndGo) {
  StatusReport report = Endpoints({{"a", EndpointStatus::kUp}, {"b", EndpointStatus::kDown}});
  report.endpoints[model::HostEndpointId{"node-1", "eth%0/x"}] = EndpointStatus::kError;
  writer_.Report(report);
  EXPECT_TRUE(WaitFor([](const Content& c) { return c.size() == 3; }));
  EXPECT_THAT(Read(), ElementsAre(Pair("/calico/felix/v1/host/node-1/endpoint/eth%250%2fx",
                                       R"({"status":"error"})"),
                                  Pair(KeyOf("a"), R"({"status":"up"})"),
                                  Pair(KeyOf("b"), R"({"status":"down"})")));
  writer_.Report(Endpoints({{"b", EndpointStatus::kUp}}));
  EXPECT_TRUE(WaitFor([](const Content& c) {
    return c == Content{{KeyOf("b"), R"({"status":"up"})"}};
  }));
}

TEST_F(EtcdStatusTest, RepairsWhatTheStoreSaysOfThisHostAlone) {
  const std::string other = "/calico/felix/v2/no-region/host/node-10/workload/k8s/x/endpoint/e";
  server_.Put(other, "{}");
  server_.Put(KeyOf("stray"), R"({"status":"up"})");
  server_.Put(KeyOf("a"), R"({"status":"down"})");
  writer_.Report(Endpoints({{"a", EndpointStatus::kUp}}));
  const Content expected = {{other, "{}"}, {KeyOf("a"), R"({"status":"up"})"}};
  EXPECT_TRUE(WaitFor([&](const Content& c) { return c == expected; }));
  // 180 intervals later once more.
  server_.Delete(KeyOf("a"));
  EXPECT_TRUE(WaitFor([&](const Content& c) { return c == expected; }));
}

TEST_F(EtcdStatusTest, WritesOneEndpointInAnInterval) {
  StatusReport report = Endpoints({{"a", EndpointStatus::kUp},
                                   {"b", EndpointStatus::kUp},
                                   {"c", EndpointStatus::kUp},
                                   {"d", EndpointStatus::kUp}});
  report.endpoint_interval = milliseconds(400);
  const auto start = std::chrono::steady_clock::now();
  writer_.Report(report);
  EXPECT_TRUE(WaitFor([](const Content& c) { return c.size() == 4; }));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(3 * 360));
}

TEST_F(EtcdStatusTest, GoesOnAfterAnOutage) {
  server_.Kill();
  writer_.Report(Endpoints({{"a", EndpointStatus::kUp}}));
  std::this_thread::sleep_for(milliseconds(500));
  server_.Start();
  EXPECT_TRUE(WaitFor([](const Content& c) { return c.contains(KeyOf("a")); }));
  server_.Kill();
  server_.Start();
  writer_.Report(Endpoints({{"a", EndpointStatus::kDown}}));
  EXPECT_TRUE(WaitFor([](const Content& c) {
    return c == Content{{KeyOf("a"), R"({"status":"down"})"}};
  }));
}

}  // namespace
}  // namespace felix::datastore
