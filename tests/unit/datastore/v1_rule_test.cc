// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_rule.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/unit/datastore/v1_decoding.h"

namespace felix::datastore {
namespace {

using model::RuleAction;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

model::Cidr Net(std::string_view text) {
  return model::Cidr::Parse(text).value();
}

TEST(V1Rule, AllowsWhereItHasNoAction) {
  const std::pair<std::string_view, RuleAction> cases[] = {
      {"{}", RuleAction::kAllow},
      {R"({"action": null})", RuleAction::kAllow},
      {R"({"action": ""})", RuleAction::kAllow},
      {R"({"action": "allow"})", RuleAction::kAllow},
      {R"({"action": "deny"})", RuleAction::kDeny},
      {R"({"action": "log", "log_prefix": "x"})", RuleAction::kLog},
      {R"({"action": "next-tier"})", RuleAction::kPass},
  };
  for (const auto& [rule, action] : cases) {
    model::PolicyRule expected;
    expected.action = action;
    EXPECT_EQ(DecodeV1Rule(rule), expected) << rule;
  }
}

TEST(V1Rule, MatchesTagsAsLabels) {
  struct Case {
    std::string_view rule;
    std::string_view selector;      // canonical; empty: none
    std::string_view not_selector;  // the same
  };
  const Case cases[] = {
      {R"({"src_tag": "a"})", "has(a)", ""},
      {R"({"src_selector": "role == 'web'"})", R"(role == "web")", ""},
      {R"({"src_selector": "x == '1' || y == '2'", "src_tag": "a"})",
       R"(((x == "1" || y == "2") && has(a)))", ""},
      {R"({"!src_tag": "a"})", "", "has(a)"},
      {R"({"!src_selector": "b == 'c'", "!src_tag": "a"})", "", R"((b == "c" || has(a)))"},
      {R"({"src_tag": "a", "!src_tag": "b"})", "(has(a) && !has(b))", ""},
      {R"({"src_selector": "has(x) ", "src_tag": "a", "!src_selector": "has(y) ", "!src_tag": "b"})",
       "((has(x) && has(a)) && !(has(y) || has(b)))", ""},
      {R"({"src_tag": null, "src_selector": null, "!src_tag": null})", "", ""},
  };
  for (const Case& c : cases) {
    std::string destination(c.rule);
    for (std::size_t at; (at = destination.find("src_")) != std::string::npos;) {
      destination.replace(at, 4, "dst_");
    }
    const model::EntityMatch source = DecodeV1Rule(c.rule).source;
    EXPECT_EQ(source, DecodeV1Rule(destination).destination) << c.rule;
    EXPECT_EQ(source.selector ? source.selector->text() : "", c.selector) << c.rule;
    EXPECT_EQ(source.not_selector ? source.not_selector->text() : "", c.not_selector) << c.rule;
  }
}

TEST(V1Rule, JoinsTheSingleNetworkWithTheList) {
  const model::PolicyRule rule = DecodeV1Rule(
      R"({"src_net": "10.0.0.1/8", "src_nets": ["192.0.2.1"], "!src_net": "10.1.0.0/16",
          "!src_nets": ["10.2.0.0/16"], "dst_net": "198.51.100.0/24"})");
  EXPECT_THAT(rule.source.nets, ElementsAre(Net("10.0.0.0/8"), Net("192.0.2.1/32")));
  EXPECT_THAT(rule.source.not_nets, ElementsAre(Net("10.1.0.0/16"), Net("10.2.0.0/16")));
  EXPECT_THAT(rule.destination.nets, ElementsAre(Net("198.51.100.0/24")));
  EXPECT_THAT(rule.destination.not_nets, IsEmpty());
}

TEST(V1Rule, ReadsProtocolsPortsAndIcmp) {
  const model::PolicyRule tcp = DecodeV1Rule(
      R"({"protocol": "tcp", "src_ports": [1024, "2000:3000"], "!dst_ports": [22, "http"]})");
  EXPECT_EQ(tcp.protocol, model::kTcp);
  EXPECT_THAT(tcp.source.ports.ranges,
              ElementsAre(model::PortRange{1024, 1024}, model::PortRange{2000, 3000}));
  EXPECT_THAT(tcp.destination.not_ports.ranges, ElementsAre(model::PortRange{22, 22}));
  EXPECT_THAT(tcp.destination.not_ports.names, ElementsAre("http"));
  EXPECT_EQ(DecodeV1Rule(R"({"protocol": 132, "dst_ports": [9]})").protocol, model::kSctp);
  EXPECT_EQ(DecodeV1Rule(R"({"!protocol": "udp"})").not_protocol, model::kUdp);
  EXPECT_EQ(DecodeV1Rule(R"({"ip_version": 6})").ip_version, model::IpFamily::kV6);

  const model::PolicyRule icmp =
      DecodeV1Rule(R"({"protocol": "icmp", "icmp_type": 8, "icmp_code": 0, "!icmp_type": 3})");
  EXPECT_EQ(icmp.ip_version, model::IpFamily::kV4);
  EXPECT_EQ(icmp.icmp, (model::IcmpMatch{8, std::uint8_t{0}}));
  EXPECT_EQ(icmp.not_icmp, (model::IcmpMatch{3, std::nullopt}));
}

TEST(V1Rule, IsRefusedWithAllOthersOfItsObject) {
  struct Case {
    std::string_view rule;
    std::string_view field;
    std::string_view reason;
  };
  const Case cases[] = {
      {R"({"action": "Allow"})", ".action", "none of allow"},
      {R"({"action": 1})", ".action", "not a string"},
      {R"({"source": {"nets": []}})", ".source", "unknown field"},
      {R"({"src_Net": "10.0.0.0/8"})", ".src_Net", "must be spelled 'src_net'"},
      {R"({"!action": "deny"})", ".!action", "unknown field"},
      {R"({"dst_service": "x"})", ".dst_service", "unknown field"},
      {R"({"http": {}})", ".http", "unknown field"},
      {R"({"ip_version": 5})", ".ip_version", "neither 4 nor 6"},
      {R"({"ip_version": "4"})", ".ip_version", "not an integer"},
      {R"({"protocol": "dccp", "dst_ports": [1]})", ".protocol", "neither known"},
      {R"({"protocol": 33, "dst_ports": [1]})", ".dst_ports[0]", "TCP, UDP or SCTP"},
      {R"({"protocol": "udplite", "dst_ports": [1]})", ".dst_ports[0]", "TCP, UDP or SCTP"},
      {R"({"protocol": "icmp", "src_ports": [1]})", ".src_ports[0]", "TCP, UDP or SCTP"},
      {R"({"dst_ports": [1]})", ".dst_ports[0]", "TCP, UDP or SCTP"},
      {R"({"!protocol": "tcp", "!dst_ports": [1]})", ".!dst_ports[0]", "TCP, UDP or SCTP"},
      {R"({"protocol": "tcp", "dst_ports": [0]})", ".dst_ports[0]", "1..65535"},
      {R"({"protocol": "tcp", "dst_ports": ["2:1"]})", ".dst_ports[0]", "1..65535"},
      {R"({"protocol": "tcp", "dst_ports": 80})", ".dst_ports", "not a list"},
      {R"({"protocol": "tcp", "dst_ports": [null]})", ".dst_ports[0]", "not a string"},
      {R"({"protocol": "icmp", "icmp_code": 0})", ".icmp_code", "needs icmp_type"},
      {R"({"protocol": "icmp", "icmp_type": null, "icmp_code": 0})", ".icmp_code", "needs"},
      {R"({"protocol": "icmp", "!icmp_code": 0})", ".!icmp_code", "needs !icmp_type"},
      {R"({"protocol": "icmp", "icmp_type": 255})", ".icmp_type", "0..254"},
      {R"({"protocol": "icmp", "icmp_type": 8, "icmp_code": 256})", ".icmp_code", "0..255"},
      {R"({"protocol": "tcp", "icmp_type": 8})", ".icmp_type", "does not go with"},
      {R"({"!icmp_type": 8})", ".!icmp_type", "needs protocol"},
      {R"({"protocol": "icmp", "ip_version": 6})", ".protocol", "IP version 6"},
      {R"({"src_net": "10.0.0.0/8", "dst_net": "fd00::/8"})", ".dst_net", "IPv4"},
      {R"({"src_net": ["10.0.0.0/8"]})", ".src_net", "not a string"},
      {R"({"src_net": ""})", ".src_net", "not an address"},
      {R"({"src_nets": "10.0.0.0/8"})", ".src_nets", "not a list"},
      {R"({"src_nets": ["10.0.0.0/33"]})", ".src_nets[0]", "not an address"},
      {R"({"!src_net": "0.0.0.0/0"})", ".!src_net", "leaves nothing"},
      {R"({"src_selector": "has("})", ".src_selector", "does not parse"},
      {R"({"src_selector": "has(a)) || (has(b) ", "src_tag": "t"})", ".src_selector", "parse"},
      {R"({"src_tag": ""})", ".src_tag", "tag ''"},
      {R"({"src_tag": "a) || has(b"})", ".src_tag", "tag 'a) || has(b'"},
      {R"({"src_tag": 1})", ".src_tag", "not a string"},
      {R"({"log_prefix": 1})", ".log_prefix", "not a string"},
      {"null", "", "is null"},
      {"[]", "", "not an object"},
  };
  for (const Case& c : cases) {
    const std::string rules = fmt::format(R"("inbound_rules": [{{}}, {}])", c.rule);
    const std::string field = fmt::format("inbound_rules[1]{}", c.field);
    ExpectV1Refused(kV1Rules, "{" + rules + "}", field, c.reason);
    ExpectV1Refused(kV1Policy, R"({"selector": "", )" + rules + "}", field, c.reason);
  }
  ExpectV1Refused(kV1Rules, R"({"outbound_rules": [{"action": "next-tier"}]})",
                  "outbound_rules[0].action", "no meaning in a profile");
}

}  // namespace
}  // namespace felix::datastore
