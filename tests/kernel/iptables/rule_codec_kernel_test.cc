// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "fmt/format.h"

#include "iptables/features.h"
#include "iptables/libiptc_table.h"
#include "iptables/set_index.h"
#include "iptables/table.h"
#include "tests/kernel/iptables/legacy_tools.h"
#include "tests/support/network_namespace.h"
#include "tests/unit/iptables/encoded_rules.h"
#include "tests/unit/iptables/rule_samples.h"

namespace felix::iptables {
namespace {

using model::IpFamily;
using testing::RunTool;
using testing::SavedRules;

constexpr char kChain[] = "cali-samples";

class RuleCodecKernelTest : public ::testing::TestWithParam<IpFamily> {
 protected:
  void SetUp() override {
    FELIX_REQUIRE_ROOT();
    testing::EnterFreshNetworkNamespace();
    const char* family = GetParam() == IpFamily::kV4 ? "inet" : "inet6";
    RunTool(
        fmt::format("ipset create {} hash:net family {} && ipset create {} hash:ip,port "
                    "family {}",
                    testing::SampleSetName(GetParam(), testing::kNetSet), family,
                    testing::SampleSetName(GetParam(), testing::kPortSet), family));
  }

  ir::ChainKey Key(const std::string& name) {
    return {.family = GetParam(), .table = ir::Table::kFilter, .name = name};
  }

