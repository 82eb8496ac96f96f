// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_key.h"

#include "gtest/gtest.h"

#include "datastore/v1_policy.h"
#include "tests/unit/datastore/v1_decoding.h"

namespace felix::datastore {
namespace {

using Kind = V1Key::Kind;
using model::PolicyId;
using model::PolicyKind;

TEST(V1Key, HasTheKindThatItsLayoutSays) {
  const std::pair<std::string_view, Kind> cases[] = {
      {"/calico/v1/Ready", Kind::kReady},
      {"calico/v1/Ready", Kind::kReady},
      {"/calico/v1/config/InterfacePrefix", Kind::kConfig},
      {"/calico/v1/host/mesos-1/config/DefaultEndpointToHostAction", Kind::kHostConfig},
      {"/calico/v1/host/mesos-1/bird_ip", Kind::kHostFact},
      {"/calico/v1/host/mesos-1/metadata", Kind::kHostFact},
      {"/calico/v1/host/mesos-1/wireguard", Kind::kHostFact},
      {"/calico/v1/host/mesos-1/endpoint/eth0", Kind::kHostEndpoint},
      {kV1Endpoint, Kind::kWorkloadEndpoint},
      {"/calico/v1/policy/profile/netgroup_a/rules", Kind::kProfileRules},
      {"/calico/v1/policy/profile/netgroup_a/labels", Kind::kProfileLabels},
      {"/calico/v1/policy/profile/netgroup_a/tags", Kind::kProfileTags},
      {"/calico/v1/policy/tier/default/metadata", Kind::kTier},
      {"/calico/v1/policy/tier/default/policy/allow-db", Kind::kPolicy},
      {"/calico/v1/netset/bad", Kind::kNetworkSet},
      {"/calico/v1/ipam/v4/pool/192.168.0.0-16", Kind::kIpPool},
      {"/calico/ipam/v2/handle/x", Kind::kOther},
      {"/calico/bgp/v1/host/mesos-1/ip_addr_v4", Kind::kOther},
      {"/calico/resources/v3/projectcalico.org/tiers/a", Kind::kV3Resource},
      {"/calico/v1", Kind::kUnknown},
      {"/calico/v1/", Kind::kUnknown},
      {"", Kind::kUnknown},
      {"/other/v1/Ready", Kind::kUnknown},
      {"/calico/v1/Ready/x", Kind::kUnknown},
      {"/calico/v1/host/mesos-1/workload/mesos/c1", Kind::kUnknown},
      {"/calico/v1/host/mesos-1/nothing", Kind::kUnknown},
      {"/calico/v1/policy/profile/p", Kind::kUnknown},
      {"/calico/v1/policy/profile/p/rule", Kind::kUnknown},
      {"/calico/v1/policy/tier/default/policy", Kind::kUnknown},
  };
  for (const auto& [key, kind] : cases) EXPECT_EQ(ParseV1Key(key).kind, kind) << key;
}

TEST(V1Key, GivesNamesWithoutTheirEscapes) {
  const V1Key endpoint = ParseV1Key("/calico/v1/host/h/workload/k8s/default%2fpod-1/endpoint/eth0");
  EXPECT_EQ(endpoint.host, "h");
  EXPECT_EQ(endpoint.orchestrator, "k8s");
  EXPECT_EQ(endpoint.workload, "default/pod-1");
  EXPECT_EQ(endpoint.name, "eth0");
  EXPECT_EQ(ParseV1Key("/calico/v1/policy/tier/t/policy/ns%2Fx").name, "ns/x");
  EXPECT_EQ(ParseV1Key("/calico/v1/policy/tier/t/policy/ns/x").name, "ns/x");
  EXPECT_EQ(ParseV1Key("/calico/v1/policy/tier/t/policy/a%252fb").name, "a%2fb");
}

TEST(V1Key, IsRefusedForNamesThatCannotBe) {
  const std::string_view keys[] = {
      "/calico/v1/host/h h/workload/mesos/c1/endpoint/e1",
      "/calico/v1/host/h/workload//c1/endpoint/e1",
      "/calico/v1/host/h/workload/mesos/a%2fb%2fc/endpoint/e1",
      "/calico/v1/host/h/workload/mesos/c1/endpoint/e:1",
      "/calico/v1/host//config/InterfacePrefix",
      "/calico/v1/config/",
      "/calico/v1/policy/profile//rules",
      "/calico/v1/policy/profile/a+b/tags",
      "/calico/v1/policy/tier/a b/metadata",
      "/calico/v1/policy/tier/a b/policy/p",
      "/calico/v1/policy/tier/t/policy/",
      "/calico/v1/policy/tier/t/policy/a/b/c",
      "/calico/v1/policy/tier/t/policy/a%252fb",
      "/calico/v1/policy/tier/t/policy/unstaged:a",
      "/calico/v1/netset/",
  };
  for (const std::string_view key : keys) ExpectV1Refused(key, "{}", "key", "'");
  ExpectV1Refused("/calico/v1/policy/profile/p/rule", "{}", "key", "not a key");
  ExpectV1Refused("/calico/resources/v3/projectcalico.org/tiers/a", "{}", "key", "v3 resources");
}

TEST(V1PolicyId, IsOfTheKindThatThePrefixTells) {
  const std::pair<std::string_view, PolicyId> cases[] = {
      {"allow-db", {PolicyKind::kGlobalNetworkPolicy, "", "allow-db"}},
      {"kcnp.kube-admin.x", {PolicyKind::kGlobalNetworkPolicy, "", "kcnp.kube-admin.x"}},
      {"prod/db", {PolicyKind::kNetworkPolicy, "prod", "db"}},
      {"prod/knp.default.db", {PolicyKind::kNetworkPolicy, "prod", "knp.default.db"}},
      {"staged:db", {PolicyKind::kStagedGlobalNetworkPolicy, "", "db"}},
      {"prod/staged:db", {PolicyKind::kStagedNetworkPolicy, "prod", "db"}},
      {"staged:prod/db", {PolicyKind::kStagedNetworkPolicy, "prod", "db"}},
      {"prod/staged:knp.default.db",
       {PolicyKind::kStagedKubernetesNetworkPolicy, "prod", "knp.default.db"}},
  };
  for (const auto& [name, id] : cases) EXPECT_EQ(V1PolicyId(name), id) << name;
}

}  // namespace
}  // namespace felix::datastore
