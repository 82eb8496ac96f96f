// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

#include "felix/replay/cluster.h"
#include "tests/unit/datastore/resource_directory.h"

namespace felix::replay {

// A cluster of three workloads on two hosts: shop/web and shop/db with policies, lab/lone with
// none.
inline constexpr const char* kShop = R"(apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: node--1-cni-web-eth0, namespace: shop, labels: {app: web}}
spec: {node: node-1, orchestrator: cni, containerID: web, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.65.0.1/32, "fd00::1/128"], profiles: [open]}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: node--2-cni-db-eth0, namespace: shop, labels: {app: db}}
spec: {node: node-2, orchestrator: cni, containerID: db, endpoint: eth0, interfaceName: cali2, ipNetworks: [10.65.0.2/32], profiles: [open], ports: [{name: sql, protocol: TCP, port: 5432}]}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: node--2-cni-lone-eth0, namespace: lab, labels: {app: lone}}
spec: {node: node-2, orchestrator: cni, containerID: lone, endpoint: eth0, interfaceName: cali3, ipNetworks: [10.65.0.3/32], profiles: [open]}
---
apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: open}
spec: {ingress: [{action: Allow}], egress: [{action: Allow}]}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: db}
spec:
  selector: app == "db"
  types: [Ingress]
  ingress:
  - {action: Deny, protocol: TCP, source: {selector: app == "lone"}}
  - {action: Allow, protocol: TCP, source: {selector: app == "web"}, destination: {ports: [sql]}}
)";

class ReplayVerbTest : public ::testing::Test {
 protected:
  ReplayVerbTest() { directory_.WriteInPlace("shop.yaml", kShop); }

  [[nodiscard]] InputRequest Request(const std::vector<std::string>& files = {"shop.yaml"}) const {
    InputRequest request;
    for (const std::string& file : files) request.paths.push_back(directory_.Path(file));
    return request;
  }
  [[nodiscard]] Cluster Read(const std::vector<std::string>& files = {"shop.yaml"}) const {
    absl::StatusOr<Cluster> cluster = ReadCluster(Request(files));
    EXPECT_TRUE(cluster.ok()) << cluster.status();
    return cluster.ok() ? *std::move(cluster) : Cluster();
  }

  datastore::ResourceDirectory directory_;
};

}  // namespace felix::replay
