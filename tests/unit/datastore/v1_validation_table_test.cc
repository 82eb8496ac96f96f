// SPDX-License-Identifier: Apache-2.0
// The rules by which what the older stores hold is judged, one row each: the Mesos era with tags
// and single profiles, and the later one with tiers, labels and ports.
#include <string>

#include "gtest/gtest.h"

#include "tests/unit/datastore/v1_decoding.h"

namespace felix::datastore {
namespace {

struct Row {
  std::string value;
  std::string field = {};
  std::string reason = {};  // part of it; empty: the value is accepted
};

template <typename Rows>
void JudgeAll(std::string_view key, const Rows& rows) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.value);
    if (!row.reason.empty()) {
      ExpectV1Refused(key, row.value, row.field, row.reason);
      continue;
    }
    EXPECT_TRUE(row.field.empty());
    const Decoded decoded = DecodeV1(key, row.value);
    EXPECT_FALSE(decoded.refusal.has_value()) << decoded.refusal->ToString();
    EXPECT_TRUE(decoded.value.has_value());
  }
}

std::string Endpoint(std::string_view more) {
  return fmt::format(R"({{"state": "active", "name": "cali1", "ipv4_nets": ["10.0.0.1/32"],
                         "ipv6_nets": ["fd00::1/128"], {}}})",
                     more);
}

TEST(V1Validation, OfKeys) {
  const std::pair<std::string_view, std::string_view> refused[] = {
      {"/calico/v1/policy/profile/a b/rules", "profile 'a b'"},
      {"/calico/v1/policy/tier/a%2fb/metadata", "tier 'a/b'"},
      {"/calico/v1/policy/tier/t/policy/", "policy ''"},
      {"/calico/v1/policy/tier/t/policy/a/b/c", "policy 'b/c'"},
      {"/calico/v1/netset/a/b/c", "network set 'b/c'"},
      {"/calico/v1/host/h 1/endpoint/eth0", "host 'h 1'"},
      {"/calico/v1/host/h1/endpoint/a%2fb", "endpoint 'a/b'"},
      {"/calico/v1/host/h1/workload/m s/c1/endpoint/e1", "orchestrator 'm s'"},
      {"/calico/v1/host/h1/workload/mesos//endpoint/e1", "workload ''"},
      {"/calico/v1/config/a b", "parameter 'a b'"},
      {"/calico/v1/policy/profile/p/other", "not a key"},
      {"/calico/v1/host/h1", "not a key"},
      {"calico", "not a key"},
  };
  for (const auto& [key, reason] : refused) ExpectV1Refused(key, "{}", "key", reason);
  ExpectV1Refused("/calico/v1/policy/profile/" + std::string(254, 'a') + "/rules", "{}", "key",
                  "more than 253");
  EXPECT_TRUE(DecodeV1("/calico/v1/policy/profile/Net_a.b-1/rules", "{}").value.has_value());
  EXPECT_TRUE(DecodeV1("/calico/v1/netset/prod/a", "{}").value.has_value());
}

