// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "tests/unit/datastore/decoding.h"

namespace felix::datastore {
namespace {

struct Case {
  std::string text;  // a spec, a rule or an entity
  std::string field;
  std::string reason;
};

TEST(GlobalNetworkPolicy, IsRefusedForItsSpec) {
  const Case cases[] = {
      {"{selector: 'has('}", "spec.selector", "does not parse"},
      {"{selector: \"a == 'x') || (has(b)\"}", "spec.selector", "does not parse"},
      {"{selector: null}", "spec.selector", "is null"},
      {"{namespaceSelector: }", "spec.namespaceSelector", "is null"},
      {"{selector: 5}", "spec.selector", "is an integer, not a string"},
      {"{namespaceSelector: a b}", "spec.namespaceSelector", "does not parse"},
      {"{serviceAccountSelector: '&&'}", "spec.serviceAccountSelector", "does not parse"},
      {"{Selector: has(a)}", "spec.Selector", "must be spelled 'selector'"},
      {"{predNAT: true}", "spec.predNAT", "must be spelled 'preDNAT'"},
      {"{tier: a.b}", "spec.tier", "63 lower-case"},
      {"{tier: Sec}", "spec.tier", "lower-case"},
      {"{order: '100'}", "spec.order", "is a string, not a number"},
      {"{order: .nan}", "spec.order", "finite"},
      {"{order: 1e400}", "spec.order", "finite"},
      {"{order: true}", "spec.order", "is a boolean, not a number"},
      {"{types: [Both]}", "spec.types[0]", "neither Ingress nor Egress"},
      {"{types: [Ingress, Ingress]}", "spec.types[1]", "twice"},
      {"{types: Ingress}", "spec.types", "is a string, not a list"},
      {"{types: [1]}", "spec.types[0]", "is an integer, not a string"},
      {"{ingress: {action: Allow}}", "spec.ingress", "is an object, not a list"},
      {"{ingress: [null]}", "spec.ingress[0]", "is null"},
      {"{doNotTrack: true, preDNAT: true, applyOnForward: true}", "spec.preDNAT", "excludes"},
      {"{doNotTrack: true}", "spec.doNotTrack", "applyOnForward"},
      {"{preDNAT: true}", "spec.preDNAT", "applyOnForward"},
      {"{doNotTrack: 'true'}", "spec.doNotTrack", "is a string, not a boolean"},
      {"{preDNAT: true, applyOnForward: true, egress: [{action: Deny}]}", "spec.egress", "egress"},
      {"{preDNAT: true, applyOnForward: true, types: [Egress]}", "spec.types", "egress"},
      {"{performanceHints: [Faster]}", "spec.performanceHints[0]", "unknown hint"},
      {"{ingress: [{action: Allow}], destination: {nets: [10.0.0.0/8]}}", "spec.destination",
       "unknown field"},
      {"[]", "spec", "is a list, not an object"},
  };
  for (const Case& c : cases) ExpectRefused(GlobalPolicyYaml(c.text), c.field, c.reason);
}

TEST(NetworkPolicy, IsRefusedForWhatOnlyGlobalOnesHave) {
  const Case cases[] = {
      {"{namespaceSelector: has(a)}", "spec.namespaceSelector", "not allowed"},
      {"{doNotTrack: true, applyOnForward: true}", "spec.doNotTrack", "not allowed"},
      {"{applyOnForward: true}", "spec.applyOnForward", "not allowed"},
      {"{selector: global()}", "spec.selector", "global()"},
      {"{serviceAccountSelector: has(a) || global()}", "spec.serviceAccountSelector", "global()"},
      {"{ingress: [{action: Allow, source: {selector: global()}}]}",
       "spec.ingress[0].source.selector", "global()"},
      {"{ingress: [{action: Allow, source: {namespaceSelector: global() || has(a)}}]}",
       "spec.ingress[0].source.namespaceSelector", "combined"},
  };
  for (const Case& c : cases) ExpectRefused(PolicyYaml(c.text), c.field, c.reason);
}

TEST(Rule, IsRefusedAsAWholeWithItsPolicy) {
  const Case cases[] = {
      {"{}", "action", "missing"},
      {"{action: Reject}", "action", "none of Allow"},
      {"{action: allow}", "action", "none of Allow"},
      {"{action: 1}", "action", "is an integer, not a string"},
      {"{action: Allow, ipVersion: 5}", "ipVersion", "neither 4 nor 6"},
      {"{action: Allow, ipVersion: 7}", "ipVersion", "not in 4..6"},
      {"{action: Allow, ipVersion: '4'}", "ipVersion", "is a string, not an integer"},
      {"{action: Allow, ipVersion: 4.0}", "ipVersion", "is a number, not an integer"},
      {"{action: Allow, protocol: TCPP}", "protocol", "neither known"},
      {"{action: Allow, protocol: 0}", "protocol", "1..255"},
      {"{action: Allow, protocol: 256}", "protocol", "1..255"},
      {"{action: Allow, protocol: '0'}", "protocol", "1..255"},
      {"{action: Allow, protocol: -1}", "protocol", "1..255"},
      {"{action: Allow, protocol: [TCP]}", "protocol", "is a list, not a string"},
      {"{action: Allow, notProtocol: x}", "notProtocol", "neither known"},
      {"{action: Allow, protocol: ICMP, icmp: {type: 255}}", "icmp.type", "not in 0..254"},
      {"{action: Allow, protocol: ICMP, icmp: {type: -1}}", "icmp.type", "not in 0..254"},
      {"{action: Allow, protocol: ICMP, icmp: {type: 8, code: 256}}", "icmp.code", "0..255"},
      {"{action: Allow, protocol: ICMP, icmp: {code: 0}}", "icmp.type", "missing"},
      {"{action: Allow, protocol: ICMP, icmp: {}}", "icmp.type", "missing"},
      {"{action: Allow, protocol: ICMP, icmp: {type: 8, kode: 1}}", "icmp.kode", "unknown field"},
      {"{action: Allow, protocol: ICMP, notICMP: {type: 255}}", "notICMP.type", "0..254"},
      {"{action: Allow, protocol: TCP, icmp: {type: 8}}", "icmp", "does not go with"},
      {"{action: Allow, notICMP: {type: 8}}", "notICMP", "needs protocol"},
      {"{action: Allow, protocol: ICMP, ipVersion: 6}", "protocol", "IP version 6"},
      {"{action: Allow, protocol: ICMPv6, ipVersion: 4}", "protocol", "IP version 4"},
      {"{action: Allow, protocol: ICMP, source: {nets: [fd00::/8]}}", "source.nets[0]", "IPv4"},
      {"{action: Allow, protocol: null}", "protocol", "is null"},
      {"{action: Allow, source: }", "source", "is null"},
      {"{action: Allow, protocol: ICMP, icmp: {type: 8, code: null}}", "icmp.code", "is null"},
      {"{action: Allow, http: {methods: [GET]}}", "http", "cannot be enforced"},
      {"{action: Allow, sorce: {nets: [10.0.0.0/8]}}", "sorce", "unknown field"},
      {"{action: Allow, Source: {nets: [10.0.0.0/8]}}", "Source", "must be spelled 'source'"},
  };
  for (const Case& c : cases) {
    const std::string suffix = c.field.empty() ? "" : "." + c.field;
    ExpectRefused(GlobalPolicyYaml("{ingress: [{action: Allow}, " + c.text + "]}"),
                  "spec.ingress[1]" + suffix, c.reason);
    ExpectRefused(GlobalPolicyYaml("{egress: [" + c.text + "]}"), "spec.egress[0]" + suffix,
                  c.reason);
    ExpectRefused(ObjectYaml("Profile", "{name: p}", "{ingress: [" + c.text + "]}"),
                  "spec.ingress[0]" + suffix, c.reason);
  }
}

TEST(Rule, IsRefusedForOneOfItsSides) {
  const Case cases[] = {
      {"{nets: [10.0.0.0/33]}", "nets[0]", "not an address or a network"},
      {"{nets: [10.0.0.0/8, '']}", "nets[1]", "not an address or a network"},
      {"{nets: [10.0.0.01]}", "nets[0]", "not an address or a network"},
      {"{nets: ['fe80::1%eth0']}", "nets[0]", "not an address or a network"},
      {"{nets: [example.org]}", "nets[0]", "not an address or a network"},
      {"{nets: [null]}", "nets[0]", "is null, not a string"},
      {"{nets: 10.0.0.0/8}", "nets", "is a string, not a list"},
      {"{nets: [10.0.0.0/8, 'fd00::/8']}", "nets[1]", "in a rule for IPv4"},
      {"{nets: ['fd00::/8'], notNets: [10.0.0.0/8]}", "notNets[0]", "in a rule for IPv6"},
      {"{notNets: [0.0.0.0/0]}", "notNets[0]", "leaves nothing"},
      {"{notNets: ['::/0']}", "notNets[0]", "leaves nothing"},
      {"{notNets: [nonsense]}", "notNets[0]", "not an address or a network"},
      {"{selector: 'a ='}", "selector", "does not parse"},
      {"{selector: \"a == 'x'\\nb\"}", "selector", "does not parse"},
      {"{notSelector: 'has ('}", "notSelector", "does not parse"},
      {"{namespaceSelector: all}", "namespaceSelector", "does not parse"},
      {"{serviceAccounts: {selector: '!'}}", "serviceAccounts.selector", "does not parse"},
      {"{serviceAccounts: {names: [\"a', 'b\"]}}", "serviceAccounts.names[0]", "lower-case"},
      {"{serviceAccounts: {name: a}}", "serviceAccounts.name", "unknown field"},
      {"{services: {name: dns}}", "services", "cannot be enforced"},
      {"{nets: null}", "nets", "is null"},
      {"{notSelector: null}", "notSelector", "is null"},
      {"{serviceAccounts: {names: null}}", "serviceAccounts.names", "is null"},
      {"{net: 10.0.0.0/8}", "net", "unknown field"},
      {"{ports: [http-]}", "ports[0]", "port's name"},
      {"{ports: [a--b]}", "ports[0]", "port's name"},
      {"{ports: [HTTP]}", "ports[0]", "port's name"},
      {"{ports: [abcdefghijklmnop]}", "ports[0]", "port's name"},
      {"{ports: 80}", "ports", "is an integer, not a list"},
      {"{ports: [80]}", "ports[0]", "need protocol"},
      {"{notPorts: ['80:90']}", "notPorts[0]", "need protocol"},
      {"[]", "", "is a list, not an object"},
  };
  for (const Case& c : cases) {
    const std::string suffix = c.field.empty() ? "" : "." + c.field;
    ExpectRefused(GlobalPolicyYaml("{ingress: [{action: Allow, source: " + c.text + "}]}"),
                  "spec.ingress[0].source" + suffix, c.reason);
    ExpectRefused(GlobalPolicyYaml("{egress: [{action: Deny, destination: " + c.text + "}]}"),
                  "spec.egress[0].destination" + suffix, c.reason);
  }
}

TEST(Rule, IsRefusedForPortsThatCannotBe) {
  const Case cases[] = {
      {"{protocol: TCP, destination: {ports: [0]}}", "ports[0]", "1..65535"},
      {"{protocol: TCP, destination: {ports: [80, 65536]}}", "ports[1]", "1..65535"},
      {"{protocol: TCP, destination: {ports: [-1]}}", "ports[0]", "1..65535"},
      {"{protocol: TCP, destination: {ports: ['0']}}", "ports[0]", "1..65535"},
      {"{protocol: TCP, destination: {ports: ['80:70']}}", "ports[0]", "1..65535"},
      {"{protocol: TCP, destination: {ports: ['0:70']}}", "ports[0]", "1..65535"},
      {"{protocol: TCP, destination: {ports: ['80:']}}", "ports[0]", "1..65535"},
      {"{protocol: TCP, destination: {ports: ['1:2:3']}}", "ports[0]", "1..65535"},
      {"{protocol: TCP, destination: {ports: [80.5]}}", "ports[0]", "is a number"},
      {"{protocol: TCP, destination: {ports: ['']}}", "ports[0]", "1..65535"},
      {"{protocol: TCP, destination: {ports: ['80 ']}}", "ports[0]", "port's name"},
      {"{protocol: ICMP, destination: {ports: [80]}}", "ports[0]", "need protocol"},
      {"{protocol: ICMP, destination: {ports: [http]}}", "ports[0]", "need protocol"},
      {"{protocol: UDPLite, destination: {ports: [80]}}", "ports[0]", "need protocol"},
      {"{protocol: 47, destination: {notPorts: [80]}}", "notPorts[0]", "need protocol"},
      {"{notProtocol: UDP, destination: {ports: [80]}}", "ports[0]", "need protocol"},
  };
  for (const Case& c : cases) {
    const std::string rule = "{action: Allow, " + c.text.substr(1);
    ExpectRefused(GlobalPolicyYaml("{egress: [" + rule + "]}"),
                  "spec.egress[0].destination." + c.field, c.reason);
  }
}

TEST(Rule, IsRefusedForAddressesAcrossItsSides) {
  ExpectRefused(GlobalPolicyYaml("{ingress: [{action: Allow, source: {nets: [10.0.0.0/8]}, "
                                 "destination: {nets: ['fd00::1']}}]}"),
                "spec.ingress[0].destination.nets[0]", "fd00::1/128 in a rule for IPv4");
  ExpectRefused(
      GlobalPolicyYaml("{ingress: [{action: Allow, ipVersion: 6, source: {nets: [10.0.0.1]}}]}"),
      "spec.ingress[0].source.nets[0]", "in a rule for IPv6");
}

TEST(Rule, T31_IsRefusedForTheNegationOfAllProtocols) {
  for (const std::string_view zero : {"0", "'0'"}) {
    ExpectRefused(
        GlobalPolicyYaml(fmt::format("{{ingress: [{{action: Allow, notProtocol: {}}}]}}", zero)),
        "spec.ingress[0].notProtocol", "1..255");
  }
}

TEST(Rule, T42_IsTheSameWhateverItsAnnotations) {
  const auto read = [](std::string_view annotations) {
    return DecodeValue<model::Policy>(GlobalPolicyYaml(fmt::format(
        "{{ingress: [{{action: Allow, metadata: {{annotations: {}}}}}]}}", annotations)));
  };
  EXPECT_EQ(read("{a: x, b: y}"), read("{b: y, a: x}"));
  EXPECT_EQ(read("{a: x, b: y}"), read("{}"));
}

TEST(Rule, IsAcceptedAtTheEdges) {
  const std::string rules[] = {
      "{action: Allow, protocol: TCP, notProtocol: TCP}",
      "{action: Allow, source: {ports: [http]}}",
      "{action: Allow, protocol: sctp, source: {ports: [1, 65535, '1:65535', '443']}}",
      "{action: Allow, protocol: '6', source: {ports: [80:90]}}",
      "{action: Allow, protocol: 255}",
      "{action: Allow, protocol: ICMPv6, icmp: {type: 254, code: 255}, ipVersion: 6}",
      "{action: Allow, icmp: {type: 0}}",
      "{action: Allow, protocol: 1, ipVersion: 6}",
      "{action: Allow, source: {nets: ['::/0']}}",
      "{action: Allow, source: {nets: [], selector: ''}, destination: {}}",
  };
  for (const std::string& rule : rules) {
    const auto policy = DecodeValue<model::Policy>(GlobalPolicyYaml("{ingress: [" + rule + "]}"));
    EXPECT_EQ(policy.ingress.size(), 1U) << rule;
  }
}

TEST(Rule, ClearsHostBitsAndKnowsMappedAddresses) {
  const auto policy = DecodeValue<model::Policy>(GlobalPolicyYaml(
      "{ingress: [{action: Allow, source: {nets: [10.1.2.3/8, '::ffff:10.0.0.1', 10.0.0.9]}}]}"));
  ASSERT_EQ(policy.ingress.size(), 1U);
  const std::vector<model::Cidr>& nets = policy.ingress[0].source.nets;
  ASSERT_EQ(nets.size(), 3U);
  EXPECT_EQ(nets[0].ToString(), "10.0.0.0/8");
  EXPECT_EQ(nets[1].ToString(), "10.0.0.1/32");
  EXPECT_EQ(nets[2].ToString(), "10.0.0.9/32");
}

TEST(Rule, TakesAThousandPortsAsTheyAre) {
  std::string ports;
  for (int i = 1; i <= 1000; ++i) ports += (i == 1 ? "" : ", ") + std::to_string(2 * i);
  const auto policy = DecodeValue<model::Policy>(GlobalPolicyYaml(
      "{ingress: [{action: Allow, protocol: UDP, destination: {ports: [" + ports + "]}}]}"));
  ASSERT_EQ(policy.ingress.size(), 1U);
  EXPECT_EQ(policy.ingress[0].destination.ports.ranges.size(), 1000U);
}

TEST(Rule, InProtocolOneByNumberImpliesNoVersion) {
  const auto policy = DecodeValue<model::Policy>(
      GlobalPolicyYaml("{ingress: [{action: Allow, protocol: 1}, {action: Allow, protocol: '58'}, "
                       "{action: Allow, protocol: icmpv6}]}"));
  ASSERT_EQ(policy.ingress.size(), 3U);
  EXPECT_EQ(policy.ingress[0].ip_version, std::nullopt);
  EXPECT_EQ(policy.ingress[1].ip_version, std::nullopt);
  EXPECT_EQ(policy.ingress[2].ip_version, model::IpFamily::kV6);
}

TEST(Refusal, NamesLineAndColumnOfTheField) {
  const Decoded decoded = DecodeOne(R"(
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: p}
spec:
  ingress:
  - action: Allow
    source:
      nets:
      - 10.0.0.0/8
      - 10.0.0.0/88
)");
  ASSERT_TRUE(decoded.refusal.has_value());
  EXPECT_EQ(decoded.refusal->ToString(),
            "t.yaml:11:9: GlobalNetworkPolicy p: spec.ingress[0].source.nets[1]: '10.0.0.0/88' is "
            "not an address or a network");
}

}  // namespace
}  // namespace felix::datastore
