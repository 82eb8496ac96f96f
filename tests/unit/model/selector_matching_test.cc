// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "model/selector.h"

namespace felix::model {
namespace {

using Values = std::vector<std::string>;

Selector Parsed(std::string_view text) {
  const auto selector = Selector::Parse(text);
  EXPECT_TRUE(selector.ok()) << text << ": " << selector.status();
  return selector.value_or(Selector());
}

struct MatchCase {
  std::string_view selector;
  LabelSet labels;
  bool matches;
};

class SelectorMatching : public ::testing::TestWithParam<MatchCase> {};

TEST_P(SelectorMatching, FollowsTheLabels) {
  EXPECT_EQ(Parsed(GetParam().selector).Matches(GetParam().labels), GetParam().matches)
      << GetParam().selector << " on " << GetParam().labels.ToString();
}

const LabelSet& NoLabels() {
  static const LabelSet none;
  return none;
}

LabelSet A(std::string value) {
  return LabelSet{{"a", std::move(value)}};
}

INSTANTIATE_TEST_SUITE_P(
    Operators, SelectorMatching,
    ::testing::Values(
        MatchCase{"", NoLabels(), true}, MatchCase{"all()", A("x"), true},
        MatchCase{"global()", NoLabels(), true}, MatchCase{"!all()", A("x"), false},
        MatchCase{"has(a)", NoLabels(), false}, MatchCase{"has(a)", A(""), true},
        MatchCase{"!has(a)", NoLabels(), true}, MatchCase{"a == 'x'", NoLabels(), false},
        MatchCase{"a == 'x'", A("x"), true}, MatchCase{"a == 'x'", A("X"), false},
        MatchCase{"a == ''", A(""), true}, MatchCase{"a == ''", NoLabels(), false},
        MatchCase{"a != 'x'", NoLabels(), true}, MatchCase{"a != 'x'", A("x"), false},
        MatchCase{"a != 'x'", A("y"), true}, MatchCase{"!a == 'x'", NoLabels(), true},
        MatchCase{"a in {'x', 'y'}", A("y"), true}, MatchCase{"a in {'x', 'y'}", A("z"), false},
        MatchCase{"a in {'x', 'y'}", NoLabels(), false}, MatchCase{"a in {}", A("x"), false},
        MatchCase{"a not in {'x'}", NoLabels(), true}, MatchCase{"a not in {'x'}", A("x"), false},
        MatchCase{"a not in {'x'}", A("y"), true}, MatchCase{"a not in {}", A("x"), true},
        MatchCase{"a contains 'bc'", A("abcd"), true}, MatchCase{"a contains 'bc'", A("b"), false},
        MatchCase{"a contains ''", A(""), true}, MatchCase{"a contains ''", NoLabels(), false},
        MatchCase{"a starts with 'ab'", A("abc"), true},
        MatchCase{"a starts with 'ab'", A("xab"), false},
        MatchCase{"a starts with ''", NoLabels(), false},
        MatchCase{"a ends with 'bc'", A("abc"), true},
        MatchCase{"a ends with 'bc'", A("bcx"), false}, MatchCase{"a ends with ''", A("x"), true}));

INSTANTIATE_TEST_SUITE_P(Combinations, SelectorMatching,
                         ::testing::Values(MatchCase{"has(a) && has(b)", A("x"), false},
                                           MatchCase{
                                               "has(a) && has(b)", {{"a", ""}, {"b", ""}}, true},
                                           MatchCase{"has(b) || has(a)", A("x"), true},
                                           MatchCase{"has(b) || has(c)", A("x"), false},
                                           MatchCase{"has(a) || has(b) && has(c)", A("x"), true},
                                           MatchCase{"(has(a) || has(b)) && has(c)", A("x"), false},
                                           MatchCase{"!has(a) || has(a)", A("x"), true},
                                           MatchCase{"!(has(a) && has(b))", A("x"), true},
                                           MatchCase{"!has(b) && has(a)", A("x"), true},
                                           MatchCase{"!(!has(a))", A("x"), true}));

TEST(SelectorMatching, SeesInheritedLabelsOnlyWhereNotShadowed) {
  LabelSet labels = {{"role", "db"}};
  labels.Inherit({{"role", "web"}, {"zone", "1"}});
  EXPECT_TRUE(Parsed("role == 'db' && zone == '1'").Matches(labels));
  EXPECT_FALSE(Parsed("role == 'web'").Matches(labels));
}

// One phrase for each label, as in "a present [x,y,];".
std::string Describe(const Selector& selector) {
  std::vector<LabelRestriction> restrictions = LabelRestrictions(selector);
  std::sort(restrictions.begin(), restrictions.end(), [](const auto& a, const auto& b) {
    return atoms::TextOf(a.label) < atoms::TextOf(b.label);
  });
  std::string text;
  for (const LabelRestriction& r : restrictions) {
    text += text.empty() ? "" : " ";
    text += std::string(atoms::TextOf(r.label)) + (r.must_be_present ? " present" : "") +
            (r.must_be_absent ? " absent" : "");
    if (!r.must_be_one_of.has_value()) {
      text += ';';
      continue;
    }
    text += " [";
    std::set<std::string_view> values;
    for (const AtomId value : *r.must_be_one_of) values.insert(atoms::TextOf(value));
    for (const std::string_view value : values) text += std::string(value) + ",";
    text += "];";
  }
  return text;
}

struct RestrictionCase {
  std::string_view selector;
  std::string_view restrictions;
};

class Restrictions : public ::testing::TestWithParam<RestrictionCase> {};

TEST_P(Restrictions, AreNecessaryConditions) {
  EXPECT_EQ(Describe(Parsed(GetParam().selector)), GetParam().restrictions) << GetParam().selector;
}

INSTANTIATE_TEST_SUITE_P(
    Selectors, Restrictions,
    ::testing::Values(RestrictionCase{"all()", ""}, RestrictionCase{"global()", ""},
                      RestrictionCase{"a != 'x'", ""}, RestrictionCase{"a not in {'x'}", ""},
                      RestrictionCase{"a == 'x'", "a present [x,];"},
                      RestrictionCase{"a in {'y', 'x'}", "a present [x,y,];"},
                      RestrictionCase{"a in {}", "a present [];"},
                      RestrictionCase{"has(a)", "a present;"},
                      RestrictionCase{"a contains 'x'", "a present;"},
                      RestrictionCase{"a starts with 'x'", "a present;"},
                      RestrictionCase{"a ends with 'x'", "a present;"},
                      RestrictionCase{"!has(a)", "a absent;"}, RestrictionCase{"!a == 'x'", ""},
                      RestrictionCase{"!(!has(a))", ""}, RestrictionCase{"!(has(a) && has(b))", ""},
                      RestrictionCase{"b == 'x' && has(a)", "a present; b present [x,];"},
                      RestrictionCase{"a in {'x', 'y'} && a in {'y', 'z'}", "a present [y,];"},
                      RestrictionCase{"a == 'x' && a == 'y'", "a present [];"},
                      RestrictionCase{"has(a) && a == 'y'", "a present [y,];"},
                      RestrictionCase{"has(a) && !has(a)", "a present absent;"},
                      RestrictionCase{"a == 'x' && a != 'y' && all()", "a present [x,];"},
                      RestrictionCase{"a == 'y' || a == 'x'", "a present [x,y,];"},
                      RestrictionCase{"a == 'x' || has(a)", "a present;"},
                      RestrictionCase{"a == 'x' || b == 'x'", ""},
                      RestrictionCase{"a == 'x' || all()", ""},
                      RestrictionCase{"a == 'x' || !has(a)", ""},
                      RestrictionCase{"!has(a) || !has(a)", "a absent;"},
                      RestrictionCase{"has(a) && has(b) || has(c) && has(b)", "b present;"},
                      RestrictionCase{"(has(a) || has(b)) && c == '1'", "c present [1,];"},
                      RestrictionCase{"has(a) && has(b) && has(c) && has(d) && has(e)",
                                      "a present; b present; c present; d present; e present;"},
                      RestrictionCase{"a == '1' || a == '2' || a == '3' || a == '4' || a == '5'",
                                      "a present [1,2,3,4,5,];"}));

bool Fulfils(const LabelRestriction& r, const LabelSet& labels) {
  const AtomId value = labels.ValueOf(r.label);
  if (r.must_be_present && value == 0) return false;
  if (r.must_be_absent && value != 0) return false;
  if (!r.must_be_one_of.has_value()) return true;
  return value != 0 && ::testing::Value(*r.must_be_one_of, ::testing::Contains(value));
}

TEST(RestrictionsProperty, NoSelectorMatchesLabelsThatBreakItsRestrictions) {
  const std::vector<std::string> terms = {"has(a)",      "a == 'x'", "a != 'x'", "b in {'x', 'y'}",
                                          "b not in {}", "!has(b)",  "all()",    "b contains 'y'",
                                          "!(a == 'y')", "a in {}"};
  std::vector<LabelSet> samples;
  for (const char* a : {"", "x", "y", "none"}) {
    for (const char* b : {"", "x", "y", "none"}) {
      LabelSet labels = {{"a", a}, {"b", b}};
      if (std::string_view(a) == "none") labels.Erase("a");
      if (std::string_view(b) == "none") labels.Erase("b");
      samples.push_back(labels);
    }
  }
  int matches = 0;
  for (const std::string& first : terms) {
    for (const std::string& second : terms) {
      for (const std::string& third : terms) {
        const Selector selector = Parsed(first + " && " + second + " || " + third);
        const auto restrictions = LabelRestrictions(selector);
        for (const LabelSet& labels : samples) {
          if (!selector.Matches(labels)) continue;
          ++matches;
          for (const LabelRestriction& r : restrictions) {
            ASSERT_TRUE(Fulfils(r, labels)) << selector.text() << " on " << labels.ToString();
          }
        }
      }
    }
  }
  EXPECT_GT(matches, 1000);
}

}  // namespace
}  // namespace felix::model
