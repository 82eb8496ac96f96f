// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "datastore/etcd/etcd_client.h"
#include "datastore/etcd/etcd_keys.h"
#include "tests/kernel/felix/program.h"
#include "tests/kernel/felix/steady_flow.h"
#include "tests/support/etcd_server.h"
#include "tests/support/random_etcd_writes.h"

namespace felix::testing {
namespace {

constexpr std::string_view kReady =
    R"({"kind":"ClusterInformation","apiVersion":"projectcalico.org/v3",)"
    R"("metadata":{"name":"default"},"spec":{"datastoreReady":true}})";

std::string ValueOf(const EtcdServer& server, const std::string& key) {
  const datastore::EtcdConfig config;
  datastore::EtcdClient client(config);
  std::string value;
  if (!client.Connect(server.endpoint()).ok()) return "unreachable";
  const auto read = client.ReadRange(key, key + '\0', [&](const auto& page) {
    for (const datastore::KeyValue& found : page) value = found.value;
  });
  return read.ok() ? value : "unreadable";
}

TEST(EtcdStatus, TheProgramTellsHowItsHostAndEndpointsFare) {
  FELIX_REQUIRE_ROOT();
  const TwoContainers containers;
  containers.router().Run([&] {
    EtcdServer server;
    server.Put(datastore::kClusterInformationKey, kReady);
    for (int i = 1; i <= 3; ++i) {  // there is no cali3
      const EtcdWrite write = EndpointWrite("node-1", i, "a", "10.65.0." + std::to_string(i));
      server.Put(write.key, *write.value);
    }
    const ResourceDirectory etc;
    etc.Write("felix.cfg",
              "EndpointReportingEnabled = true\nEndpointReportingDelaySecs = 0.05\n"
              "ReportingIntervalSecs = 1\n");
    const FelixDaemon felix(containers.router(), "etcd:" + server.endpoint().ToString(),
                            {"--config-file", etc.path() + "/felix.cfg"});
    const std::string host = "/calico/felix/v2/no-region/host/node-1/";
    const auto becomes = [&](int number, const std::string& value) {
      return WaitUntil([&] {
        return ValueOf(server, host + "workload/cni/default%2fc" + std::to_string(number) +
                                   "/endpoint/eth0") == value;
      });
    };
    EXPECT_TRUE(becomes(1, R"({"status":"up"})")) << felix.Log();
    EXPECT_TRUE(becomes(2, R"({"status":"up"})")) << felix.Log();
    EXPECT_TRUE(becomes(3, R"({"status":"down"})")) << felix.Log();
    EXPECT_TRUE(WaitUntil([&] {
      return ValueOf(server, host + "status").find(R"("first_update":false)") != std::string::npos;
    }));
    ASSERT_EQ(containers.router().Shell("ip link set cali2 down"), 0);
    EXPECT_TRUE(becomes(2, R"({"status":"down"})"));
    server.Delete(EndpointWrite("node-1", 1, "a", "10.65.0.1").key);
    EXPECT_TRUE(becomes(1, ""));
  });
}

}  // namespace
}  // namespace felix::testing
