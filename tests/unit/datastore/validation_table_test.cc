// SPDX-License-Identifier: Apache-2.0
// The rules by which objects are judged, one row each. The tests of the single kinds go deeper.
#include <string>

#include "gtest/gtest.h"

#include "tests/unit/datastore/decoding.h"

namespace felix::datastore {
namespace {

struct Row {
  std::string object;
  std::string field;   // at fault; empty: the object is accepted
  std::string reason;  // part of it
};

void Judge(const Row& row) {
  SCOPED_TRACE(row.object);
  if (!row.field.empty()) return ExpectRefused(row.object, row.field, row.reason);
  const Decoded decoded = DecodeOne(row.object);
  EXPECT_FALSE(decoded.refusal.has_value()) << decoded.refusal->ToString();
  EXPECT_TRUE(decoded.value.has_value());
}

std::string Repeat(std::string_view item, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text.append(i == 0 ? "" : ", ").append(item);
  return text;
}

std::string Named(std::string_view kind, const std::string& name, std::string_view spec = "{}") {
  return ObjectYaml(kind, "{name: '" + name + "'}", spec);
}

std::string Rule(std::string_view rule) {
  return GlobalPolicyYaml(fmt::format("{{egress: [{}]}}", rule));
}

std::string Endpoint(std::string_view spec) {
  return ObjectYaml("WorkloadEndpoint", "{name: n1-cni-c1-eth0, namespace: default}",
                    fmt::format("{{orchestrator: cni, node: n1, containerID: c1, endpoint: eth0, "
                                "{}}}",
                                spec));
}

std::string EndpointWith(std::string_view more) {
  return Endpoint(fmt::format("ipNetworks: [10.0.0.1/32], interfaceName: cali1, {}", more));
}

std::string Labelled(std::string_view labels) {
  return ObjectYaml("GlobalNetworkSet", fmt::format("{{name: s, labels: {}}}", labels), "{}");
}

TEST(Validation, OfNamesAndLabels) {
  const Row rows[] = {
      {Named("GlobalNetworkSet", std::string(253, 'a')), "", ""},
      {Named("GlobalNetworkSet", std::string(254, 'a')), "metadata.name", "more than 253"},
      {Named("GlobalNetworkSet", "a.b-c.0"), "", ""},
      {Named("GlobalNetworkSet", "A"), "metadata.name", ""},
      {Named("GlobalNetworkSet", "a..b"), "metadata.name", ""},
      {Named("GlobalNetworkSet", "-a"), "metadata.name", ""},
      {Named("GlobalNetworkSet", ""), "metadata.name", "missing"},
      {Named("Tier", std::string(63, 'a')), "", ""},
      {Named("Tier", std::string(64, 'a')), "metadata.name", "63"},
      {Named("Tier", "a.b"), "metadata.name", "63"},
      {Labelled("{'example.org/key': 'Value_1.x-y'}"), "", ""},
      {Labelled("{key: ''}"), "", ""},
      {Labelled("{'a b': x}"), "metadata.labels", "a b"},
      {Labelled("{'/a': x}"), "metadata.labels", "/a"},
      {Labelled("{" + std::string(63, 'k') + ": x}"), "", ""},
      {Labelled("{" + std::string(64, 'k') + ": x}"), "metadata.labels", ""},
      {Labelled("{k: " + std::string(63, 'v') + "}"), "", ""},
      {Labelled("{k: " + std::string(64, 'v') + "}"), "metadata.labels", "more than 63"},
      {Labelled("{k: '-v'}"), "metadata.labels", ""},
      {Labelled("{projectcalico.org/namespace: x}"), "metadata.labels", ""},
  };
  for (const Row& row : rows) Judge(row);
}

TEST(Validation, OfPolicies) {
  const Row rows[] = {
      {GlobalPolicyYaml("{}"), "", ""},
      {GlobalPolicyYaml("{selector: ''}"), "", ""},
      {GlobalPolicyYaml("{selector: 'a = 1'}"), "spec.selector", "does not parse"},
      {GlobalPolicyYaml("{namespaceSelector: a}"), "spec.namespaceSelector", "does not parse"},
      {GlobalPolicyYaml("{serviceAccountSelector: a}"), "spec.serviceAccountSelector", "parse"},
      {GlobalPolicyYaml("{types: [Egress, Ingress]}"), "", ""},
      {GlobalPolicyYaml("{types: [Other]}"), "spec.types[0]", "neither"},
      {GlobalPolicyYaml("{types: [Egress, Egress]}"), "spec.types[1]", "twice"},
      {GlobalPolicyYaml("{order: '1'}"), "spec.order", "not a number"},
      {GlobalPolicyYaml("{doNotTrack: true, applyOnForward: true}"), "", ""},
      {GlobalPolicyYaml("{doNotTrack: true}"), "spec.doNotTrack", "applyOnForward"},
      {GlobalPolicyYaml("{preDNAT: true}"), "spec.preDNAT", "applyOnForward"},
      {GlobalPolicyYaml("{preDNAT: true, doNotTrack: true, applyOnForward: true}"), "spec.preDNAT",
       "excludes"},
      {GlobalPolicyYaml("{preDNAT: true, applyOnForward: true, types: [Egress]}"), "spec.types",
       "egress"},
      {GlobalPolicyYaml("{performanceHints: [AssumeNeededOnEveryNode]}"), "", ""},
      {GlobalPolicyYaml("{performanceHints: [x]}"), "spec.performanceHints[0]", "unknown hint"},
      {GlobalPolicyYaml("{conditions: []}"), "spec.conditions", "unknown field"},
      {PolicyYaml("{preDNAT: true, applyOnForward: true}"), "spec.preDNAT", "not allowed"},
      {PolicyYaml("{selector: global()}"), "spec.selector", "global()"},
      {PolicyYaml("{ingress: [{action: Allow, source: {namespaceSelector: global()}}]}"), "", ""},
      // How much a policy may hold is the business of who writes it: felix takes any length, since
      // refusing one half of a policy is worse than compiling a long one.
      {GlobalPolicyYaml("{egress: [" + Repeat("{action: Deny}", 1025) + "]}"), "", ""},
      {Rule("{action: Deny, source: {nets: [" + Repeat("10.0.0.1", 257) + "]}}"), "", ""},
  };
  for (const Row& row : rows) Judge(row);
}

TEST(Validation, OfRules) {
  const Row rows[] = {
      {Rule("{action: Allow}"), "", ""},
      {Rule("{}"), "spec.egress[0].action", "missing"},
      {Rule("{action: Accept}"), "spec.egress[0].action", "none of"},
      {Rule("{action: Deny, ipVersion: 5}"), "spec.egress[0].ipVersion", "neither"},
      {Rule("{action: Deny, protocol: 255}"), "", ""},
      {Rule("{action: Deny, protocol: '17'}"), "", ""},
      {Rule("{action: Deny, protocol: 0}"), "spec.egress[0].protocol", "1..255"},
      {Rule("{action: Deny, protocol: 256}"), "spec.egress[0].protocol", "1..255"},
      {Rule("{action: Deny, protocol: GRE}"), "spec.egress[0].protocol", "neither known"},
      {Rule("{action: Deny, protocol: ICMP, icmp: {type: 254, code: 255}}"), "", ""},
      {Rule("{action: Deny, protocol: ICMP, icmp: {type: 255}}"), "spec.egress[0].icmp.type",
       "0..254"},
      {Rule("{action: Deny, protocol: ICMP, icmp: {type: 1, code: 256}}"),
       "spec.egress[0].icmp.code", "0..255"},
      {Rule("{action: Deny, protocol: ICMP, icmp: {code: 1}}"), "spec.egress[0].icmp.type",
       "missing"},
      {Rule("{action: Deny, protocol: ICMP, ipVersion: 6}"), "spec.egress[0].protocol", "version"},
      {Rule("{action: Deny, protocol: ICMPv6, ipVersion: 4}"), "spec.egress[0].protocol",
       "version"},
      {Rule("{action: Deny, protocol: SCTP, destination: {ports: [1, '2', '3:4', a]}}"), "", ""},
      {Rule("{action: Deny, destination: {ports: [a]}}"), "", ""},
      {Rule("{action: Deny, destination: {ports: [1]}}"), "spec.egress[0].destination.ports[0]",
       "need protocol"},
      {Rule("{action: Deny, protocol: UDPLite, destination: {ports: [1]}}"),
       "spec.egress[0].destination.ports[0]", "need protocol"},
      {Rule("{action: Deny, protocol: TCP, destination: {ports: [0]}}"),
       "spec.egress[0].destination.ports[0]", "1..65535"},
      {Rule("{action: Deny, protocol: TCP, destination: {ports: ['9:8']}}"),
       "spec.egress[0].destination.ports[0]", "1..65535"},
      {Rule("{action: Deny, protocol: TCP, destination: {ports: [no_name]}}"),
       "spec.egress[0].destination.ports[0]", "name"},
      {Rule("{action: Deny, source: {nets: [10.0.0.0/33]}}"), "spec.egress[0].source.nets[0]",
       "not an address"},
      {Rule("{action: Deny, ipVersion: 4, source: {nets: ['::1']}}"),
       "spec.egress[0].source.nets[0]", "IPv4"},
      {Rule("{action: Deny, source: {notNets: ['0.0.0.0/0']}}"), "spec.egress[0].source.notNets[0]",
       "leaves nothing"},
      {Rule("{action: Deny, source: {selector: 'has('}}"), "spec.egress[0].source.selector",
       "parse"},
      {Rule("{action: Deny, destination: {services: {name: a, namespace: b}}}"),
       "spec.egress[0].destination.services", "cannot be enforced"},
      {Rule("{action: Allow, http: {methods: [GET]}}"), "spec.egress[0].http",
       "cannot be enforced"},
      {Rule("{action: Allow, metadata: {annotations: {why: audit}}}"), "", ""},
      {Named("Profile", "p", "{ingress: [{action: Pass}]}"), "spec.ingress[0].action", "Pass"},
  };
  for (const Row& row : rows) Judge(row);
}

TEST(Validation, OfEndpointsSetsAndPools) {
  const Row rows[] = {
      {EndpointWith("mac: 'ee:ee:ee:ee:ee:ee'"), "", ""},
      {EndpointWith("mac: 'ee:ee'"), "spec.mac", "MAC"},
      {Endpoint("interfaceName: cali1"), "spec.ipNetworks", "missing or empty"},
      {Endpoint("ipNetworks: [10.0.0.0/24], interfaceName: cali1"), "spec.ipNetworks[0]",
       "single address"},
      {Endpoint("ipNetworks: [10.0.0.1]"), "spec.interfaceName", ""},
      {Endpoint("ipNetworks: [10.0.0.1], interfaceName: abcdefghijklmnop"), "spec.interfaceName",
       ""},
      {EndpointWith("ports: [{name: a, protocol: TCP, port: 1}]"), "", ""},
      {EndpointWith("ports: [{name: a, protocol: ICMP, port: 1}]"), "spec.ports[0].protocol",
       "none of TCP"},
      {EndpointWith("ports: [{name: a, protocol: TCP, port: 0}]"), "spec.ports[0].port", ""},
      {EndpointWith("allowSpoofedSourcePrefixes: [x]"), "spec.allowSpoofedSourcePrefixes[0]", ""},
      {EndpointWith("ipv4Gateway: x"), "spec.ipv4Gateway", "IPv4"},
      {Named("GlobalNetworkSet", "s", "{nets: [10.0.0.1, '::/0']}"), "", ""},
      {Named("GlobalNetworkSet", "s", "{nets: [x]}"), "spec.nets[0]", ""},
      {Named("IPPool", "p", "{cidr: 10.0.0.0/16}"), "", ""},
      {Named("IPPool", "p", "{cidr: 10.0.0.1/16}"), "spec.cidr", "host bits"},
      {Named("Tier", "t", "{order: x}"), "spec.order", "not a number"},
  };
  for (const Row& row : rows) Judge(row);
}

}  // namespace
}  // namespace felix::datastore
