// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_object.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/unit/datastore/v1_decoding.h"

namespace felix::datastore {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Case {
  std::string_view value;
  std::string_view field;
  std::string_view reason;
};

constexpr std::string_view kMesosEndpoint = R"(
{"state":"active","name":"cali5a1f0c2e3b4","mac":"ea:8f:11:22:33:44",
 "profile_ids":["public","netgroup_a","default_mesos-1"],
 "ipv4_nets":["192.168.1.5/32"],"ipv6_nets":[],"ipv4_gateway":"172.24.197.101","ipv6_gateway":null}
)";

TEST(V1WorkloadEndpoint, IsReadAsMesosWritesIt) {
  const Decoded decoded = DecodeV1(kV1Endpoint, kMesosEndpoint);
  EXPECT_EQ(decoded.key, model::Key(model::WorkloadEndpointId{"mesos-1", "mesos", "c1", "e1"}));
  const auto endpoint = DecodeV1Value<model::WorkloadEndpoint>(kV1Endpoint, kMesosEndpoint);
  EXPECT_TRUE(endpoint.admin_up);
  EXPECT_EQ(endpoint.interface_name, "cali5a1f0c2e3b4");
  EXPECT_THAT(endpoint.addresses, ElementsAre(model::IpAddress::V4(0xC0A80105)));
  EXPECT_THAT(endpoint.profiles, ElementsAre("public", "netgroup_a", "default_mesos-1"));
  EXPECT_EQ(endpoint.labels.ToString(), "projectcalico.org/orchestrator=mesos");
}

TEST(V1WorkloadEndpoint, TakesTheFormsOfOlderAndLaterWriters) {
  const auto older = DecodeV1Value<model::WorkloadEndpoint>(
      kV1Endpoint, R"({"state": "inactive", "name": "cali1", "profile_id": "x",
                       "ipv4_nets": ["10.0.0.1"], "ipv4_gateway": null})");
  EXPECT_FALSE(older.admin_up);
  EXPECT_THAT(older.profiles, ElementsAre("x"));
  const auto later = DecodeV1Value<model::WorkloadEndpoint>(
      kV1Endpoint,
      R"({"state": "active", "name": "cali1", "profile_id": "x", "profile_ids": ["x"],
          "ipv4_nets": ["10.0.0.2/32", "10.0.0.1/32"], "ipv6_nets": ["fd00::1/128"],
          "ipv4_nat": [{"int_ip": "10.0.0.1", "ext_ip": "198.51.100.1"}],
          "ports": [{"name": "http", "protocol": "tcp", "port": 80}],
          "labels": {"calico/k8s_ns": "prod", "role": "any text at all",
                     "projectcalico.org/namespace": "stolen", "pcns.team": "stolen"}})");
  EXPECT_EQ(later.addresses.size(), 3U);
  EXPECT_THAT(later.nat_mappings, ElementsAre(model::NatMapping{model::IpAddress::V4(0x0A000001),
                                                                model::IpAddress::V4(0xC6336401)}));
  EXPECT_THAT(later.ports, ElementsAre(model::NamedPort{"http", model::kTcp, 80}));
  EXPECT_EQ(later.labels.ToString(),
            "calico/k8s_ns=prod,projectcalico.org/orchestrator=mesos,role=any text at all");
}

TEST(V1WorkloadEndpoint, IsRefusedForItsValue) {
  const Case cases[] = {
      {R"({"name": "cali1"})", "state", "missing"},
      {R"({"state": "up", "name": "cali1"})", "state", "neither active"},
      {R"({"state": "active"})", "name", "missing"},
      {R"({"state": "active", "name": "cali/1"})", "name", "not an interface"},
      {R"({"state": "active", "name": "cali567890123456"})", "name", "not an interface"},
      {R"({"state": "active", "name": "c", "mac": "x"})", "mac", "not a MAC"},
      {R"({"state": "active", "name": "c", "ipv4_nets": ["10.0.0.0/8"]})", "ipv4_nets[0]",
       "not a single address"},
      {R"({"state": "active", "name": "c", "ipv4_nets": ["fd00::1"]})", "ipv4_nets", "not an IPv4"},
      {R"({"state": "active", "name": "c", "ipv6_nets": ["10.0.0.1"]})", "ipv6_nets",
       "not an IPv6"},
      {R"({"state": "active", "name": "c", "ipv4_nets": ["x"]})", "ipv4_nets[0]", "not an address"},
      {R"({"state": "active", "name": "c", "ipv4_gateway": "fd00::1"})", "ipv4_gateway",
       "not an IPv4"},
      {R"({"state": "active", "name": "c", "ipv4_nat": [{"int_ip": "10.0.0.1",
          "ext_ip": "10.0.0.2"}]})",
       "ipv4_nat[0].int_ip", "not the endpoint's"},
      {R"({"state": "active", "name": "c", "ipv6_nat": [{"int_ip": "fd00::1",
          "ext_ip": "fd00::2"}]})",
       "ipv6_nat[0].int_ip", "not the endpoint's"},
      {R"({"state": "active", "name": "c", "profile_ids": "x"})", "profile_ids", "not a list"},
      {R"({"state": "active", "name": "c", "profile_ids": ["a b"]})", "profile_ids[0]", "letters"},
      {R"({"state": "active", "name": "c", "profile_id": ""})", "profile_id", "missing"},
      {R"({"state": "active", "name": "c", "profile_id": "x", "profile_ids": ["y"]})", "profile_id",
       "says otherwise"},
      {R"({"state": "active", "name": "c", "labels": {"a b": "x"}})", "labels", "label's key"},
      {R"({"state": "active", "name": "c", "labels": {"a": 1}})", "labels.a", "not a string"},
      {R"({"state": "active", "name": "c", "ports": [{"name": "h", "port": 1}]})",
       "ports[0].protocol", "missing"},
      {"[]", "", "not an object"},
      {"{", "", "value is not JSON"},
      {"", "", "value is empty"},
      {"null", "", "value is empty"},
  };
  for (const Case& c : cases) ExpectV1Refused(kV1Endpoint, c.value, c.field, c.reason);
}

