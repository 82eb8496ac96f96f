// SPDX-License-Identifier: Apache-2.0
// The rules by which objects are judged, one row each. The tests of the single kinds go deeper.
#include <string>

#include "gtest/gtest.h"

#include "tests/unit/datastore/decoding.h"

namespace felix::datastore {
namespace {

struct Row {
  std::string object;
  std::string field = {};   // at fault; empty: the object is accepted
  std::string reason = {};  // part of it
};

void Judge(const Row& row) {
  SCOPED_TRACE(row.object.substr(0, 300));
  EXPECT_EQ(row.field.empty(), row.reason.empty()) << "a row without a reason proves little";
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

std::string Annotated(std::string_view annotations) {
  return ObjectYaml("GlobalNetworkSet", fmt::format("{{name: s, annotations: {}}}", annotations),
                    "{}");
}

std::string GlobalPolicyNamed(const std::string& name) {
  return Named("GlobalNetworkPolicy", name);
}

std::string PolicyNamed(const std::string& name) {
  return ObjectYaml("NetworkPolicy", fmt::format("{{name: {}, namespace: prod}}", name), "{}");
}

TEST(Validation, OfNamesAndLabels) {
  const Row rows[] = {
      {Named("GlobalNetworkSet", std::string(253, 'a'))},
      {Named("GlobalNetworkSet", std::string(254, 'a')), "metadata.name", "more than 253"},
      {Named("GlobalNetworkSet", "a.b-c.0")},
      {Named("GlobalNetworkSet", "A"), "metadata.name", "not lower-case"},
      {Named("GlobalNetworkSet", "a..b"), "metadata.name", "not lower-case"},
      {Named("GlobalNetworkSet", "-a"), "metadata.name", "not lower-case"},
      {Named("GlobalNetworkSet", ""), "metadata.name", "missing"},
      {Named("Tier", std::string(63, 'a'))},
      {Named("Tier", std::string(64, 'a')), "metadata.name", "63"},
      {Named("Tier", "a.b"), "metadata.name", "63"},
      {GlobalPolicyNamed("a")},
      {GlobalPolicyNamed("sec.a-1")},
      {GlobalPolicyNamed("kcnp.kube-admin.a.b")},
      {GlobalPolicyNamed("a.b.c"), "metadata.name", "more than two parts"},
      {PolicyNamed("default.a")},
      {PolicyNamed("knp.default.a.b")},
      {PolicyNamed("ossg.default.a.b")},
      {PolicyNamed("a.b.c"), "metadata.name", "more than two parts"},
      {PolicyNamed("kcnp.kube-admin.a"), "metadata.name", "more than two parts"},
      {Named("NetworkSet", "s"), "metadata.namespace", "missing"},
      {ObjectYaml("NetworkSet", "{name: s, namespace: a.b}", "{}"), "metadata.namespace", "63"},
      {ObjectYaml("Tier", "{name: t, namespace: a}", "{}"), "metadata.namespace", "not allowed"},
      {Labelled("{'example.org/key': 'Value_1.x-y'}")},
      {Labelled("{key: ''}")},
      {Labelled("{'a b': x}"), "metadata.labels", "a b"},
      {Labelled("{'/a': x}"), "metadata.labels", "/a"},
      {Labelled("{" + std::string(63, 'k') + ": x}")},
      {Labelled("{" + std::string(64, 'k') + ": x}"), "metadata.labels", "qualified name"},
      {Labelled("{k: " + std::string(63, 'v') + "}")},
      {Labelled("{k: " + std::string(64, 'v') + "}"), "metadata.labels", "more than 63"},
      {Labelled("{k: '-v'}"), "metadata.labels", "alphanumeric edges"},
      {Labelled("{k: 1}"), "metadata.labels.k", "not a string"},
      {Labelled("{'A.org/k': x}"), "metadata.labels", "not a DNS name"},
      {Annotated("{example.org/why: any text}")},
      {Annotated("{'a b': x}"), "metadata.annotations", "not a qualified name"},
      {Annotated("{k: " + std::string((256 << 10) - 1, 'v') + "}")},
      {Annotated("{k: " + std::string(256 << 10, 'v') + "}"), "metadata.annotations",
       "more than 262144"},
      {ObjectYaml("NetworkSet", "{name: s, namespace: a, labels: {projectcalico.org/namespace: a}}",
                  "{}")},
      {Labelled("{projectcalico.org/namespace: x}"), "metadata.labels", "the system's"},
  };
  for (const Row& row : rows) Judge(row);
}

TEST(Validation, OfPolicies) {
  const Row rows[] = {
      {GlobalPolicyYaml("{}")},
      {GlobalPolicyYaml("{selector: ''}")},
      {GlobalPolicyYaml("{selector: \"has(" + std::string(512, 'a') + ") || has(" +
                        std::string(512, 'b') + ")\"}")},
      {GlobalPolicyYaml("{selector: null}"), "spec.selector", "is null"},
      {GlobalPolicyYaml("{tier: t}")},
      {GlobalPolicyYaml("{tier: a.b}"), "spec.tier", "63"},
      {GlobalPolicyYaml("{selector: 'a = 1'}"), "spec.selector", "does not parse"},
      {GlobalPolicyYaml("{namespaceSelector: a}"), "spec.namespaceSelector", "does not parse"},
      {GlobalPolicyYaml("{serviceAccountSelector: a}"), "spec.serviceAccountSelector", "parse"},
      {GlobalPolicyYaml("{types: [Egress, Ingress]}")},
      {GlobalPolicyYaml("{types: [Other]}"), "spec.types[0]", "neither"},
      {GlobalPolicyYaml("{types: [Egress, Egress]}"), "spec.types[1]", "twice"},
      {GlobalPolicyYaml("{types: []}")},
      {GlobalPolicyYaml("{order: -1.5}")},
      {GlobalPolicyYaml("{order: '1'}"), "spec.order", "not a number"},
      {GlobalPolicyYaml("{doNotTrack: true, applyOnForward: true}")},
      {GlobalPolicyYaml("{doNotTrack: true}"), "spec.doNotTrack", "applyOnForward"},
      {GlobalPolicyYaml("{preDNAT: true, applyOnForward: true, ingress: [{action: Deny}]}")},
      {GlobalPolicyYaml("{preDNAT: true, applyOnForward: true, egress: [{action: Deny}]}"),
       "spec.egress", "no egress"},
      {GlobalPolicyYaml("{preDNAT: true}"), "spec.preDNAT", "applyOnForward"},
      {GlobalPolicyYaml("{preDNAT: true, doNotTrack: true, applyOnForward: true}"), "spec.preDNAT",
       "excludes"},
      {GlobalPolicyYaml("{preDNAT: true, applyOnForward: true, types: [Egress]}"), "spec.types",
       "egress"},
      {GlobalPolicyYaml("{performanceHints: [AssumeNeededOnEveryNode]}")},
      {GlobalPolicyYaml("{performanceHints: [x]}"), "spec.performanceHints[0]", "unknown hint"},
      {GlobalPolicyYaml("{conditions: []}"), "spec.conditions", "unknown field"},
      {GlobalPolicyYaml("[]"), "spec", "not an object"},
      {PolicyYaml("{preDNAT: true, applyOnForward: true}"), "spec.preDNAT", "not allowed"},
      {PolicyYaml("{doNotTrack: true, applyOnForward: true}"), "spec.doNotTrack", "not allowed"},
      {PolicyYaml("{applyOnForward: true}"), "spec.applyOnForward", "not allowed"},
      {PolicyYaml("{namespaceSelector: has(a)}"), "spec.namespaceSelector", "not allowed"},
      {PolicyYaml("{selector: global()}"), "spec.selector", "global()"},
      {PolicyYaml("{ingress: [{action: Allow, source: {namespaceSelector: global()}}]}")},
      {PolicyYaml("{ingress: [{action: Allow, source: {namespaceSelector: global() || has(a)}}]}"),
       "spec.ingress[0].source.namespaceSelector", "combined with other terms"},
      {PolicyYaml("{ingress: [{action: Allow, source: {selector: global()}}]}"),
       "spec.ingress[0].source.selector", "global()"},
      // How much a policy may hold is the business of who writes it: felix takes any length, since
      // refusing one half of a policy is worse than compiling a long one.
      {GlobalPolicyYaml("{egress: [" + Repeat("{action: Deny}", 1025) + "]}")},
      {Rule("{action: Deny, source: {nets: [" + Repeat("10.0.0.1", 257) + "]}}")},
      {Rule("{action: Deny, protocol: TCP, source: {ports: [" + Repeat("1", 51) + "]}}")},
  };
  for (const Row& row : rows) Judge(row);
}

TEST(Validation, OfRules) {
  const Row rows[] = {
      {Rule("{action: Allow}")},
      {Rule("{}"), "spec.egress[0].action", "missing"},
      {Rule("{action: Accept}"), "spec.egress[0].action", "none of"},
      {Rule("{action: Deny, ipVersion: 5}"), "spec.egress[0].ipVersion", "neither"},
      {Rule("{action: Pass}")},
      {Rule("{action: Deny, ipVersion: 4}")},
      {Rule("{action: Deny, notProtocol: SCTP}")},
      {Rule("{action: Deny, notProtocol: 256}"), "spec.egress[0].notProtocol", "1..255"},
      {Rule("{action: Deny, protocol: 255}")},
      {Rule("{action: Deny, protocol: '17'}")},
      {Rule("{action: Deny, protocol: 0}"), "spec.egress[0].protocol", "1..255"},
      {Rule("{action: Deny, protocol: 256}"), "spec.egress[0].protocol", "1..255"},
      {Rule("{action: Deny, protocol: GRE}"), "spec.egress[0].protocol", "neither known"},
      {Rule("{action: Deny, protocol: ICMP, icmp: {type: 254, code: 255}}")},
      {Rule("{action: Deny, protocol: ICMP, notICMP: {type: 255}}"), "spec.egress[0].notICMP.type",
       "0..254"},
      {Rule("{action: Deny, protocol: ICMP, icmp: {type: 255}}"), "spec.egress[0].icmp.type",
       "0..254"},
      {Rule("{action: Deny, protocol: ICMP, icmp: {type: 1, code: 256}}"),
       "spec.egress[0].icmp.code", "0..255"},
      {Rule("{action: Deny, protocol: ICMP, icmp: {code: 1}}"), "spec.egress[0].icmp.type",
       "missing"},
      {Rule("{action: Deny, protocol: ICMP, ipVersion: 6}"), "spec.egress[0].protocol", "version"},
      {Rule("{action: Deny, protocol: ICMPv6, ipVersion: 4}"), "spec.egress[0].protocol",
       "version"},
      {Rule("{action: Deny, protocol: SCTP, destination: {ports: [1, '2', '3:4', a]}}")},
      {Rule("{action: Deny, destination: {ports: [a]}}")},
      {Rule("{action: Deny, destination: {ports: [1]}}"), "spec.egress[0].destination.ports[0]",
       "need protocol"},
      {Rule("{action: Deny, protocol: UDPLite, destination: {ports: [1]}}"),
       "spec.egress[0].destination.ports[0]", "need protocol"},
      {Rule("{action: Deny, protocol: TCP, destination: {ports: [0]}}"),
       "spec.egress[0].destination.ports[0]", "1..65535"},
      {Rule("{action: Deny, protocol: TCP, source: {notPorts: [65535]}}")},
      {Rule("{action: Deny, protocol: TCP, source: {notPorts: [65536]}}"),
       "spec.egress[0].source.notPorts[0]", "1..65535"},
      {Rule("{action: Deny, protocol: 17, destination: {ports: ['8:8']}}")},
      {Rule("{action: Deny, protocol: TCP, destination: {ports: ['9:8']}}"),
       "spec.egress[0].destination.ports[0]", "1..65535"},
      {Rule("{action: Deny, protocol: TCP, destination: {ports: [no_name]}}"),
       "spec.egress[0].destination.ports[0]", "name"},
      {Rule("{action: Deny, source: {nets: [10.0.0.0/33]}}"), "spec.egress[0].source.nets[0]",
       "not an address"},
      {Rule("{action: Deny, source: {nets: [10.0.0.1/8, 192.0.2.1]}}")},
      {Rule("{action: Deny, source: {nets: [10.0.0.1]}, destination: {notNets: ['::1']}}"),
       "spec.egress[0].destination.notNets[0]", "IPv4"},
      {Rule("{action: Deny, source: {notNets: ['::/0']}}"), "spec.egress[0].source.notNets[0]",
       "leaves nothing"},
      {Rule("{action: Deny, source: {nets: ['::/0']}}")},
      {Rule("{action: Deny, ipVersion: 4, source: {nets: ['::1']}}"),
       "spec.egress[0].source.nets[0]", "IPv4"},
      {Rule("{action: Deny, source: {notNets: ['0.0.0.0/0']}}"), "spec.egress[0].source.notNets[0]",
       "leaves nothing"},
      {Rule("{action: Deny, source: {selector: 'has('}}"), "spec.egress[0].source.selector",
       "parse"},
      {Rule("{action: Deny, source: {notSelector: '!'}}"), "spec.egress[0].source.notSelector",
       "parse"},
      {Rule("{action: Deny, source: {namespaceSelector: 'a =='}}"),
       "spec.egress[0].source.namespaceSelector", "parse"},
      {Rule("{action: Deny, source: {serviceAccounts: {names: [a], selector: has(b)}}}")},
      {Rule("{action: Deny, source: {serviceAccounts: {names: ['a b']}}}"),
       "spec.egress[0].source.serviceAccounts.names[0]", "not lower-case"},
      {Rule("{action: Deny, source: {serviceAccounts: {selector: '('}}}"),
       "spec.egress[0].source.serviceAccounts.selector", "parse"},
      {Rule("{action: Deny, source: {net: 10.0.0.1}}"), "spec.egress[0].source.net",
       "unknown field"},
      {Rule("{action: Deny, destination: {services: {name: a, namespace: b}}}"),
       "spec.egress[0].destination.services", "cannot be enforced"},
      {Rule("{action: Allow, http: {methods: [GET]}}"), "spec.egress[0].http",
       "cannot be enforced"},
      {Rule("{action: Allow, metadata: {annotations: {why: audit}}}")},
      {Named("Profile", "p", "{ingress: [{action: Pass}]}"), "spec.ingress[0].action", "Pass"},
  };
  for (const Row& row : rows) Judge(row);
}

TEST(Validation, OfWorkloadEndpoints) {
  const auto named = [](std::string_view name, std::string_view spec) {
    return ObjectYaml("WorkloadEndpoint", fmt::format("{{name: '{}', namespace: a}}", name),
                      fmt::format("{{{}, ipNetworks: [10.0.0.1], interfaceName: cali1}}", spec));
  };
  const Row rows[] = {
      {named("n1-k8s-p1-eth0", "node: n1, orchestrator: k8s, pod: p1, endpoint: eth0")},
      {named("n1-vm-w1-eth0", "node: n1, orchestrator: vm, workload: w1, endpoint: eth0")},
      {named("n1-cni-c1", "node: n1"), "metadata.name", "inner dashes doubled"},
      {named("n1-cni-c1-eth0", "node: n2, orchestrator: cni, containerID: c1, endpoint: eth0"),
       "spec.node", "the name says 'n1'"},
      {named("n1-cni-c1-eth0", "node: n1, orchestrator: cni, endpoint: eth0"), "spec.containerID",
       "the name says 'c1'"},
      {named("n1-cni-c_1-eth0", "node: n1, orchestrator: cni, containerID: c_1, endpoint: eth0"),
       "spec.containerID", "inner dashes"},
      {EndpointWith("mac: 'ee:ee:ee:ee:ee:ee'")},
      {EndpointWith("mac: 'ee:ee'"), "spec.mac", "MAC"},
      {Endpoint("interfaceName: cali1"), "spec.ipNetworks", "missing or empty"},
      {Endpoint("ipNetworks: ['fd00::1/128'], interfaceName: cali1")},
      {Endpoint("ipNetworks: [10.0.0.0/24], interfaceName: cali1"), "spec.ipNetworks[0]",
       "single address"},
      {Endpoint("ipNetworks: [10.0.0.1]"), "spec.interfaceName", "missing"},
      {Endpoint("ipNetworks: [10.0.0.1], interfaceName: abcdefghijklmno")},
      {Endpoint("ipNetworks: [10.0.0.1], interfaceName: abcdefghijklmnop"), "spec.interfaceName",
       "not an interface's name"},
      {Endpoint("ipNetworks: [10.0.0.1], interfaceName: '*'"), "spec.interfaceName",
       "not an interface's name"},
      {EndpointWith("ports: [{name: a, protocol: TCP, port: 1}]")},
      {EndpointWith("ports: [{protocol: TCP, port: 1, hostPort: 2}]")},
      {EndpointWith("ports: [{protocol: TCP, port: 1}]"), "spec.ports[0].name", "missing"},
      {EndpointWith("ports: [{protocol: TCP, port: 1, hostPort: 0}]"), "spec.ports[0].name",
       "missing"},
      {EndpointWith("ports: [{name: a--b, protocol: TCP, port: 1}]"), "spec.ports[0].name",
       "not a port's name"},
      {EndpointWith("ports: [{name: a, protocol: ICMP, port: 1}]"), "spec.ports[0].protocol",
       "none of TCP"},
      {EndpointWith("ports: [{name: a, protocol: TCP, port: 0}]"), "spec.ports[0].port",
       "1..65535"},
      {EndpointWith("ports: [{name: a, protocol: TCP, port: 1, hostPort: 65536}]"),
       "spec.ports[0].hostPort", "0..65535"},
      {EndpointWith("profiles: [kns.a, Net_1]")},
      {EndpointWith("profiles: ['a b']"), "spec.profiles[0]", "not letters"},
      {EndpointWith("serviceAccountName: web")},
      {EndpointWith("serviceAccountName: W"), "spec.serviceAccountName", "not lower-case"},
      {EndpointWith("allowSpoofedSourcePrefixes: [192.0.2.0/24, '::1']")},
      {EndpointWith("allowSpoofedSourcePrefixes: [x]"), "spec.allowSpoofedSourcePrefixes[0]",
       "not an address"},
      {EndpointWith("ipv4Gateway: 169.254.1.1, ipv6Gateway: 'fe80::1'")},
      {EndpointWith("ipv4Gateway: x"), "spec.ipv4Gateway", "IPv4"},
      {EndpointWith("ipv6Gateway: 10.0.0.1"), "spec.ipv6Gateway", "IPv6"},
      {EndpointWith("ipNATs: [{internalIP: 10.0.0.1, externalIP: 192.0.2.1}]")},
      {EndpointWith("ipNATs: [{internalIP: 10.0.0.2, externalIP: 192.0.2.1}]"),
       "spec.ipNATs[0].internalIP", "not in ipNetworks"},
      {EndpointWith("ipNATs: [{internalIP: 10.0.0.1, externalIP: '2001:db8::1'}]"),
       "spec.ipNATs[0].externalIP", "another family"},
      {EndpointWith("ipNATs: [{internalIP: 10.0.0.1}]"), "spec.ipNATs[0].externalIP", "missing"},
      {EndpointWith("ipNATs: [{internalIP: 10.0.0.0/8, externalIP: 192.0.2.1}]"),
       "spec.ipNATs[0].internalIP", "not an address"},
      {EndpointWith("ipNATs: {}"), "spec.ipNATs", "not a list"},
  };
  for (const Row& row : rows) Judge(row);
}

}  // namespace
}  // namespace felix::datastore
