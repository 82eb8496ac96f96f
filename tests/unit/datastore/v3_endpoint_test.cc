// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_endpoint.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/unit/datastore/decoding.h"

namespace felix::datastore {
namespace {

using model::WorkloadEndpoint;
using ::testing::ElementsAre;

constexpr std::string_view kMesos = R"(
{"kind":"WorkloadEndpoint","apiVersion":"projectcalico.org/v3","metadata":{"name":"mesos--1-cni-ab12-eth0","namespace":"default",
 "labels":{"projectcalico.org/namespace":"default","projectcalico.org/orchestrator":"cni"}},
 "spec":{"orchestrator":"cni","node":"mesos-1","containerID":"ab12","endpoint":"eth0","ipNetworks":["10.0.0.1/32"],"interfaceName":"caliab12"}})";

constexpr std::string_view kKubernetes = R"(
{"kind":"WorkloadEndpoint","apiVersion":"projectcalico.org/v3","metadata":{"name":"n1-k8s-web--1-eth0","generateName":"web-","namespace":"prod",
 "uid":"5f5d3f6e-8d5b-4a4c-9c0e-1f4f3c0c1b11","creationTimestamp":"2024-05-01T10:00:00Z",
 "labels":{"app":"web","projectcalico.org/namespace":"prod","projectcalico.org/orchestrator":"k8s","projectcalico.org/serviceaccount":"web"}},
 "spec":{"orchestrator":"k8s","workload":"","node":"n1","containerID":"0a1b2c","pod":"web-1","endpoint":"eth0","serviceAccountName":"web",
  "ipNetworks":["fd00::7/128","10.0.0.7/32"],"ipNATs":[{"internalIP":"10.0.0.7","externalIP":"172.18.9.7"}],
  "ipv4Gateway":"169.254.1.1","profiles":["kns.prod","ksa.prod.web"],"interfaceName":"cali0123456789a","mac":"ee:ee:ee:ee:ee:ee",
  "ports":[{"name":"http","protocol":"TCP","port":8080,"hostPort":0},{"name":"dns","protocol":"UDP","port":5353},{"protocol":"TCP","port":9,"hostPort":9}],
  "allowSpoofedSourcePrefixes":["192.0.2.1/24"]}})";

// A sound endpoint but for what `spec` says, which comes last and so must not repeat a field.
std::string EndpointYaml(std::string_view spec, std::string_view networks = "[10.0.0.1]",
                         std::string_view interface = "cali1") {
  return ObjectYaml("WorkloadEndpoint", "{name: n1-cni-c1-eth0, namespace: prod}",
                    fmt::format("{{node: n1, orchestrator: cni, containerID: c1, endpoint: eth0, "
                                "ipNetworks: {}, interfaceName: {}{}{}}}",
                                networks, interface, spec.empty() ? "" : ", ", spec));
}

TEST(WorkloadEndpoint, OfMesosIsConverted) {
  EXPECT_EQ(DecodeOne(kMesos).key,
            model::Key(model::WorkloadEndpointId{"mesos-1", "cni", "default/ab12", "eth0"}));
  const auto endpoint = DecodeValue<WorkloadEndpoint>(kMesos);
  EXPECT_TRUE(endpoint.admin_up);
  EXPECT_EQ(endpoint.interface_name, "caliab12");
  EXPECT_THAT(endpoint.addresses, ElementsAre(*model::IpAddress::Parse("10.0.0.1")));
}

TEST(WorkloadEndpoint, MapsOnlyItsOwnAddressesAndWithinOneFamily) {
  const auto refused = [](std::string_view mapping, std::string_view field,
                          std::string_view reason) {
    ExpectRefused(EndpointYaml(fmt::format("ipNATs: [{}]", mapping)),
                  fmt::format("spec.ipNATs[0].{}", field), reason);
  };
  refused("{internalIP: 10.0.0.2, externalIP: 192.0.2.1}", "internalIP", "not in ipNetworks");
  refused("{internalIP: 10.0.0.1, externalIP: 'fd00::1'}", "externalIP", "another family");
  refused("{internalIP: 10.0.0.1}", "externalIP", "missing");
  refused("{internalIP: x, externalIP: 192.0.2.1}", "internalIP", "not an address");
}

