// SPDX-License-Identifier: Apache-2.0
#include "compiler/rule_renderer.h"

#include <string>
#include <vector>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "compiler/ir/print.h"
#include "compiler/log_prefix.h"
#include "tests/support/builders.h"

namespace felix::compiler {
namespace {

using model::IpFamily;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RuleRendererTest : public ::testing::Test {
 protected:
  std::vector<std::string> Render(const model::PolicyRule& rule, IpFamily family = IpFamily::kV4,
                                  RuleOwner owner = RuleOwner::kPolicy) {
    const RenderContext context{
        .options = options_, .marks = Marks::FromMask(options_.mark_mask), .family = family};
    std::vector<ir::Rule> rules;
    RenderRule(rule, {.owner = owner, .provenance = {}, .log_prefix = "prefix: "}, context, rules,
               sets_);
    std::vector<std::string> lines;
    for (const ir::Rule& rendered : rules) {
      std::string line = ir::Print(rendered, family);
      while (line.ends_with(' ')) line.pop_back();
      lines.push_back(line);
    }
    return lines;
  }

  static std::vector<model::PortRange> SinglePorts(int n) {
    std::vector<model::PortRange> ports;
    for (int i = 0; i < n; ++i) {
      const auto port = static_cast<std::uint16_t>(1000 + 2 * i);
      ports.push_back({port, port});
    }
    return ports;
  }

  Options options_ = testing::OptionsOfThisHost();
  SetDefinitions sets_;
};

TEST_F(RuleRendererTest, AnAllowIsOneRule) {
  model::PolicyRule rule = testing::Allow();
  rule.protocol = model::kTcp;
  rule.destination.ports.ranges = {{80, 80}, {8000, 8080}};
  rule.source.selector = testing::Select("role == 'db'");
  EXPECT_THAT(Render(rule),
              ElementsAre("-p tcp -m multiport --dports 80,8000:8080 -m set --match-set "
                          "s:rV61RKD1Q8wo61pyeB0j2rwE3eiBOFbx0SsYKg src -g cali-allow"));
}

TEST_F(RuleRendererTest, EveryVerdictHasItsForm) {
  EXPECT_THAT(Render(testing::Allow()), ElementsAre("-g cali-allow"));
  EXPECT_THAT(Render(testing::Deny()), ElementsAre("-j DROP"));
  EXPECT_THAT(Render(testing::Pass()), ElementsAre("-g cali-pass"));
  EXPECT_THAT(Render(testing::Pass(), IpFamily::kV4, RuleOwner::kProfile),
              ElementsAre("-j RETURN"));
  options_.filter_deny_action = DenyAction::kReject;
  EXPECT_THAT(Render(testing::Deny()), ElementsAre(::testing::StartsWith("-j REJECT")));
}

TEST_F(RuleRendererTest, FifteenPortsAreOneRuleAndSixteenAreTwo) {
  model::PolicyRule rule = testing::Allow();
  rule.protocol = model::kTcp;
  rule.destination.ports.ranges = SinglePorts(15);
  EXPECT_THAT(Render(rule), SizeIs(1));
  rule.destination.ports.ranges = SinglePorts(16);
  EXPECT_THAT(Render(rule), SizeIs(2));
  // A range costs two of the fifteen slots.
  rule.destination.ports.ranges = SinglePorts(13);
  rule.destination.ports.ranges.push_back({1, 2});
  EXPECT_THAT(Render(rule), SizeIs(1));
  rule.destination.ports.ranges.push_back({3, 3});
  EXPECT_THAT(Render(rule), SizeIs(2));
}

TEST_F(RuleRendererTest, ListsAddUpAndDoNotMultiply) {
  model::PolicyRule rule = testing::Allow();
  rule.protocol = model::kTcp;
  rule.source.ports.ranges = SinglePorts(1000);
  rule.destination.ports.ranges = SinglePorts(1000);
  for (int i = 0; i < 1000; ++i) {
    rule.source.nets.push_back(testing::Net(fmt::format("10.{}.{}.0/24", i / 256, i % 256)));
    rule.destination.nets.push_back(testing::Net(fmt::format("11.{}.{}.0/24", i / 256, i % 256)));
  }
  EXPECT_LE(Render(rule).size(), 140U);
  EXPECT_THAT(sets_, SizeIs(2));
}

TEST_F(RuleRendererTest, AFewNetsAreCopiesAndManyAreASet) {
  model::PolicyRule rule = testing::Allow();
  rule.source.nets = testing::Nets({"10.0.0.0/8", "11.0.0.0/8"});
  EXPECT_THAT(Render(rule),
              ElementsAre("-s 10.0.0.0/8 -g cali-allow", "-s 11.0.0.0/8 -g cali-allow"));
  EXPECT_THAT(sets_, IsEmpty());
  rule.source.nets =
      testing::Nets({"1.0.0.0/8", "2.0.0.0/8", "3.0.0.0/8", "4.0.0.0/8", "5.0.0.0/8"});
  EXPECT_THAT(Render(rule), SizeIs(1));
  EXPECT_THAT(sets_, SizeIs(1));
}

TEST_F(RuleRendererTest, NetsOfTheOtherFamilyNeverWidenARule) {
  model::PolicyRule rule = testing::Allow();
  rule.source.nets = testing::Nets({"fd00::/8"});
  EXPECT_THAT(Render(rule, IpFamily::kV4), IsEmpty());
  EXPECT_THAT(Render(rule, IpFamily::kV6), SizeIs(1));
  rule.destination.not_nets = testing::Nets({"10.0.0.0/8"});
  EXPECT_THAT(Render(rule, IpFamily::kV6), IsEmpty());
}

TEST_F(RuleRendererTest, ANegatedCatchAllMatchesNothing) {
  model::PolicyRule rule = testing::Deny();
  rule.source.not_nets = testing::Nets({"0.0.0.0/0"});
  EXPECT_THAT(Render(rule), IsEmpty());
}

TEST_F(RuleRendererTest, IcmpTypesBringTheProtocolOfTheFamily) {
  model::PolicyRule rule = testing::Allow();
  rule.icmp = model::IcmpMatch{.type = 0, .code = 0};
  EXPECT_THAT(Render(rule, IpFamily::kV4),
              ElementsAre("-p icmp -m icmp --icmp-type 0/0 -g cali-allow"));
  EXPECT_THAT(Render(rule, IpFamily::kV6),
              ElementsAre("-p icmpv6 -m icmp6 --icmpv6-type 0/0 -g cali-allow"));
}

TEST_F(RuleRendererTest, ContradictingProtocolsMatchNothing) {
  model::PolicyRule rule = testing::Allow();
  rule.protocol = model::kTcp;
  rule.not_protocol = model::kTcp;
  EXPECT_THAT(Render(rule), IsEmpty());
  rule.not_protocol = model::kUdp;
  EXPECT_THAT(Render(rule), ElementsAre("-p tcp -g cali-allow"));
}

TEST_F(RuleRendererTest, NamedPortsStandBesideNumericOnes) {
  model::PolicyRule rule = testing::Allow();
  rule.protocol = model::kTcp;
  rule.destination.selector = testing::Select("role == 'db'");
  rule.destination.ports.ranges = {{80, 80}};
  rule.destination.ports.names = {"http"};
  EXPECT_THAT(
      Render(rule),
      ElementsAre("-p tcp -m multiport --dports 80 -m set --match-set "
                  "s:rV61RKD1Q8wo61pyeB0j2rwE3eiBOFbx0SsYKg dst -g cali-allow",
                  "-p tcp -m set --match-set n:v1r2STTlO7TacjeCimdhkpVVM3zO_Bl2xCq5fw dst,dst "
                  "-g cali-allow"));
}

TEST_F(RuleRendererTest, ALimitOfLogLinesIsAskedLast) {
  model::PolicyRule rule = testing::Rule(model::RuleAction::kLog);
  rule.protocol = model::kTcp;
  rule.source.selector = testing::Select("role == 'db'");
  rule.destination.ports.ranges = {{80, 80}};
  options_.log_limit = ir::LimitMatch{.rate = 10, .unit = ir::LimitMatch::Unit::kMinute};
  EXPECT_THAT(Render(rule),
              ElementsAre("-p tcp -m multiport --dports 80 -m set --match-set "
                          "s:rV61RKD1Q8wo61pyeB0j2rwE3eiBOFbx0SsYKg src -m limit --limit "
                          "10/minute --limit-burst 5 -j LOG --log-prefix \"prefix: \" "
                          "--log-level 5"));
  EXPECT_THAT(Render(testing::Allow()), ElementsAre("-g cali-allow"));
}

TEST_F(RuleRendererTest, ABurstIsNoMoreThanTheKernelCanCount) {
  using Unit = ir::LimitMatch::Unit;
  const auto burst = [&](std::uint32_t rate, Unit unit, std::uint32_t wanted) {
    options_.log_limit = ir::LimitMatch{.rate = rate, .unit = unit, .burst = wanted};
    const std::string line = Render(testing::Rule(model::RuleAction::kLog)).at(0);
    const std::size_t start = line.find("--limit-burst ") + 14;
    return line.substr(start, line.find(' ', start) - start);
  };
  EXPECT_EQ(burst(1, Unit::kDay, 5), "1");
  EXPECT_EQ(burst(3, Unit::kDay, 5), "3");
  EXPECT_EQ(burst(1, Unit::kHour, 25), "24");
  EXPECT_EQ(burst(1, Unit::kHour, 24), "24");
  EXPECT_EQ(burst(1, Unit::kSecond, 0), "1");
}

TEST(LogPrefix, FillsInThePlaceholders) {
  const model::PolicyId web{model::PolicyKind::kNetworkPolicy, "shop", "web"};
  const model::PolicyId all{model::PolicyKind::kGlobalNetworkPolicy, "", "all"};
  EXPECT_EQ(PolicyLogPrefix("calico-packet", web, "t"), "calico-packet: ");
  EXPECT_EQ(PolicyLogPrefix("%t %k %n %p", web, "t1"), "t1 np web shop/web: ");
  EXPECT_EQ(PolicyLogPrefix("%t|%k|%p", all, "t1"), "t1|gnp|all: ");
  EXPECT_EQ(ProfileLogPrefix("[%t]%k/%n %p", "kns.x"), "[]pro/kns.x kns.x: ");
  EXPECT_EQ(PolicyLogPrefix("100% %x%", all, "t"), "100% %x%: ");
}

TEST(LogPrefix, FitsTheKernelAndHoldsNoControlCharacters) {
  const model::PolicyId id{model::PolicyKind::kGlobalNetworkPolicy, "", std::string(40, 'x')};
  EXPECT_EQ(PolicyLogPrefix("a\nb%n", id, "t"), "a_b" + std::string(26, 'x'));
}

}  // namespace
}  // namespace felix::compiler
