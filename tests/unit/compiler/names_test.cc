// SPDX-License-Identifier: Apache-2.0
#include "compiler/names.h"

#include <set>
#include <string>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/marks.h"
#include "compiler/rule_sets.h"
#include "tests/support/builders.h"

namespace felix::compiler {
namespace {

TEST(Names, AreCalicosForGoldenInputs) {
  struct Case {
    const char* prefix;
    const char* suffix;
    const char* want;
  };
  const Case cases[] = {
      {"cali-pi-", "gnp/a", "cali-pi-gnp/a"},
      {"cali-po-", "np/prod/default-deny", "cali-po-np/prod/default-deny"},
      {"cali-pi-", "knp/default/allow-dns-for-all-pods", "cali-pi-_rekKwHO0YgBTlVix-59"},
      {"cali-pi-", "gnp/default.allow-all", "cali-pi-_CCdt78kWMcedCsqGIo6"},
      {"cali-pro-", "ksa.kube-system.coredns", "cali-pro-_u2Tn2rSoAPffvE7JO6"},
      {"cali-pri-", "projectcalico-default-allow", "cali-pri-_TI1Jm4dJqQzYb0Rx3u"},
      {"cali-fh-", "any-interface-at-all", "cali-fh-any-interface-at-all"},
      {"cali-fhfw-", "any-interface-at-all", "cali-fhfw-_Nqh4HyA73udmyanQI"},
  };
  for (const Case& c : cases) EXPECT_EQ(LimitedName(c.prefix, c.suffix), c.want);
}

TEST(Names, OfPoliciesHoldKindAndNamespace) {
  using model::PolicyId;
  using model::PolicyKind;
  EXPECT_EQ(PolicyChainName({PolicyKind::kGlobalNetworkPolicy, "", "a"}, Direction::kIngress),
            "cali-pi-gnp/a");
  EXPECT_EQ(PolicyChainName({PolicyKind::kNetworkPolicy, "n", "a"}, Direction::kEgress),
            "cali-po-np/n/a");
}

TEST(Names, ThatLookShortenedAreShortened) {
  const std::string hashed = LimitedName("cali-pri-", "projectcalico-default-allow");
  const std::string suffix = hashed.substr(9);  // a profile may be called just that
  EXPECT_NE(LimitedName("cali-pri-", suffix), hashed);
}

TEST(Names, OfCraftedProfilesAndPoliciesNeverMeet) {
  std::set<std::string> names;
  std::size_t count = 0;
  const std::string stem(200, 'a');
  for (int i = 0; i < 20000; ++i) {
    for (const std::string& suffix :
         {fmt::format("{}{}", stem, i), fmt::format("a-{}", i), fmt::format("A-{}", i),
          fmt::format("_{:018}", i), fmt::format("{:019}", i), fmt::format("{:020}", i)}) {
      names.insert(LimitedName("cali-pri-", suffix));
      ++count;
    }
  }
  EXPECT_EQ(names.size(), count);
  for (const std::string& name : names) ASSERT_LE(name.size(), kMaxChainName);
}

TEST(RuleSets, IdsAreCalicosForGoldenInputs) {
  const model::Selector db = testing::Select("role == 'db'");
  EXPECT_EQ(SelectorSetId(db), "s:rV61RKD1Q8wo61pyeB0j2rwE3eiBOFbx0SsYKg");
  EXPECT_EQ(NamedPortSetId(db, model::kTcp, "http"), "n:v1r2STTlO7TacjeCimdhkpVVM3zO_Bl2xCq5fw");
  EXPECT_EQ(NamedPortSetId(model::Selector(), model::Protocol{}, "http"),
            "n:FvKMFOOSYvkZZJ0ch1bwT7bt3AAgySwlMLqMDA");
}

TEST(Marks, TakeTheLowestBitsOfTheMask) {
  const Marks marks = Marks::FromMask(0xffff0000);
  EXPECT_EQ(marks.accept, 0x10000U);
  EXPECT_EQ(marks.pass, 0x20000U);
  EXPECT_EQ(marks.all(), 0xf0000U);
  const Marks sparse = Marks::FromMask(0x80000111);
  EXPECT_EQ(sparse.accept, 0x1U);
  EXPECT_EQ(sparse.scratch, 0x80000000U);
}

}  // namespace
}  // namespace felix::compiler
