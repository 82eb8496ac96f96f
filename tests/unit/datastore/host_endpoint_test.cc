// SPDX-License-Identifier: Apache-2.0
#include "datastore/host_endpoint.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/unit/datastore/decoding.h"
#include "tests/unit/datastore/v1_decoding.h"

namespace felix::datastore {
namespace {

using model::HostEndpoint;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kV1Key = "/calico/v1/host/mesos-1/endpoint/eth0";

model::IpAddress Ip(std::string_view text) {
  return *model::IpAddress::Parse(text);
}

std::string EndpointYaml(std::string_view spec) {
  return ObjectYaml("HostEndpoint", "{name: h1-eth0, labels: {role: ingress}}", spec);
}

TEST(HostEndpoint, IsConvertedWithAllItHas) {
  const std::string yaml = EndpointYaml(
      "{node: h1, interfaceName: eth0, expectedIPs: ['2001:db8::10', 192.0.2.10, 192.0.2.10], "
      "profiles: [projectcalico-default-allow], "
      "ports: [{name: ssh, protocol: TCP, port: 22}]}");
  EXPECT_EQ(DecodeOne(yaml).key, model::Key(model::HostEndpointId{"h1", "h1-eth0"}));
  const auto endpoint = DecodeValue<HostEndpoint>(yaml);
  EXPECT_EQ(endpoint.interface_name, "eth0");
  EXPECT_FALSE(endpoint.IsWildcard());
  EXPECT_THAT(endpoint.expected_addresses, ElementsAre(Ip("192.0.2.10"), Ip("2001:db8::10")));
  EXPECT_EQ(endpoint.labels.ToString(), "role=ingress");
  EXPECT_THAT(endpoint.profiles, ElementsAre("projectcalico-default-allow"));
  EXPECT_THAT(endpoint.ports, ElementsAre(model::NamedPort{"ssh", model::kTcp, 22}));
}

TEST(HostEndpoint, NeedsAnInterfaceOrAnAddress) {
  EXPECT_TRUE(
      DecodeValue<HostEndpoint>(EndpointYaml("{node: h1, interfaceName: '*'}")).IsWildcard());
  EXPECT_EQ(DecodeValue<HostEndpoint>(EndpointYaml("{node: h1, expectedIPs: [192.0.2.1]}"))
                .interface_name,
            "");
  ExpectRefused(EndpointYaml("{node: h1}"), "spec.interfaceName", "no expected address");
}

TEST(HostEndpoint, IsRefusedWholeForWhatCannotBeRead) {
  const struct {
    std::string_view spec;
    std::string_view field;
    std::string_view reason;
  } cases[] = {
      {"{interfaceName: eth0}", "spec.node", "missing"},
      {"{node: 'a b', interfaceName: eth0}", "spec.node", ""},
      {"{node: h1, interfaceName: a/b}", "spec.interfaceName", "neither"},
      {"{node: h1, interfaceName: abcdefghijklmnop}", "spec.interfaceName", "neither"},
      {"{node: h1, expectedIPs: [192.0.2.0/24]}", "spec.expectedIPs[0]", "not an address"},
      {"{node: h1, expectedIPs: [192.0.2.1, x]}", "spec.expectedIPs[1]", "not an address"},
      {"{node: h1, interfaceName: eth0, profiles: ['a b']}", "spec.profiles[0]", ""},
      {"{node: h1, interfaceName: eth0, ports: [{name: a, protocol: TCP}]}", "spec.ports[0].port",
       "missing"},
      {"{node: h1, interfacename: eth0, expectedIPs: [192.0.2.1]}", "spec.interfacename", ""},
  };
  for (const auto& c : cases) ExpectRefused(EndpointYaml(c.spec), c.field, c.reason);
}

TEST(HostEndpoint, KeepsItsKeyWhenItIsRefusedSoThatItIsKnownToBeAbsent) {
  EXPECT_EQ(DecodeOne(EndpointYaml("{node: h1, interfaceName: a/b}")).key,
            model::Key(model::HostEndpointId{"h1", "h1-eth0"}));
}

TEST(V1HostEndpoint, IsConvertedWithAllItHas) {
  constexpr std::string_view kValue = R"({"name": "eth0", "expected_ipv4_addrs": ["172.24.197.101"],
    "expected_ipv6_addrs": ["fd00::1"], "profile_ids": ["a"], "labels": {"role": "agent"},
    "ports": [{"name": "ssh", "protocol": "tcp", "port": 22}], "qosControls": null})";
  EXPECT_EQ(DecodeV1(kV1Key, kValue).key, model::Key(model::HostEndpointId{"mesos-1", "eth0"}));
  const auto endpoint = DecodeV1Value<HostEndpoint>(kV1Key, kValue);
  EXPECT_EQ(endpoint.interface_name, "eth0");
  EXPECT_THAT(endpoint.expected_addresses, ElementsAre(Ip("172.24.197.101"), Ip("fd00::1")));
  EXPECT_THAT(endpoint.profiles, ElementsAre("a"));
  EXPECT_EQ(endpoint.labels.ToString(), "role=agent");
  EXPECT_THAT(endpoint.ports, ElementsAre(model::NamedPort{"ssh", model::kTcp, 22}));
}

TEST(V1HostEndpoint, MayLackANameOrBeForAllInterfaces) {
  const auto by_address =
      DecodeV1Value<HostEndpoint>(kV1Key, R"({"name": null, "expected_ipv4_addrs": ["10.0.0.1"]})");
  EXPECT_EQ(by_address.interface_name, "");
  EXPECT_TRUE(DecodeV1Value<HostEndpoint>(kV1Key, R"({"name": "*"})").IsWildcard());
  EXPECT_THAT(DecodeV1Value<HostEndpoint>(kV1Key, R"({"name": "*"})").profiles, IsEmpty());
}

TEST(V1HostEndpoint, IsRefusedWholeForWhatCannotBeRead) {
  ExpectV1Refused(kV1Key, "{}", "name", "no expected address");
  ExpectV1Refused(kV1Key, R"({"name": "a b"})", "name", "neither");
  ExpectV1Refused(kV1Key, R"({"name": "eth0", "expected_ipv4_addrs": ["fd00::1"]})",
                  "expected_ipv4_addrs[0]", "not an IPv4 address");
  ExpectV1Refused(kV1Key, R"({"name": "eth0", "labels": {"a b": "c"}})", "labels", "key");
  ExpectV1Refused("/calico/v1/host/mesos-1/endpoint/a b", R"({"name": "eth0"})", "key", "endpoint");
}

}  // namespace
}  // namespace felix::datastore