TEST(V1Validation, OfWorkloadEndpoints) {
  const Row rows[] = {
      {R"({"state": "active", "name": "cali1"})"},
      {R"({"state": "inactive", "name": "abcdefghijklmno", "profile_id": null})"},
      {R"({"name": "cali1"})", "state", "missing"},
      {R"({"state": "up", "name": "cali1"})", "state", "neither active"},
      {R"({"state": "active"})", "name", "missing"},
      {R"({"state": "active", "name": "abcdefghijklmnop"})", "name", "not an interface"},
      {R"({"state": "active", "name": "cali+"})", "name", "not an interface"},
      {Endpoint(R"("mac": "ea:8f:11:22:33:44")")},
      {Endpoint(R"("mac": "ea:8f")"), "mac", "not a MAC"},
      {Endpoint(R"("ipv4_gateway": "172.24.197.101", "ipv6_gateway": null)")},
      {Endpoint(R"("ipv4_gateway": "fd00::1")"), "ipv4_gateway", "not an IPv4"},
      {Endpoint(R"("ipv6_gateway": "x")"), "ipv6_gateway", "not an IPv6"},
      {R"({"state": "active", "name": "c", "ipv4_nets": ["10.0.0.0/8"]})", "ipv4_nets[0]",
       "not a single address"},
      {R"({"state": "active", "name": "c", "ipv4_nets": ["fd00::1"]})", "ipv4_nets", "not an IPv4"},
      {R"({"state": "active", "name": "c", "ipv6_nets": ["10.0.0.1"]})", "ipv6_nets",
       "not an IPv6"},
      {R"({"state": "active", "name": "c", "ipv6_nets": ["x"]})", "ipv6_nets[0]", "not an address"},
      {R"({"state": "active", "name": "c", "ipv4_nets": "10.0.0.1"})", "ipv4_nets", "not a list"},
      {Endpoint(R"("profile_ids": ["public", "Net_a"])")},
      {Endpoint(R"("profile_id": "x", "profile_ids": ["x"])")},
      {Endpoint(R"("profile_id": "x", "profile_ids": ["y"])"), "profile_id", "says otherwise"},
      {Endpoint(R"("profile_id": "a b")"), "profile_id", "not letters"},
      {Endpoint(R"("profile_ids": ["a/b"])"), "profile_ids[0]", "not letters"},
      {Endpoint(R"("labels": {"calico/k8s_ns": "any text at all"})")},
      {Endpoint(R"("labels": {"a b": "x"})"), "labels", "label's key"},
      {Endpoint(R"("labels": {"a": 1})"), "labels.a", "not a string"},
      {Endpoint(R"("labels": [])"), "labels", "not an object"},
      {Endpoint(R"("ports": [{"name": "http", "protocol": "tcp", "port": 80}])")},
      {Endpoint(R"("ports": [{"name": "http", "protocol": "icmp", "port": 80}])"),
       "ports[0].protocol", "none of TCP"},
      {Endpoint(R"("ports": [{"name": "h_", "protocol": "tcp", "port": 80}])"), "ports[0].name",
       "not a port's name"},
      {Endpoint(R"("ports": [{"protocol": "tcp", "port": 80}])"), "ports[0].name", "missing"},
      {Endpoint(R"("ports": [{"name": "h", "protocol": "tcp", "port": 0}])"), "ports[0].port",
       "1..65535"},
      {Endpoint(R"("ipv4_nat": [{"int_ip": "10.0.0.1", "ext_ip": "192.0.2.1"}])")},
      {Endpoint(R"("ipv6_nat": [{"int_ip": "fd00::1", "ext_ip": "2001:db8::1"}])")},
      {Endpoint(R"("ipv4_nat": [{"int_ip": "10.0.0.2", "ext_ip": "192.0.2.1"}])"),
       "ipv4_nat[0].int_ip", "not the endpoint's"},
      {Endpoint(R"("ipv4_nat": [{"int_ip": "10.0.0.1", "ext_ip": "2001:db8::1"}])"),
       "ipv4_nat[0].ext_ip", "not an IPv4"},
      {Endpoint(R"("ipv4_nat": [{"int_ip": "fd00::1", "ext_ip": "2001:db8::1"}])"),
       "ipv4_nat[0].int_ip", "not an IPv4"},
      {Endpoint(R"("ipv6_nat": [{"int_ip": "fd00::1"}])"), "ipv6_nat[0].ext_ip", "missing"},
      {Endpoint(R"("ipv4_nat": [{"int_ip": "10.0.0.0/8", "ext_ip": "192.0.2.1"}])"),
       "ipv4_nat[0].int_ip", "not an address"},
      {Endpoint(R"("IPV4_nets": [])"), "IPV4_nets", "must be spelled"},
      {"", "", "value is empty"},
      {"null", "", "value is empty"},
      {"{", "", "value is not JSON"},
      {"[]", "", "not an object"},
  };
  JudgeAll(kV1Endpoint, rows);
}