TEST(V1Policy, IsReadWithBothTypesAndItsTier) {
  const std::string_view key = "/calico/v1/policy/tier/sec/policy/allow-db";
  const std::string_view value = R"({"selector":"role == 'db'","order":50,
    "inbound_rules":[{"action":"allow","src_selector":"role == 'web'","protocol":"tcp",
                      "dst_ports":[5432]}],"outbound_rules":[{"action":"allow"}]})";
  EXPECT_EQ(DecodeV1(key, value).key,
            model::Key(model::PolicyId{model::PolicyKind::kGlobalNetworkPolicy, "", "allow-db"}));
  const auto policy = DecodeV1Value<model::Policy>(key, value);
  EXPECT_EQ(policy.tier, "sec");
  EXPECT_EQ(policy.order, 50.0);
  EXPECT_EQ(policy.selector.text(), R"(role == "db")");
  EXPECT_TRUE(policy.ingress_applies && policy.egress_applies);
  ASSERT_EQ(policy.ingress.size(), 1U);
  EXPECT_EQ(policy.ingress[0].source.selector->text(), R"(role == "web")");
  EXPECT_EQ(policy.egress.size(), 1U);
  EXPECT_FALSE(policy.do_not_track || policy.pre_dnat || policy.apply_on_forward);
}

TEST(V1Policy, TakesOrdersTypesAndHostOptions) {
  const auto read = [](std::string_view rest) {
    return DecodeV1Value<model::Policy>(kV1Policy, fmt::format(R"({{"selector": "", {}}})", rest));
  };
  EXPECT_EQ(read(R"("order": "default")").order, std::nullopt);
  EXPECT_EQ(read(R"("order": null)").order, std::nullopt);
  EXPECT_EQ(read(R"("order": 1.5)").order, 1.5);
  EXPECT_FALSE(read(R"("types": ["ingress"])").egress_applies);
  EXPECT_FALSE(read(R"("types": ["Egress"])").ingress_applies);
  for (const std::string_view name : {"untracked", "doNotTrack"}) {
    const model::Policy policy = read(fmt::format(R"("{}": true)", name));
    EXPECT_TRUE(policy.do_not_track && policy.apply_on_forward && policy.egress_applies) << name;
  }
  const model::Policy pre_dnat = read(R"("pre_dnat": true)");
  EXPECT_TRUE(pre_dnat.pre_dnat && pre_dnat.apply_on_forward && pre_dnat.ingress_applies);
  EXPECT_FALSE(pre_dnat.egress_applies);
  EXPECT_TRUE(read(R"("apply_on_forward": true)").apply_on_forward);
}

