// SPDX-License-Identifier: Apache-2.0
// The rules by which the objects beside policies and workload endpoints are judged, one row each.
#include <string>

#include "gtest/gtest.h"

#include "datastore/etcd/etcd_keys.h"
#include "tests/unit/datastore/decoding.h"

namespace felix::datastore {
namespace {

struct Row {
  std::string spec;
  std::string field = {};   // at fault; empty: the object is accepted
  std::string reason = {};  // part of it
};

template <typename Rows>
void JudgeAll(std::string_view kind, std::string_view metadata, const Rows& rows) {
  for (const Row& row : rows) {
    const std::string object = ObjectYaml(kind, metadata, row.spec);
    SCOPED_TRACE(object);
    EXPECT_EQ(row.field.empty(), row.reason.empty()) << "a row without a reason proves little";
    if (!row.field.empty()) {
      ExpectRefused(object, row.field, row.reason);
      continue;
    }
    const Decoded decoded = DecodeOne(object);
    EXPECT_FALSE(decoded.refusal.has_value()) << decoded.refusal->ToString();
    EXPECT_TRUE(decoded.value.has_value());
  }
}

TEST(Validation, OfHostEndpoints) {
  const Row rows[] = {
      {"{node: h1, interfaceName: eth0}"},
      {"{node: h1, interfaceName: '*'}"},
      {"{node: h1, expectedIPs: [192.0.2.10, '2001:db8::10']}"},
      {"{node: h1, interfaceName: eth0, ports: [{name: ssh, protocol: TCP, port: 22}]}"},
      {"{interfaceName: eth0}", "spec.node", "missing"},
      {"{node: 'h 1', interfaceName: eth0}", "spec.node", "not letters"},
      {"{node: h1}", "spec.interfaceName", "no expected address"},
      {"{node: h1, interfaceName: abcdefghijklmnop}", "spec.interfaceName", "neither"},
      {"{node: h1, interfaceName: 'eth+'}", "spec.interfaceName", "neither"},
      {"{node: h1, expectedIPs: [192.0.2.0/24]}", "spec.expectedIPs[0]", "not an address"},
      {"{node: h1, interfaceName: eth0, expectedIPs: [x]}", "spec.expectedIPs[0]",
       "not an address"},
      {"{node: h1, interfaceName: eth0, expectedIPs: 192.0.2.1}", "spec.expectedIPs", "not a list"},
      {"{node: h1, interfaceName: eth0, profiles: [a/b]}", "spec.profiles[0]", "not letters"},
      {"{node: h1, interfaceName: eth0, ports: [{name: Ssh, protocol: TCP, port: 22}]}",
       "spec.ports[0].name", "not a port's name"},
      {"{node: h1, interfaceName: eth0, ports: [{name: a, protocol: UDPLite, port: 22}]}",
       "spec.ports[0].protocol", "none of TCP"},
      {"{node: h1, interfaceName: eth0, ports: [{name: a, protocol: TCP, port: 65536}]}",
       "spec.ports[0].port", "1..65535"},
      {"{node: h1, interfaceName: eth0, ports: [{protocol: TCP, port: 22}]}", "spec.ports[0].name",
       "missing"},
      {"[]", "spec", "not an object"},
  };
  JudgeAll("HostEndpoint", "{name: h1-eth0}", rows);
}

TEST(Validation, OfTiersAndProfiles) {
  const Row tiers[] = {
      {"{}"},
      {"{order: 200, defaultAction: Pass}"},
      {"{order: 1.5, defaultAction: Deny}"},
      {"{order: x}", "spec.order", "not a number"},
      {"{defaultAction: 1}", "spec.defaultAction", "not a string"},
  };
  JudgeAll("Tier", "{name: t}", tiers);
  const Row profiles[] = {
      {"{}"},
      {"{ingress: [{action: Log}], egress: [{action: Allow}], labelsToApply: {net1: ''}}"},
      {"{labelsToApply: {'a b': x}}", "spec.labelsToApply", "a b"},
      {"{labelsToApply: {a: 1}}", "spec.labelsToApply.a", "not a string"},
      {"{labelsToApply: {a: '-'}}", "spec.labelsToApply", "alphanumeric edges"},
      {"{ingress: [{action: Pass}]}", "spec.ingress[0].action", "Pass"},
      {"{ingress: [{action: Allow, source: {selector: '('}}]}", "spec.ingress[0].source.selector",
       "parse"},
      {"{egress: [{action: Deny, protocol: ICMP, destination: {ports: [1]}}]}",
       "spec.egress[0].destination.ports[0]", "need protocol"},
      {"{types: [Ingress]}", "spec.types", "unknown field"},
  };
  JudgeAll("Profile", "{name: net1}", profiles);
}

TEST(Validation, TakesAnUnknownDefaultActionForDenyAndSaysSo) {
  const Decoded decoded = DecodeOne(ObjectYaml("Tier", "{name: t}", "{defaultAction: Allow}"));
  ASSERT_TRUE(decoded.value.has_value());
  EXPECT_EQ(std::get<model::Tier>(*decoded.value).default_action, model::TierDefaultAction::kDeny);
  ASSERT_TRUE(decoded.refusal.has_value());
  EXPECT_EQ(decoded.refusal->field, "spec.defaultAction");
  EXPECT_EQ(decoded.refusal->origin.rfind("t.yaml:", 0), 0U) << decoded.refusal->origin;
}

TEST(Validation, OfNetworkSetsAndPools) {
  const Row sets[] = {
      {"{}"},
      {"{nets: [10.0.0.1, 10.0.0.1/8, '::/0', 0.0.0.0/0]}"},
      {"{nets: [10.0.0.0/33]}", "spec.nets[0]", "not an address"},
      {"{nets: [10.0.0.1, x]}", "spec.nets[1]", "not an address"},
      {"{nets: [1]}", "spec.nets[0]", "not a string"},
      {"{nets: x}", "spec.nets", "not a list"},
  };
  JudgeAll("GlobalNetworkSet", "{name: s}", sets);
  JudgeAll("NetworkSet", "{name: s, namespace: prod}", sets);
  const Row pools[] = {
      {"{cidr: 10.0.0.0/16}"},
      {"{cidr: 'fd00::/64', blockSize: 122}"},
      {"{cidr: 10.0.0.0/16, vxlanMode: Never, ipipMode: CrossSubnet, blockSize: 26, "
       "assignmentMode: Manual, nodeSelector: all(), allowedUses: [Workload, Tunnel]}"},
      {"{cidr: 10.0.0.0/16, blockSize: 0, vxlanMode: '', namespaceSelector: ''}"},
      {"{}", "spec.cidr", "missing"},
      {"{cidr: 10.0.0.1/16}", "spec.cidr", "host bits"},
      {"{cidr: 10.0.0.0}", "spec.cidr", "host bits"},
      {"{cidr: 10.0.0.0/16, natOutgoing: 'true'}", "spec.natOutgoing", "not a boolean"},
      {"{cidr: 10.0.0.0/16, disabled: 1}", "spec.disabled", "not a boolean"},
      {"{cidr: 10.0.0.0/16, allowedUses: [Pets]}", "spec.allowedUses", "Pets"},
      {"{cidr: 10.0.0.0/16, vxlanMode: Sometimes}", "spec.vxlanMode", "none of Never"},
      {"{cidr: 10.0.0.0/16, ipipMode: always}", "spec.ipipMode", "none of Never"},
      {"{cidr: 10.0.0.0/16, assignmentMode: Other}", "spec.assignmentMode", "none of Automatic"},
      {"{cidr: 10.0.0.0/16, blockSize: 19}", "spec.blockSize", "20..32"},
      {"{cidr: 10.0.0.0/16, blockSize: 33}", "spec.blockSize", "0..32"},
      {"{cidr: 'fd00::/64', blockSize: 129}", "spec.blockSize", "0..128"},
      {"{cidr: 'fd00::/64', blockSize: 26}", "spec.blockSize", "116..128"},
      {"{cidr: 10.0.0.0/16, blockSize: '26'}", "spec.blockSize", "not an integer"},
      {"{cidr: 10.0.0.0/16, nodeSelector: 'a ='}", "spec.nodeSelector", "parse"},
      {"{cidr: 10.0.0.0/16, namespaceSelector: 'a ='}", "spec.namespaceSelector", "parse"},
  };
  JudgeAll("IPPool", "{name: p}", pools);
}

TEST(Validation, OfNodes) {
  const Row rows[] = {
      {"{}"},
      {"{bgp: {ipv4Address: 172.17.0.2/24, ipv6Address: 'fd01::2/64'}}"},
      {"{addresses: [{address: 172.17.0.2, type: InternalIP}, {address: n1, type: Hostname}]}"},
      {"{bgp: {ipv4Address: x}}", "spec.bgp.ipv4Address", "not an address of IPv4"},
      {"{bgp: {ipv4Address: 172.17.0.2/33}}", "spec.bgp.ipv4Address", "not an address of IPv4"},
      {"{bgp: {ipv6Address: 172.17.0.2/24}}", "spec.bgp.ipv6Address", "not an address of IPv6"},
      {"{bgp: {ipv4Address: 1}}", "spec.bgp.ipv4Address", "not a string"},
      {"{addresses: [{address: x, type: InternalIP}]}", "spec.addresses[0].address",
       "not an address"},
      {"{addresses: [{type: ExternalIP}]}", "spec.addresses[0].address", "not an address"},
      {"{addresses: {}}", "spec.addresses", "not a list"},
  };
  JudgeAll("Node", "{name: n1}", rows);
}

TEST(Validation, OfFelixConfigurations) {
  const Row rows[] = {
      {"{}"},
      {"{ipipMTU: 1440, ipv6Support: false, interfacePrefix: 'cali,tap'}"},
      {"{iptablesRefreshInterval: 60s, iptablesLockProbeInterval: 50ms}"},
      {"{failsafeInboundHostPorts: [{protocol: tcp, port: 22, net: 10.0.0.0/8}, {port: 68}]}"},
      {"{failsafeOutboundHostPorts: []}"},
      {"{iptablesRefreshInterval: 60}", "spec.iptablesRefreshInterval", "not a string"},
      {"{iptablesRefreshInterval: soon}", "spec.iptablesRefreshInterval", "not a duration"},
      {"{iptablesLockProbeInterval: '50'}", "spec.iptablesLockProbeInterval", "not a duration"},
      {"{failsafeInboundHostPorts: tcp:22}", "spec.failsafeInboundHostPorts", "not a list"},
      {"{failsafeInboundHostPorts: [{port: 65536}]}", "spec.failsafeInboundHostPorts[0].port",
       "0..65535"},
      {"{failsafeInboundHostPorts: [{port: 1, protocol: icmp}]}",
       "spec.failsafeInboundHostPorts[0].protocol", "neither tcp nor udp"},
      {"{failsafeOutboundHostPorts: [{port: 1, net: x}]}", "spec.failsafeOutboundHostPorts[0].net",
       "not an address"},
      {"{routeTableRanges: [{min: 1}]}", "spec.routeTableRanges[0].max", "missing"},
      {"[]", "spec", "not an object"},
  };
  JudgeAll("FelixConfiguration", "{name: default}", rows);
  JudgeAll("FelixConfiguration", "{name: node.h1}", rows);
  for (const std::string_view name : {"h1", "node", "defaults"}) {
    ExpectRefused(ObjectYaml("FelixConfiguration", fmt::format("{{name: {}}}", name), "{}"),
                  "metadata.name", "neither 'default'");
  }
  ExpectRefused(ObjectYaml("FelixConfiguration", "{name: node.}", "{}"), "metadata.name",
                "not lower-case");
}

TEST(Validation, OfStagedPoliciesIsOfTheirNameAlone) {
  const std::pair<std::string_view, std::string_view> kinds[] = {
      {"StagedGlobalNetworkPolicy", ""},
      {"StagedNetworkPolicy", ", namespace: prod"},
      {"StagedKubernetesNetworkPolicy", ", namespace: prod"}};
  for (const auto& [kind, rest] : kinds) {
    SCOPED_TRACE(kind);
    for (const std::string_view spec :
         {"{}", "{stagedAction: Set, selector: has(a), ingress: [{action: Allow}]}",
          "{stagedAction: Delete}", "{stagedAction: Learn}", "{selector: '('}"}) {
      const Decoded decoded = DecodeOne(ObjectYaml(kind, fmt::format("{{name: p{}}}", rest), spec));
      EXPECT_TRUE(decoded.key.has_value());
      EXPECT_FALSE(decoded.value.has_value()) << spec;
      EXPECT_FALSE(decoded.refusal.has_value()) << decoded.refusal->ToString();
    }
    ExpectRefused(ObjectYaml(kind, fmt::format("{{name: a.b.c{}}}", rest), "{}"), "metadata.name",
                  "more than two parts");
    ExpectRefused(ObjectYaml(kind, fmt::format("{{name: A{}}}", rest), "{}"), "metadata.name",
                  "not lower-case");
  }
}

TEST(Validation, OfTheEnvelope) {
  constexpr std::string_view kRest = "metadata: {name: s}, spec: {}";
  const Row rows[] = {
      {"apiVersion: projectcalico.org/v3", "kind", "missing"},
      {"kind: GlobalNetworkSet", "apiVersion", "missing"},
      {"kind: GlobalNetworkSet, apiVersion: v1", "apiVersion", "'v1' is not"},
      {"kind: Firewall, apiVersion: projectcalico.org/v3", "kind", "'Firewall' is unknown"},
      {"kind: [Tier], apiVersion: projectcalico.org/v3", "kind", "not a string"},
      {"kind: Tier, apiVersion: projectcalico.org/v3, order: 1", "order", "unknown field"},
  };
  for (const Row& row : rows) {
    ExpectRefused(fmt::format("{{{}, {}}}", row.spec, kRest), row.field, row.reason);
  }
  ExpectRefused("text", "", "not an object");
  ExpectRefused("{apiVersion: projectcalico.org/v3, kind: Tier}", "metadata", "missing");
}

TEST(Validation, OfClusterInformationIsWhetherItSaysReady) {
  // A directory of files is complete when it was listed, so there the object has no say.
  const Decoded decoded =
      DecodeOne(ObjectYaml("ClusterInformation", "{name: default}", "{datastoreReady: false}"));
  EXPECT_EQ(decoded.ignored_kind, "ClusterInformation");
  EXPECT_TRUE(IsDatastoreReady(R"({"spec":{"datastoreReady":true,"clusterType":"mesos"}})"));
  for (const std::string_view value :
       {"", "{", "null", "[]", "{}", R"({"spec":null})", R"({"spec":{}})",
        R"({"spec":{"datastoreReady":null}})", R"({"spec":{"datastoreReady":false}})",
        R"({"spec":{"datastoreReady":"true"}})", R"({"spec":{"datastoreReady":1}})"}) {
    EXPECT_FALSE(IsDatastoreReady(value)) << value;
  }
}

TEST(Validation, OfStoredKeysAndValues) {
  constexpr std::string_view kSet = "/calico/resources/v3/projectcalico.org/globalnetworksets/s";
  constexpr std::string_view kValue =
      R"({"kind":"GlobalNetworkSet","apiVersion":"projectcalico.org/v3","metadata":{"name":"s"}})";
  EXPECT_TRUE(DecodeEtcdValue(kSet, kValue).value.has_value());
  const std::pair<std::string_view, std::string_view> refused[] = {
      {"", "the value is empty"},
      {"{", "1:"},
      {"[]", "the value says '' of itself"},
      {R"({"kind":"Tier","apiVersion":"projectcalico.org/v3","metadata":{"name":"s"}})", "'Tier'"},
      {R"({"kind":"GlobalNetworkSet","apiVersion":"projectcalico.org/v3","metadata":{"name":"t"}})",
       "'t'"},
      {R"({"kind":"GlobalNetworkSet","apiVersion":"projectcalico.org/v3",
           "metadata":{"name":"s"},"spec":{"nets":[1]}})",
       "not a string"},
  };
  for (const auto& [value, reason] : refused) {
    const Decoded decoded = DecodeEtcdValue(kSet, value);
    EXPECT_FALSE(decoded.value.has_value()) << value;
    ASSERT_TRUE(decoded.refusal.has_value()) << value;
    EXPECT_NE(decoded.refusal->reason.find(reason), std::string::npos)
        << decoded.refusal->ToString();
    EXPECT_EQ(decoded.refusal->origin.rfind(kSet, 0), 0U) << decoded.refusal->origin;
  }
  for (const std::string_view key :
       {"/calico/resources/v3/projectcalico.org/firewalls/s",
        "/calico/resources/v3/projectcalico.org/globalnetworksets/a/s",
        "/calico/resources/v3/projectcalico.org/networkpolicies/s", "/calico/ipam/v2/config"}) {
    const Decoded decoded = DecodeEtcdValue(key, kValue);
    EXPECT_TRUE(decoded.ignored_kind.has_value()) << key;
    EXPECT_FALSE(decoded.value || decoded.refusal) << key;
  }
}

}  // namespace
}  // namespace felix::datastore