TEST(V1Validation, OfHostEndpoints) {
  const Row rows[] = {
      {R"({"name": "eth0"})"},
      {R"({"name": "*", "labels": {"role": "agent"}})"},
      {R"({"expected_ipv4_addrs": ["192.0.2.1"], "expected_ipv6_addrs": ["fd00::1"]})"},
      {"{}", "name", "no expected address"},
      {R"({"name": "a/b"})", "name", "neither"},
      {R"({"name": "abcdefghijklmnop"})", "name", "neither"},
      {R"({"expected_ipv4_addrs": ["fd00::1"]})", "expected_ipv4_addrs[0]", "not an IPv4"},
      {R"({"expected_ipv6_addrs": ["192.0.2.1"]})", "expected_ipv6_addrs[0]", "not an IPv6"},
      {R"({"expected_ipv4_addrs": ["192.0.2.0/24"]})", "expected_ipv4_addrs[0]", "not an address"},
      {R"({"name": "eth0", "profile_ids": ["a b"]})", "profile_ids[0]", "not letters"},
      {R"({"name": "eth0", "labels": {"": "x"}})", "labels", "label's key"},
      {R"({"name": "eth0", "ports": [{"name": "a", "protocol": "tcp"}]})", "ports[0].port",
       "missing"},
      {"[]", "", "not an object"},
  };
  JudgeAll("/calico/v1/host/mesos-1/endpoint/eth0", rows);
}

TEST(V1Validation, OfProfiles) {
  const Row rules[] = {
      {"{}"},
      {R"({"id": "netgroup_a", "inbound_rules": [{"action": "allow", "src_tag": "netgroup_a"}],
           "outbound_rules": [{"action": "allow"}]})"},
      {R"({"inbound_rules": [{"action": "next-tier"}]})", "inbound_rules[0].action",
       "no meaning in a profile"},
      {R"({"inbound_rules": [{"src_tag": "a b"}]})", "inbound_rules[0].src_tag", "tag 'a b'"},
      {R"({"inbound_rules": {}})", "inbound_rules", "not a list"},
      {R"({"ingress": []})", "ingress", "unknown field"},
      {"[]", "", "not an object"},
  };
  JudgeAll(kV1Rules, rules);
  const Row tags[] = {
      {"[]"},
      {R"(["netgroup_a", "Public.1"])"},
      {R"(["a/b"])", "[0]", "tag 'a/b'"},
      {R"([""])", "[0]", "tag ''"},
      {"[1]", "[0]", "not a string"},
      {"{}", "", "not a list"},
  };
  JudgeAll("/calico/v1/policy/profile/p/tags", tags);
  const Row labels[] = {
      {"{}"},
      {R"({"role": "any text"})"},
      {R"({"a b": "x"})", "labels", "label's key"},
      {R"({"a": 1})", "labels.a", "not a string"},
      {"[]", "labels", "not an object"},
  };
  JudgeAll("/calico/v1/policy/profile/p/labels", labels);
}