TEST(WorkloadEndpoint, OfKubernetesIsConverted) {
  EXPECT_EQ(DecodeOne(kKubernetes).key,
            model::Key(model::WorkloadEndpointId{"n1", "k8s", "prod/web-1", "eth0"}));
  const auto endpoint = DecodeValue<WorkloadEndpoint>(kKubernetes);
  EXPECT_THAT(endpoint.addresses, ElementsAre(*model::IpAddress::Parse("10.0.0.7"),
                                              *model::IpAddress::Parse("fd00::7")));
  EXPECT_THAT(endpoint.nat_mappings,
              ElementsAre(model::NatMapping{*model::IpAddress::Parse("10.0.0.7"),
                                            *model::IpAddress::Parse("172.18.9.7")}));
  EXPECT_THAT(endpoint.profiles, ElementsAre("kns.prod", "ksa.prod.web"));
  EXPECT_THAT(endpoint.ports, ElementsAre(model::NamedPort{"http", model::kTcp, 8080},
                                          model::NamedPort{"dns", model::kUdp, 5353}));
  EXPECT_THAT(endpoint.allow_spoofed_source_prefixes,
              ElementsAre(*model::Cidr::Parse("192.0.2.0/24")));
  EXPECT_EQ(endpoint.labels.ToString(),
            "app=web,projectcalico.org/namespace=prod,projectcalico.org/orchestrator=k8s,"
            "projectcalico.org/serviceaccount=web");
}

TEST(WorkloadEndpoint, CannotImitateSystemLabels) {
  const auto endpoint = DecodeValue<WorkloadEndpoint>(ObjectYaml(
      "WorkloadEndpoint",
      "{name: n1-cni-c1-eth0, namespace: prod, labels: {app: web, pcns.team: x, pcsa.role: y, "
      "projectcalico.org/namespace: kube-system, projectcalico.org/orchestrator: k8s, "
      "projectcalico.org/serviceaccount: admin}}",
      "{node: n1, orchestrator: cni, containerID: c1, endpoint: eth0, ipNetworks: [10.0.0.1], "
      "interfaceName: cali1}"));
  EXPECT_EQ(endpoint.labels.ToString(),
            "app=web,projectcalico.org/namespace=prod,projectcalico.org/orchestrator=cni");
}

struct NameCase {
  std::string name;
  std::string spec;
  std::string field;  // empty: accepted
};

TEST(WorkloadEndpoint, HasANameThatAgreesWithItsSpec) {
  const NameCase cases[] = {
      {"n1-libnetwork-libnetwork-e1", "node: n1, orchestrator: libnetwork, endpoint: e1", ""},
      {"n1-openstack-vm1-e1", "node: n1, orchestrator: openstack, workload: vm1, endpoint: e1", ""},
      {"N1.Example-cni-C1-eth0",
       "node: N1.Example, orchestrator: cni, containerID: C1, endpoint: eth0", ""},
      {"n1-cni-c1", "node: n1, orchestrator: cni, containerID: c1", "metadata.name"},
      {"n1-cni-c1-eth0-x", "node: n1, orchestrator: cni", "metadata.name"},
      {"n1--cni-c1-eth0", "node: n1", "metadata.name"},
      {"n1---cni-c1-eth0", "node: n1", "metadata.name"},
      {"-cni-c1-eth0", "orchestrator: cni", "metadata.name"},
      {"n1-cni-c1-", "node: n1", "metadata.name"},
      {"n 1-cni-c1-eth0", "node: n 1", "metadata.name"},
      {"n1-cni-c1-eth0", "node: n2, orchestrator: cni, containerID: c1, endpoint: eth0",
       "spec.node"},
      {"n1-cni-c1-eth0", "node: N1, orchestrator: cni, containerID: c1, endpoint: eth0",
       "spec.node"},
      {"n1-cni-c1-eth0", "orchestrator: cni, containerID: c1, endpoint: eth0", "spec.node"},
      {"n1-cni-c1-eth0", "node: n1, orchestrator: k8s, pod: c1, endpoint: eth0",
       "spec.orchestrator"},
      {"n1-cni-c1-eth0", "node: n1, orchestrator: cni, containerID: c2, endpoint: eth0",
       "spec.containerID"},
      {"n1-k8s-c1-eth0", "node: n1, orchestrator: k8s, containerID: c1, endpoint: eth0",
       "spec.pod"},
      {"n1-vm-c1-eth0", "node: n1, orchestrator: vm, pod: c1, endpoint: eth0", "spec.workload"},
      {"n1-libnetwork-c1-e1", "node: n1, orchestrator: libnetwork, endpoint: e1",
       "spec.orchestrator"},
      {"n1-cni-c1-eth0", "node: n1, orchestrator: cni, containerID: c1, endpoint: eth1",
       "spec.endpoint"},
      {"n1-cni-c_1-eth0", "node: n1, orchestrator: cni, containerID: c_1, endpoint: eth0",
       "spec.containerID"},
  };
  for (const NameCase& c : cases) {
    const std::string yaml =
        ObjectYaml("WorkloadEndpoint", "{name: '" + c.name + "', namespace: prod}",
                   "{" + c.spec + ", ipNetworks: [10.0.0.1], interfaceName: cali1}");
    const Decoded decoded = DecodeOne(yaml);
    EXPECT_EQ(decoded.value.has_value(), c.field.empty()) << yaml;
    if (!c.field.empty()) ExpectRefused(yaml, c.field, "");
  }
}

struct AddressCase {
  std::string networks;
  std::string field;
  std::string reason;
};

