// SPDX-License-Identifier: Apache-2.0
#include "iptables/rule_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <cstring>

#include "iptables/entry_bytes.h"
#include "iptables/entry_header.h"
#include "tests/unit/iptables/rule_samples.h"

namespace felix::iptables {
namespace {

using model::IpFamily;
using ::testing::HasSubstr;

const SetIndexResolver kIndexOf = [](const ir::SetKey& key) -> absl::StatusOr<std::uint16_t> {
  if (key.id == testing::kNetSet) return std::uint16_t{7};
  if (key.id == testing::kPortSet) return std::uint16_t{300};
  return absl::NotFoundError("no such set");
};
const SetIdResolver kIdOf = [](std::uint16_t index) -> absl::StatusOr<std::string> {
  return std::string(index == 7 ? testing::kNetSet : testing::kPortSet);
};

ir::Rule Rule(std::vector<ir::Match> matches, ir::Action action = ir::Accept{}) {
  return ir::Rule{.matches = std::move(matches), .action = std::move(action), .provenance = {}};
}

EncodedRule MustEncode(const ir::Rule& rule, IpFamily family) {
  auto encoded = Encode(rule, family, kIndexOf);
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  return encoded.ok() ? *encoded : EncodedRule{};
}

TEST(RuleCodec, DecodesWhatItEncodes) {
  for (const IpFamily family : model::kIpFamilies) {
    for (const auto& sample : testing::RuleSamples(family)) {
      SCOPED_TRACE(sample.name);
      const auto decoded = Decode(MustEncode(sample.rule, family), family, kIdOf);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(*decoded, sample.rule);
    }
  }
}

TEST(RuleCodec, GivesDifferentRulesDifferentBytes) {
  for (const IpFamily family : model::kIpFamilies) {
    const auto samples = testing::RuleSamples(family);
    for (const auto& a : samples) {
      for (const auto& b : samples) {
        EXPECT_EQ(MustEncode(a.rule, family) == MustEncode(b.rule, family), a.rule == b.rule)
            << a.name << " and " << b.name;
      }
    }
  }
}

// What the kernel hands out: counters, its own fields, garbage behind the names of extensions, an
// offset in place of the name of a chain.
std::string AsKernelWouldReturn(const EncodedRule& rule, IpFamily family) {
  std::string bytes = rule.bytes;
  const std::size_t target = TargetOffset(bytes, family);
  const auto spoil = [&](auto header) {
    std::memcpy(&header, bytes.data(), sizeof(header));
    header.counters = {.pcnt = 12, .bcnt = 3456};
    header.comefrom = 99;
    header.nfcache = 77;
    std::memcpy(bytes.data(), &header, sizeof(header));
  };
  if (family == IpFamily::kV4) {
    spoil(ipt_entry{});
  } else {
    spoil(ip6t_entry{});
  }
  if (rule.is_jump || rule.target == "ACCEPT" || rule.target == "DROP" || rule.target == "RETURN") {
    std::memset(bytes.data() + target + 2, 0, kMaxTargetNameLength);
    bytes[target + kExtensionHeadSize] = 0x55;
  }
  bytes[target + kExtensionHeadSize - 2] = 0x66;
  return bytes;
}

TEST(RuleCodec, NormalFormOfKernelEntryIsTheEncoding) {
  for (const IpFamily family : model::kIpFamilies) {
    for (const auto& sample : testing::RuleSamples(family)) {
      SCOPED_TRACE(sample.name);
      const EncodedRule encoded = MustEncode(sample.rule, family);
      const auto normal = Normalise(AsKernelWouldReturn(encoded, family), encoded.target, family);
      ASSERT_TRUE(normal.ok()) << normal.status();
      EXPECT_EQ(*normal, encoded);
    }
  }
}

// A kernel that shows its own books: what a limit has left, and a pointer to its lock.
TEST(RuleCodec, NormalFormDropsWhatTheKernelKeepsForItself) {
  for (const IpFamily family : model::kIpFamilies) {
    for (const bool in_target : {false, true}) {
      const EncodedRule rule = in_target ? MustEncode(Rule({}, ir::NoTrack{}), family)
                                         : MustEncode(Rule({ir::LimitMatch{}}), family);
      std::string shown = rule.bytes;
      const std::size_t end = in_target ? shown.size() : TargetOffset(shown, family);
      const std::size_t count = in_target ? sizeof(void*) : 32;
      for (std::size_t i = end - count; i < end; ++i) shown[i] = '\x5a';
      const auto normal = Normalise(shown, rule.target, family);
      ASSERT_TRUE(normal.ok()) << normal.status();
      EXPECT_EQ(*normal, rule);
      shown[end - count - 1] = '\x5a';
      EXPECT_NE(*Normalise(shown, rule.target, family), rule);
    }
  }
}

TEST(RuleCodec, ComparesInterfaceNamesThroughTheirMask) {
  struct Case {
    std::string name;
    bool is_prefix;
    std::size_t masked;
  };
  for (const Case& c : {Case{"cali+", false, 6}, Case{"cali+", true, 5}, Case{"cali", true, 4},
                        Case{"cali", false, 5}, Case{"123456789012345", false, 16},
                        Case{"123456789012345", true, 16}, Case{"12345678901234", true, 14}}) {
    SCOPED_TRACE(c.name);
    const EncodedRule rule = MustEncode(
        Rule({ir::InterfaceMatch{.name = c.name, .is_prefix = c.is_prefix}}), IpFamily::kV4);
    ipt_ip head;
    std::memcpy(&head, rule.bytes.data(), sizeof(head));
    EXPECT_EQ(std::string(head.iniface), c.name);
    for (std::size_t i = 0; i < IFNAMSIZ; ++i) {
      EXPECT_EQ(head.iniface_mask[i], i < c.masked ? 0xff : 0) << i;
    }
  }
}

TEST(RuleCodec, NormalFormDropsWhatTheInterfaceMaskHides) {
  const EncodedRule rule =
      MustEncode(Rule({ir::InterfaceMatch{.name = "cali", .is_prefix = true}}), IpFamily::kV4);
  std::string by_iptables = rule.bytes;
  by_iptables[offsetof(ipt_ip, iniface) + 4] = '+';  // as the tool leaves it
  const auto normal = Normalise(by_iptables, "ACCEPT", IpFamily::kV4);
  ASSERT_TRUE(normal.ok()) << normal.status();
  EXPECT_EQ(normal->bytes, rule.bytes);
}

TEST(RuleCodec, SaysThatIpv6RulesLookAtTheProtocol) {
  const EncodedRule rule =
      MustEncode(Rule({ir::ProtocolMatch{.protocol = model::kTcp}}), IpFamily::kV6);
  ip6t_ip6 head;
  std::memcpy(&head, rule.bytes.data(), sizeof(head));
  EXPECT_EQ(head.proto, 6);
  EXPECT_EQ(head.flags, IP6T_F_PROTO);
}

TEST(RuleCodec, MarkBitsOutsideTheMaskAreSetAllTheSame) {
  const auto decoded =
      Decode(MustEncode(Rule({}, ir::SetMark{.value = 0x3, .mask = 0x6}), IpFamily::kV4),
             IpFamily::kV4, kIdOf);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->action, ir::Action(ir::SetMark{.value = 0x3, .mask = 0x7}));
}

TEST(RuleCodec, TagsHookRulesThatGoToNoChainOfOurs) {
  for (const IpFamily family : model::kIpFamilies) {
    const ir::Rule accept = Rule({ir::MarkMatch{.value = 1, .mask = 1}});
    const auto tagged = EncodeHookRule(accept, family, kIndexOf);
    ASSERT_TRUE(tagged.ok());
    EXPECT_TRUE(tagged->is_tagged);
    EXPECT_TRUE(Normalise(tagged->bytes, "ACCEPT", family)->is_tagged);
    EXPECT_EQ(*Decode(*tagged, family, kIdOf), accept);
    const auto jump = EncodeHookRule(Rule({}, ir::Jump{"cali-INPUT"}), family, kIndexOf);
    EXPECT_FALSE(jump->is_tagged);
    EXPECT_TRUE(EncodeHookRule(Rule({}, ir::Jump{"DOCKER"}), family, kIndexOf)->is_tagged);
  }
}

TEST(RuleCodec, TakesOnlyCommentsWithAnIdForTags) {
  EncodedRule rule = *EncodeHookRule(Rule({}), IpFamily::kV4, kIndexOf);
  const std::size_t comment = rule.bytes.find(kTag);
  const auto is_tagged = [&](std::string text) {
    text.resize(20, '\0');
    rule.bytes.replace(comment, text.size(), text);
    return Normalise(rule.bytes, "ACCEPT", IpFamily::kV4)->is_tagged;
  };
  EXPECT_TRUE(is_tagged("cali:6gwbT8clXdHdC1_"));
  EXPECT_FALSE(is_tagged("cali: let them in"));
  EXPECT_FALSE(is_tagged("cali:"));
  EXPECT_FALSE(is_tagged("not cali:x"));
}

TEST(RuleCodec, RefusesWhatTheKernelCannotHold) {
  const ir::ProtocolMatch tcp{.protocol = model::kTcp};
  const ir::AddressMatch net{.side = ir::Side::kSource, .net = *model::Cidr::Parse("10.0.0.0/8")};
  ir::PortsMatch many{.side = ir::Side::kSource, .ranges = {}};
  for (std::uint16_t port = 1; port <= 16; ++port) many.ranges.push_back({port, port});
  ir::PortsMatch ranges{.side = ir::Side::kSource, .ranges = {{1, 1}}};
  for (std::uint16_t i = 0; i < 8; ++i) ranges.ranges.push_back({1, 2});
  ranges.ranges.resize(9, {1, 2});
  const ir::PortsMatch http{.side = ir::Side::kDestination, .ranges = {{80, 80}}};
  const ir::ProtocolMatch not_tcp{.protocol = model::kTcp, .negated = true};
  const ir::IcmpTypeMatch ping{.icmp = {.type = 8, .code = {}}};
  struct Case {
    ir::Rule rule;
    std::string reason;
  };
  const Case cases[] = {
      {Rule({tcp, many}), "more than 15 port slots"},
      {Rule({tcp, ranges}), "more than 15 port slots"},
      {Rule({tcp, ir::PortsMatch{}}), "without ports"},
      {Rule({tcp, ir::PortsMatch{.ranges = {{9, 8}}}}), "reversed ports"},
      {Rule({http}), "without a protocol that has ports"},
      {Rule({not_tcp, http}), "without a protocol that has ports"},
      {Rule({ir::ProtocolMatch{.protocol = model::kIcmp}, http}), "has ports"},
      {Rule({ping}), "without protocol icmp"},
      {Rule({ir::ProtocolMatch{.protocol = model::kIcmpV6}, ping}), "without protocol icmp"},
      {Rule({ir::ProtocolMatch{.protocol = model::kIcmp},
             ir::IcmpTypeMatch{.icmp = {.type = 255, .code = {}}}}),
       "ICMP type 255"},
      {Rule({ir::ConntrackMatch{}}), "without states"},
      {Rule({ir::ProtocolMatch{}}), "protocol 0"},
      {Rule({tcp, not_tcp}), "two conditions on the protocol"},
      {Rule({net, net}), "two conditions on the source network"},
      {Rule({ir::AddressMatch{.net = *model::Cidr::Parse("fd00::/8")}}), "other family"},
      {Rule({ir::InterfaceMatch{.name = "1234567890123456"}}), "interface name"},
      {Rule({ir::InterfaceMatch{.name = ""}}), "interface name"},
      {Rule({ir::InterfaceMatch{.name = "a"}, ir::InterfaceMatch{.name = "b"}}),
       "two conditions on the incoming interface"},
      {Rule({}, ir::Jump{"cali-34567890123456789012345678"}), "target chain name"},
      {Rule({}, ir::Goto{""}), "target chain name"},
      {Rule({}, ir::Log{.prefix = "123456789012345678901234567890"}), "longer than 29 bytes"},
      {Rule({}, ir::Log{.prefix = "two\nlines"}), "control character"},
      {Rule({}, ir::Log{.prefix = "x", .level = 8}), "log level 8"},
      {Rule({}, ir::NetlinkLog{.prefix = std::string(64, 'x')}), "longer than 63 bytes"},
      {Rule({}, ir::NetlinkLog{.prefix = "two\nlines"}), "control character"},
      {Rule({ir::LimitMatch{.rate = 0}}), "limit of 0/second"},
      {Rule({ir::LimitMatch{.rate = 10001}}), "limit of 10001/second"},
      {Rule({ir::LimitMatch{.burst = 0}}), "burst of 0"},
      {Rule({ir::LimitMatch{.unit = ir::LimitMatch::Unit::kDay, .burst = 2}}), "a day's worth"},
      {Rule({}, ir::Masquerade{.ports = model::PortRange{1, 2}}), "protocol that has ports"},
      {Rule({tcp}, ir::Masquerade{.ports = model::PortRange{2, 1}}), "reversed ports"},
      {Rule({}, ir::DestinationNat{.address = *model::IpAddress::Parse("fd00::1"), .ports = {}}),
       "other family"},
  };
  for (const Case& c : cases) {
    const auto encoded = Encode(c.rule, IpFamily::kV4, kIndexOf);
    EXPECT_EQ(encoded.status().code(), absl::StatusCode::kInvalidArgument) << c.reason;
    EXPECT_THAT(std::string(encoded.status().message()), HasSubstr(c.reason));
  }
}

TEST(RuleCodec, PassesOnThatASetIsMissing) {
  const auto encoded = Encode(Rule({ir::SetMatch{.set_id = "gone"}}), IpFamily::kV4, kIndexOf);
  EXPECT_EQ(encoded.status().code(), absl::StatusCode::kNotFound);
}

TEST(RuleCodec, RefusesToReadEntriesWhoseSizesDoNotFit) {
  const EncodedRule rule = MustEncode(Rule({ir::MarkMatch{.value = 1, .mask = 1}}), IpFamily::kV6);
  for (std::size_t size = 0; size < rule.bytes.size(); ++size) {
    EXPECT_FALSE(Normalise(rule.bytes.substr(0, size), "ACCEPT", IpFamily::kV6).ok()) << size;
  }
}

TEST(RuleCodec, KnowsNamesOfOurChains) {
  for (const char* ours : {"cali-FORWARD", "califw-x", "calitw-x", "califh-x", "calith-x",
                           "calipi-x", "calipo-x", "felix-x", "cali-"}) {
    EXPECT_TRUE(IsOurChainName(ours)) << ours;
  }
  for (const char* foreign : {"INPUT", "cali", "calicox", "KUBE-cali-", "felix", ""}) {
    EXPECT_FALSE(IsOurChainName(foreign)) << foreign;
  }
}

}  // namespace
}  // namespace felix::iptables