TEST(V1Policy, IsRefusedForItsValue) {
  const Case cases[] = {
      {"{}", "selector", "missing"},
      {R"({"selector": null})", "selector", "missing"},
      {R"({"selector": "has("})", "selector", "does not parse"},
      {R"({"selector": 1})", "selector", "not a string"},
      {R"({"selector": "", "order": "last"})", "order", "neither a number"},
      {R"({"selector": "", "order": true})", "order", "not a number"},
      {R"({"selector": "", "types": ["both"]})", "types[0]", "neither Ingress"},
      {R"({"selector": "", "untracked": "true"})", "untracked", "not a boolean"},
      {R"({"selector": "", "untracked": true, "pre_dnat": true})", "pre_dnat", "untracked"},
      {R"({"selector": "", "doNotTrack": true, "pre_dnat": true})", "pre_dnat", "doNotTrack"},
      {R"({"selector": "", "pre_dnat": true, "outbound_rules": [{}]})", "outbound_rules", "DNAT"},
      {R"({"selector": "", "pre_dnat": true, "types": ["egress"]})", "types", "DNAT"},
      {R"({"selector": "", "ingress": []})", "ingress", "unknown field"},
      {R"({"selector": "", "inbound_rules": {}})", "inbound_rules", "not a list"},
      {"[]", "", "not an object"},
      {"x", "", "value is not JSON"},
  };
  for (const Case& c : cases) {
    ExpectV1Refused(kV1Policy, c.value, c.field, c.reason);
    const Decoded decoded = DecodeV1(kV1Policy, c.value);
    ASSERT_TRUE(decoded.policy.has_value()) << c.value;
    EXPECT_EQ(decoded.policy->tier, "default") << c.value;
  }
}

TEST(V1Policy, HasNoEffectWhereItIsStaged) {
  const Decoded decoded = DecodeV1("/calico/v1/policy/tier/default/policy/staged:p", "{}");
  EXPECT_TRUE(decoded.key.has_value());
  EXPECT_FALSE(decoded.value || decoded.refusal || decoded.policy);
}

TEST(V1SmallKinds, AreRead) {
  const std::string_view tier = "/calico/v1/policy/tier/t/metadata";
  EXPECT_EQ(DecodeV1Value<model::Tier>(tier, R"({"order":"default"})").order, std::nullopt);
  EXPECT_EQ(DecodeV1Value<model::Tier>(tier, R"({"order":100})").order, 100.0);
  EXPECT_EQ(DecodeV1Value<model::Tier>(tier, "{}").default_action, model::TierDefaultAction::kDeny);
  ExpectV1Refused(tier, R"({"order":"100"})", "order", "neither");

  const std::string_view set = "/calico/v1/netset/bad";
  const auto read =
      DecodeV1Value<model::NetworkSet>(set, R"({"nets":["198.51.100.0/24"],"labels":{"x":"y"}})");
  EXPECT_EQ(read.nets.size(), 1U);
  EXPECT_EQ(read.labels.ToString(), "x=y");
  ExpectV1Refused(set, R"({"nets":["198.51.100.0/33"]})", "nets[0]", "not an address");
  EXPECT_EQ(DecodeV1("/calico/v1/netset/prod/bad", "{}").key,
            model::Key(model::NetworkSetId{"prod", "bad"}));
  EXPECT_THAT(read.profiles, IsEmpty());
}

TEST(V1Profile, IsRefusedForItsParts) {
  const std::string base = "/calico/v1/policy/profile/p/";
  ExpectV1Refused(base + "tags", "{}", "", "not a list");
  ExpectV1Refused(base + "tags", "[1]", "[0]", "not a string");
  ExpectV1Refused(base + "tags", R"(["a b"])", "[0]", "tag 'a b'");
  ExpectV1Refused(base + "labels", "[]", "labels", "not an object");
  ExpectV1Refused(base + "labels", R"({"a": 1})", "labels.a", "not a string");
  ExpectV1Refused(base + "rules", "[]", "", "not an object");
  ExpectV1Refused(base + "rules", R"({"rules": []})", "rules", "unknown field");
}

TEST(V1Config, IsPlainText) {
  EXPECT_EQ(DecodeV1Value<model::ConfigParameters>("/calico/v1/config/LogSeverityScreen", "info"),
            (model::ConfigParameters{{{"LogSeverityScreen", "info"}}}));
  const std::string_view key = "/calico/v1/host/mesos-1/config/DefaultEndpointToHostAction";
  EXPECT_EQ(DecodeV1(key, "RETURN").key, model::Key(model::ConfigId{"mesos-1"}));
  EXPECT_EQ(DecodeV1("/calico/v1/host/mesos-1/config/marker", "created").ignored_kind, "marker");
  ExpectV1Refused(key, "\xFF", "", "UTF-8");
}

TEST(V1Ready, HoldsUnlessItIsTrue) {
  EXPECT_FALSE(DecodeV1("/calico/v1/Ready", "true").hold.has_value());
  for (const std::string_view value : {"false", "", "True", "true\n", "\"true\"", "\xFF"}) {
    EXPECT_TRUE(DecodeV1("/calico/v1/Ready", value).hold.has_value()) << value;
  }
}

TEST(V1Object, IsIgnoredWhereItHasNoPartInPolicy) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"/calico/v1/ipam/v4/pool/192.168.0.0-16", "IPPool"},
      {"/calico/v1/host/mesos-1/bird_ip", "Node"},
      {"/calico/bgp/v1/host/mesos-1/ip_addr_v4", "key outside /calico/v1"},
  };
  for (const auto& [key, kind] : cases) {
    const Decoded decoded = DecodeV1(key, "{}");
    EXPECT_EQ(decoded.ignored_kind, kind);
    EXPECT_FALSE(decoded.key || decoded.value || decoded.refusal);
  }
}

}  // namespace
}  // namespace felix::datastore