TEST(WorkloadEndpoint, IsRefusedForItsAddresses) {
  const AddressCase cases[] = {
      {"[]", "spec.ipNetworks", "missing or empty"},
      {"null", "spec.ipNetworks", "missing or empty"},
      {"[10.0.0.5/24]", "spec.ipNetworks[0]", "single address"},
      {"[10.0.0.0/31]", "spec.ipNetworks[0]", "single address"},
      {"['fd00::1/127']", "spec.ipNetworks[0]", "single address"},
      {"[10.0.0.1, 10.0.0.256]", "spec.ipNetworks[1]", "not an address"},
      {"[10]", "spec.ipNetworks[0]", "is an integer"},
      {"10.0.0.1", "spec.ipNetworks", "is a string, not a list"},
  };
  for (const AddressCase& c : cases) {
    ExpectRefused(EndpointYaml("", c.networks), c.field, c.reason);
  }
}

TEST(WorkloadEndpoint, SortsItsAddressesAndDropsRepeats) {
  const auto endpoint = DecodeValue<WorkloadEndpoint>(
      EndpointYaml("", "['fd00::1', 10.0.0.2/32, '::ffff:10.0.0.1', 10.0.0.2]"));
  EXPECT_THAT(endpoint.addresses, ElementsAre(*model::IpAddress::Parse("10.0.0.1"),
                                              *model::IpAddress::Parse("10.0.0.2"),
                                              *model::IpAddress::Parse("fd00::1")));
}

TEST(WorkloadEndpoint, TakesOnlyInterfaceNamesOfTheKernel) {
  for (const std::string_view name : {"''", "'a b'", "'cali+'", "'%d'", "'abcdefghijklmnop'", "'.'",
                                      "'..'", "'*'", "'a/b'", "'\"'", "\"a\\nb\""}) {
    ExpectRefused(EndpointYaml("", "[10.0.0.1]", name), "spec.interfaceName", "");
  }
  for (const std::string_view name : {"a", "abcdefghijklmno", "'cali.0_-Z'"}) {
    DecodeValue<WorkloadEndpoint>(EndpointYaml("", "[10.0.0.1]", name));
  }
}

struct SpecCase {
  std::string spec;
  std::string field;
  std::string reason;
};

TEST(WorkloadEndpoint, IsRefusedForTheRestOfItsSpec) {
  const SpecCase cases[] = {
      {"mac: 'ee:ee:ee:ee:ee'", "mac", "MAC"},
      {"mac: 'ee-ee:ee:ee:ee:ee'", "mac", "MAC"},
      {"mac: 'gg:ee:ee:ee:ee:ee'", "mac", "MAC"},
      {"ipv4Gateway: 'fd00::1'", "ipv4Gateway", "IPv4"},
      {"ipv6Gateway: 10.0.0.1", "ipv6Gateway", "IPv6"},
      {"ipv4Gateway: x", "ipv4Gateway", "IPv4"},
      {"profiles: [a/b]", "profiles[0]", "not letters"},
      {"profiles: kns.prod", "profiles", "not a list"},
      {"serviceAccountName: 'a b'", "serviceAccountName", "lower-case"},
      {"allowSpoofedSourcePrefixes: [x]", "allowSpoofedSourcePrefixes[0]", "not an address"},
      {"ports: [{name: Http, protocol: TCP, port: 80}]", "ports[0].name", "port's name"},
      {"ports: [{name: a, protocol: ICMP, port: 80}]", "ports[0].protocol", "none of TCP"},
      {"ports: [{name: a, protocol: '6', port: 80}]", "ports[0].protocol", "none of TCP"},
      {"ports: [{name: a, protocol: UDPLite, port: 80}]", "ports[0].protocol", "none of TCP"},
      {"ports: [{name: a, port: 80}]", "ports[0].protocol", "missing"},
      {"ports: [{name: a, protocol: TCP}]", "ports[0].port", "missing"},
      {"ports: [{name: a, protocol: TCP, port: 0}]", "ports[0].port", "1..65535"},
      {"ports: [{name: a, protocol: TCP, port: 65536}]", "ports[0].port", "1..65535"},
      {"ports: [{name: a, protocol: TCP, port: '80'}]", "ports[0].port", "not an integer"},
      {"IPNetworks: [10.0.0.2]", "IPNetworks", "must be spelled"},
  };
  for (const SpecCase& c : cases) {
    ExpectRefused(EndpointYaml(c.spec), "spec." + c.field, c.reason);
  }
  for (const std::string_view mac :
       {"ee:ee:ee:ee:ee:ee", "EE-EE-EE-EE-EE-EE", "eeee.eeee.eeee", "02:00:5e:10:00:00:00:01"}) {
    DecodeValue<WorkloadEndpoint>(EndpointYaml(fmt::format("mac: '{}'", mac)));
  }
}

}  // namespace
}  // namespace felix::datastore