TEST(V1Validation, OfTierPolicies) {
  const Row policies[] = {
      {R"({"selector": ""})"},
      {R"({"selector": "role == 'db'", "order": "default", "types": ["ingress"]})"},
      {R"({"selector": "", "order": 50, "untracked": true, "apply_on_forward": true})"},
      {"{}", "selector", "missing"},
      {R"({"selector": "has("})", "selector", "does not parse"},
      {R"({"selector": "", "order": "last"})", "order", "neither a number"},
      {R"({"selector": "", "types": ["both"]})", "types[0]", "neither Ingress"},
      {R"({"selector": "", "types": ["egress", "egress"]})", "types[1]", "twice"},
      {R"({"selector": "", "untracked": 1})", "untracked", "not a boolean"},
      {R"({"selector": "", "untracked": true, "pre_dnat": true})", "pre_dnat", "untracked"},
      {R"({"selector": "", "pre_dnat": true, "outbound_rules": [{}]})", "outbound_rules", "DNAT"},
      {R"({"selector": "", "pre_dnat": true, "types": ["egress"]})", "types", "DNAT"},
      {R"({"selector": "", "preDNAT": true})", "preDNAT", "unknown field"},
  };
  JudgeAll("/calico/v1/policy/tier/sec/policy/allow-db", policies);
  const Row tiers[] = {
      {"{}"},
      {R"({"order": 100})"},
      {R"({"order": "default"})"},
      {R"({"order": "100"})", "order", "neither a number nor default"},
      {R"({"order": true})", "order", "not a number"},
  };
  JudgeAll("/calico/v1/policy/tier/sec/metadata", tiers);
  const Row sets[] = {
      {"{}"},
      {R"({"nets": ["198.51.100.0/24", "::1"], "labels": {"x": "y"}})"},
      {R"({"nets": ["x"]})", "nets[0]", "not an address"},
      {R"({"nets": ["10.0.0.1"], "profile_ids": ["a b"]})", "profile_ids[0]", "not letters"},
      {R"({"labels": {"a b": ""}})", "labels", "label's key"},
  };
  JudgeAll("/calico/v1/netset/bad", sets);
}

TEST(V1Validation, OfRules) {
  const Row rows[] = {
      {"{}"},
      {R"({"action": "deny", "protocol": "udplite", "!src_tag": "a"})"},
      {R"({"action": "allow", "protocol": 132, "dst_ports": [1, "2:3", "http"]})"},
      {R"({"protocol": "icmpv6", "ip_version": 6, "icmp_type": 254, "icmp_code": 255})"},
      {R"({"action": "log", "log_prefix": "x", "src_net": "10.0.0.1/8", "dst_nets": ["10.1.0.0"]})"},
      {R"({"action": "reject"})", ".action", "none of allow"},
      {R"({"src_tags": ["a"]})", ".src_tags", "unknown field"},
      {R"({"ip_version": 5})", ".ip_version", "neither 4 nor 6"},
      {R"({"protocol": 0})", ".protocol", "neither known"},
      {R"({"!protocol": 256})", ".!protocol", "neither known"},
      {R"({"protocol": "icmp", "icmp_type": 255})", ".icmp_type", "0..254"},
      {R"({"protocol": "icmp", "icmp_type": 1, "icmp_code": 256})", ".icmp_code", "0..255"},
      {R"({"protocol": "icmp", "icmp_code": 1})", ".icmp_code", "needs icmp_type"},
      {R"({"protocol": "icmp", "ip_version": 6})", ".protocol", "IP version 6"},
      {R"({"dst_ports": [80]})", ".dst_ports[0]", "TCP, UDP or SCTP"},
      {R"({"protocol": "udplite", "src_ports": [80]})", ".src_ports[0]", "TCP, UDP or SCTP"},
      {R"({"protocol": "tcp", "dst_ports": [0]})", ".dst_ports[0]", "1..65535"},
      {R"({"protocol": "tcp", "!dst_ports": ["2:1"]})", ".!dst_ports[0]", "1..65535"},
      {R"({"protocol": "tcp", "dst_ports": ["h_"]})", ".dst_ports[0]", "port's name"},
      {R"({"src_net": "10.0.0.0/33"})", ".src_net", "not an address"},
      {R"({"src_nets": ["10.0.0.0/8"], "dst_net": "::1"})", ".dst_net", "IPv4"},
      {R"({"!dst_net": "::/0"})", ".!dst_net", "leaves nothing"},
      {R"({"!src_selector": "a ="})", ".!src_selector", "does not parse"},
      {R"({"dst_tag": "a) || has(b"})", ".dst_tag", "tag 'a) || has(b'"},
  };
  for (const Row& row : rows) {
    const std::string rules = fmt::format(R"("outbound_rules": [{{}}, {}])", row.value);
    const std::string field = row.reason.empty() ? "" : "outbound_rules[1]" + row.field;
    JudgeAll(kV1Rules, std::initializer_list<Row>{{"{" + rules + "}", field, row.reason}});
    JudgeAll(kV1Policy,
             std::initializer_list<Row>{{R"({"selector": "", )" + rules + "}", field, row.reason}});
  }
}

TEST(V1Validation, OfParametersIsThatTheyAreText) {
  constexpr std::string_view kKey = "/calico/v1/config/InterfacePrefix";
  EXPECT_TRUE(DecodeV1(kKey, "cali").value.has_value());
  ExpectV1Refused(kKey, "\xFF", "", "UTF-8");
}

TEST(V1Validation, OfStagedPoliciesIsOfTheirKeyAlone) {
  for (const std::string_view name : {"staged:p", "prod/staged:p", "prod/staged:knp.default.p"}) {
    const Decoded decoded =
        DecodeV1(fmt::format("/calico/v1/policy/tier/default/policy/{}", name), "{");
    EXPECT_TRUE(decoded.key.has_value()) << name;
    EXPECT_FALSE(decoded.value.has_value()) << name;
  }
  ExpectV1Refused("/calico/v1/policy/tier/default/policy/staged:a b", "{}", "key", "policy 'a b'");
}

}  // namespace
}  // namespace felix::datastore