  SetIndexes indexes_;
  SetIndexResolver resolver_ = indexes_.Resolver(
      [](const ir::SetKey& key) { return testing::SampleSetName(key.family, key.id); });
  LibiptcTable kernel_{GetParam(), ir::Table::kFilter};
  Table table_{GetParam(), ir::Table::kFilter, kernel_, resolver_};
};

INSTANTIATE_TEST_SUITE_P(Families, RuleCodecKernelTest,
                         ::testing::Values(IpFamily::kV4, IpFamily::kV6),
                         [](const auto& param_info) {
                           return param_info.param == IpFamily::kV4 ? "Ipv4" : "Ipv6";
                         });

// All samples of one table, in one chain per base chain.
struct TableOfSamples {
  ir::DesiredState state;
  std::map<std::string, std::vector<std::string>> saved;  // by chain
};

std::map<ir::Table, TableOfSamples> SamplesByTable(IpFamily family) {
  std::map<ir::Table, TableOfSamples> tables;
  for (const auto& sample : testing::RuleSamples(family)) {
    TableOfSamples& table = tables[sample.table];
    const std::string chain = fmt::format("cali-all-{}", ir::BaseChainName(sample.base));
    const ir::ChainKey key{.family = family, .table = sample.table, .name = chain};
    table.state.chains[key].rules.push_back(sample.rule);
    table.state.hooks[{.family = family, .table = sample.table, .base = sample.base}] = {
        testing::JumpRule(chain)};
    table.saved[chain].push_back(sample.saved);
  }
  ir::DesiredState& filter = tables[ir::Table::kFilter].state;
  filter.chains[{.family = family, .name = testing::kSampleTarget}] = {};
  return tables;
}

TEST_P(RuleCodecKernelTest, KernelHoldsEveryRuleAsTheToolsUnderstandIt) {
  for (const auto& [which, samples] : SamplesByTable(GetParam())) {
    const std::string name(ir::TableName(which));
    SCOPED_TRACE(name);
    LibiptcTable kernel(GetParam(), which);
    Table table(GetParam(), which, kernel, resolver_);
    table.Stage(ir::Diff({}, samples.state));
    auto stats = table.Apply();
    ASSERT_TRUE(stats.ok()) << stats.status();
    EXPECT_EQ(stats->commits, 1);
    for (const auto& [chain, saved] : samples.saved) {
      EXPECT_THAT(SavedRules(GetParam(), name, chain), ::testing::ElementsAreArray(saved));
    }

    table.Resync();
    stats = table.Apply();
    ASSERT_TRUE(stats.ok()) << stats.status();
    EXPECT_EQ(stats->commits, 0) << "what came back from the kernel is not what was sent";

    // What the tools saved and loaded again is still the same to us.
    const std::string tool = testing::Tool(GetParam());
    RunTool(
        fmt::format("{0}-save > /tmp/felix-test-$$.rules && {0}-restore /tmp/felix-test-$$.rules; "
                    "status=$?; rm -f /tmp/felix-test-$$.rules; exit $status",
                    tool));
    table.Resync();
    const auto plan = table.DryRun();
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(Print(*plan, GetParam()), "");
  }
}

// The kernel itself would say no more than "invalid argument".
TEST_P(RuleCodecKernelTest, RefusesWithAReasonWhatBelongsToOtherBaseChains) {
  const struct {
    ir::Table table;
    ir::Rule rule;
    std::string reason;
  } cases[] = {
      {ir::Table::kNat, {{}, ir::Masquerade{}, {}}, "MASQUERADE has no place in chain OUTPUT"},
      {ir::Table::kNat, {{}, ir::SourceNat{}, {}}, "SNAT has no place in chain OUTPUT"},
      {ir::Table::kFilter, {{}, ir::DestinationNat{}, {}}, "DNAT has no place in table filter"},
      {ir::Table::kRaw,
       {{ir::ReversePathMatch{}}, ir::Drop{}, {}},
       "rpfilter has no place in chain OUTPUT"},
      {ir::Table::kFilter, {{ir::ReversePathMatch{}}, ir::Drop{}, {}}, "no place in table filter"},
      {ir::Table::kMangle, {{}, ir::NoTrack{}, {}}, "CT has no place in table mangle"},
  };
  for (const auto& c : cases) {
    LibiptcTable kernel(GetParam(), c.table);
    Table table(GetParam(), c.table, kernel, resolver_);
    ir::DesiredState state;
    state.hooks[{.family = GetParam(), .table = c.table, .base = ir::BaseChain::kOutput}] = {
        c.rule};
    table.Stage(ir::Diff({}, state));
    EXPECT_THAT(std::string(table.Apply().status().message()), ::testing::HasSubstr(c.reason));
  }
}

// Behind a chain of ours only the kernel sees the base chain; the table stays as it was.
TEST_P(RuleCodecKernelTest, KernelRefusesTranslationsReachedFromTheWrongBaseChain) {
  LibiptcTable kernel(GetParam(), ir::Table::kNat);
  Table table(GetParam(), ir::Table::kNat, kernel, resolver_);
  ir::DesiredState state;
  state.chains[{.family = GetParam(), .table = ir::Table::kNat, .name = kChain}] = {
      {{{}, ir::Masquerade{}, {}}}};
  state.hooks[{
      .family = GetParam(), .table = ir::Table::kNat, .base = ir::BaseChain::kPrerouting}] = {
      testing::JumpRule(kChain)};
  table.Stage(ir::Diff({}, state));
  EXPECT_FALSE(table.Apply().ok());
  EXPECT_THAT(SavedRules(GetParam(), "nat", kChain), ::testing::IsEmpty());
}

TEST_P(RuleCodecKernelTest, RestoredPrefixesAndNamesWithPlusAreToldApart) {
  using Way = ir::InterfaceMatch::Way;
  ir::DesiredState state;
  for (const bool is_prefix : {false, true}) {
    ir::Rule rule = testing::MarkRule(is_prefix ? 2 : 1);
    rule.matches.insert(
        rule.matches.begin(),
        ir::InterfaceMatch{.way = Way::kOut, .name = "felix+", .is_prefix = is_prefix});
    state.chains[Key(kChain)].rules.push_back(rule);
  }
  table_.Stage(ir::Diff({}, state));
  ASSERT_TRUE(table_.Apply().ok());
  auto session = kernel_.Open();
  ASSERT_TRUE(session.ok()) << session.status();
  for (const KernelChain& chain : (*session)->content().chains) {
    if (chain.name != kChain) continue;
    ASSERT_EQ(chain.rules.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      const auto decoded =
          Decode(chain.rules[i].rule, GetParam(), [](std::uint16_t) { return "none"; });
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(*decoded, state.chains[Key(kChain)].rules[i]);
    }
  }
}

TEST(SetIndexes, FindsSetsByNameAndNamesByNumber) {
  FELIX_REQUIRE_ROOT();
  testing::EnterFreshNetworkNamespace();
  SetIndexes indexes;
  EXPECT_TRUE(absl::IsNotFound(indexes.Find("felix-test-a").status()));
  RunTool("ipset create felix-test-a hash:net && ipset create felix-test-b hash:net");
  const auto a = indexes.Find("felix-test-a");
  const auto b = indexes.Find("felix-test-b");
  ASSERT_TRUE(a.ok() && b.ok()) << a.status() << b.status();
  EXPECT_NE(*a, *b);
  EXPECT_EQ(*indexes.NameOf(*b), "felix-test-b");
  RunTool("ipset swap felix-test-a felix-test-b");
  EXPECT_TRUE(indexes.Find("felix-test-a").ok());
  RunTool("ipset destroy felix-test-a");
  EXPECT_TRUE(absl::IsNotFound(indexes.Find("felix-test-a").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(indexes.Find(std::string(32, 'x')).status()));
}

TEST(Features, FindsAllThatTheCodecWrites) {
  FELIX_REQUIRE_ROOT();
  testing::EnterFreshNetworkNamespace();
  const auto features = ProbeFeatures();
  EXPECT_EQ(features.size(), 44U);
  for (const Feature& feature : features) {
    EXPECT_TRUE(feature.present) << feature.name << ": " << feature.detail;
  }
}

}  // namespace
}  // namespace felix::iptables
