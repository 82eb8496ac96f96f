// SPDX-License-Identifier: Apache-2.0
#include "model/selector.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace felix::model {
namespace {

using ::testing::HasSubstr;

Selector Parsed(std::string_view text) {
  const auto selector = Selector::Parse(text);
  EXPECT_TRUE(selector.ok()) << text << ": " << selector.status();
  return selector.value_or(Selector());
}

std::string Repeated(std::string_view piece, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += piece;
  return text;
}

struct IdCase {
  std::string_view text;
  std::string_view canonical;
  std::string_view id;
};

class SelectorIds : public ::testing::TestWithParam<IdCase> {};

TEST_P(SelectorIds, AreThoseOfCalico) {
  const Selector selector = Parsed(GetParam().text);
  EXPECT_EQ(selector.text(), GetParam().canonical);
  EXPECT_EQ(selector.id(), GetParam().id);
}

INSTANTIATE_TEST_SUITE_P(
    Calico, SelectorIds,
    ::testing::Values(
        IdCase{"", "all()", "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug"},
        IdCase{"all()", "all()", "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug"},
        IdCase{" \t", "all()", "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug"},
        IdCase{"all( \t)", "all()", "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug"},
        IdCase{"global()", "global()", "s:fiJDJdBoaP_zQxty70sMjIrxwAb5lgM6LYCAow"},
        IdCase{"has( a )", "has(a)", "s:JpRGrxZ4kdS6g7WoF-uG_g7qlh2ipw2zGYBMpQ"},
        IdCase{"!!has(a)", "has(a)", "s:JpRGrxZ4kdS6g7WoF-uG_g7qlh2ipw2zGYBMpQ"},
        IdCase{"!has(a)", "!has(a)", "s:o54_r2fLf2o-LJfoAaKVj8JvPRHKmJA2mXVR7g"},
        IdCase{"! ! !has(a)", "!has(a)", "s:o54_r2fLf2o-LJfoAaKVj8JvPRHKmJA2mXVR7g"},
        IdCase{"!(!has(a))", "!!has(a)", "s:VZFYmDV_Drir7seXQB5vQXF8-34s2nf1b8ItRA"},
        IdCase{"a=='b'", R"(a == "b")", "s:flMh0m0X_BowkAK_W3j3MgH8oQOsj3WxGDoXCQ"},
        IdCase{"!a=='b'", R"(!a == "b")", "s:Nx82quSiQDReg0K-G_bP30Nmx32uDaoGbVK4Pw"},
        IdCase{"a!='b'", R"(a != "b")", "s:w8cB9lYGgPdxKIznYRyiLzdgqboN8ZbHwER-Sw"},
        IdCase{"a in {'c','a','b','a'}", R"(a in {"a", "b", "c"})",
               "s:yMOWQAq5KzHksMMh3zLlfdafvG9THxFjiAJfrQ"},
        IdCase{"a in {'x',}", R"(a in {"x"})", "s:LIEAMYtAwWnEUL6GFeidjkTht5bQ0nxyaWKABw"},
        IdCase{"a notin{'x'}", R"(a not in {"x"})", "s:o55trVv8oSERfABEy8xjWS5DI--NFJK_2dUo8Q"},
        IdCase{"a not  in { }", "a not in {}", "s:Bg4ONC7zmSROAdxwdGHq4RKf_s32O173Jm-mjA"},
        IdCase{"a contains 'x'", R"(a contains "x")", "s:DYBsxK96mis61Nn486WJ8UQ_BQmyEdMXQiw-sg"},
        IdCase{"a startswith'x'", R"(a starts with "x")",
               "s:0jk0-bi8Whp1_S41kdD7TENMzrNPlQtg4CquPw"},
        IdCase{"a ends  with \"y\"", R"(a ends with "y")",
               "s:Ggsu9NURbRAsmhfE2os_SCp3hOE1LRpyvqL-FA"},
        IdCase{R"(a == 'say "hi"')", R"(a == 'say "hi"')",
               "s:XH0_r5nOaaOTJ92eWhaaB7O8A4WAJfkwYNOMHg"},
        IdCase{"a=='1'&&b=='2'||c=='3'", R"(((a == "1" && b == "2") || c == "3"))",
               "s:kn66E0Z6drqIoVWwKByxferSnzedHUeN5JdS2g"},
        IdCase{"a=='1'&&(b=='2'||c=='3')", R"((a == "1" && (b == "2" || c == "3")))",
               "s:jkMXlcZo3kA2qAryqfjOf2Poaecre3fL0gI_rg"},
        IdCase{"a=='1'&&b=='2'&&c=='3'", R"((a == "1" && b == "2" && c == "3"))",
               "s:KD_zU0EiyPPMgKTgXrt1WVQBo77s6IUYPqkEQA"},
        IdCase{"(a=='1'&&b=='2')&&c=='3'", R"(((a == "1" && b == "2") && c == "3"))",
               "s:06MeWtuBPfBX0VYbkckSnVG7IzucxtdFp0lkXg"},
        IdCase{"!( a=='b' && !c != 'd')", R"(!(a == "b" && !c != "d"))",
               "s:lh3haoY1ikTRkd4UZu0nWSaIBknYLPJLX16d-w"},
        IdCase{"!(has(b) || !has(a))", "!(has(b) || !has(a))",
               "s:Iss0uCleLYv1GSv_pNm7hAO58kE9jAx1NKyG3Q"},
        IdCase{"(role == 'db') && projectcalico.org/namespace == 'prod'",
               R"((role == "db" && projectcalico.org/namespace == "prod"))",
               "s:ujcdfgEZaMju3SqveryMO1WsmcqiFeM2sdyg7g"},
        IdCase{"projectcalico.org/namespace == 'default'",
               R"(projectcalico.org/namespace == "default")",
               "s:4g010_DunYvItGg3dv2MxnaJYxWEVRwn0exiaA"},
        IdCase{"tag == ''", R"(tag == "")", "s:l33gd06DjscqEjkVCNN_FNauKxq37Kxv0i6KUg"},
        IdCase{"has(netgroup-1)", "has(netgroup-1)", "s:ePr9IE6tF-qTtYSmm5VekhAyGKCDAPVDHZgndg"}));

class SelectorRefuses : public ::testing::TestWithParam<std::string_view> {};

TEST_P(SelectorRefuses, WithTheColumnAndWhatWasExpected) {
  const auto selector = Selector::Parse(GetParam());
  ASSERT_EQ(selector.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(selector.status().message());
  EXPECT_THAT(message, HasSubstr("parse selector: column "));
  EXPECT_THAT(message, HasSubstr(": expected "));
}

INSTANTIATE_TEST_SUITE_P(
    BadTexts, SelectorRefuses,
    ::testing::Values("a", "a==b", "a == \"b", "has (a)", "has(a", "a in {,}", "a in \"x\"",
                      "a in (\"b\")", "a == \"b\" b == \"c\"", "a & b", "a = \"b\"", "()", "!",
                      "a inx {\"y\"}", "a\n== \"b\"", "a == \"b\" &&", "\xc3\xa9 == \"x\"", "\n",
                      "all ()", "global ( )", "all(a)", "all", "has()", "has(a b)", "has('a')",
                      "a == 'b'\n", "a == 'b')", "(a == 'b'", "|| a == 'b'",
                      "a == 'b' || || c == 'd'", "a == 'b' | c == 'd'", "a == 'b' & c == 'd'",
                      "a ! = 'b'", "a == 'b' !", "a not 'b'", "a notinn {'b'}", "a starts 'b'",
                      "a starts\nwith 'b'", "a in {'x' 'y'}", "a in {'x',,}", "a in {'x'",
                      "a in {x}", "a in 'x'}", "a contains {'x'}", "a has(b)", "a all()",
                      "has(a) in {'x'}", "'a' == 'b'", "'a' == b", "a == 'b' c", "{", "a == 'b\"",
                      "!!", "a in{'y'} in {'y'}"));

class SelectorAccepts : public ::testing::TestWithParam<std::string_view> {};

TEST_P(SelectorAccepts, AndItsCanonicalTextMeansTheSame) {
  const Selector selector = Parsed(GetParam());
  const Selector again = Parsed(selector.text());
  EXPECT_EQ(again.text(), selector.text());
  EXPECT_EQ(again, selector);
  EXPECT_EQ(again.root(), selector.root());
}

INSTANTIATE_TEST_SUITE_P(
    GoodTexts, SelectorAccepts,
    ::testing::Values("in == \"x\"", "all == \"x\"", "has == \"x\"", "global != 'x'",
                      "--/.. == \"\"", "a==\"x\"&&!b in{\"y\"}", "in in {'in'}", "notin notin {}",
                      "not not in {'x'}", "contains contains''", "a == 'two\nlines'",
                      "a == '\xc3\xa9'", "a == ' b '", "a in {'\"', \"'\"}", "a\t==\t'b'",
                      "((((a == 'b'))))", "hashas != 'x'", "all.x == 'y'", "a endswith 'x'",
                      "a in { 'x' , 'y' , }", "!all()", "has(has)"));

TEST(Selector, ErrorsPointAtTheOffendingColumn) {
  EXPECT_EQ(Selector::Parse("a & b").status().message(),
            "parse selector: column 3: expected an operator (==, !=, in, not in, contains, starts "
            "with, ends with)");
  EXPECT_EQ(Selector::Parse("  a == b").status().message(),
            "parse selector: column 8: expected a quoted string");
  EXPECT_EQ(Selector::Parse("a == \"b").status().message(),
            "parse selector: column 8: expected \" to end the string that begins at column 6");
  EXPECT_EQ(Selector::Parse("()").status().message(),
            "parse selector: column 2: expected a label, has(...), all(), global(), ! or (");
  EXPECT_EQ(Selector::Parse("(a == 'b'").status().message(),
            "parse selector: column 10: expected &&, || or )");
  EXPECT_EQ(Selector::Parse("a == 'b' b == 'c'").status().message(),
            "parse selector: column 10: expected &&, || or the end of the text");
  EXPECT_EQ(Selector::Parse("a in {'b' 'c'}").status().message(),
            "parse selector: column 11: expected , or }");
  EXPECT_EQ(Selector::Parse("a in {,}").status().message(),
            "parse selector: column 7: expected a quoted string or }");
}

TEST(Selector, LabelsHoldAtMost512Characters) {
  const std::string label(512, 'x');
  EXPECT_TRUE(Selector::Parse(label + " == 'y'").ok());
  EXPECT_TRUE(Selector::Parse("has(" + label + ")").ok());
  EXPECT_FALSE(Selector::Parse(label + "x == 'y'").ok());
  EXPECT_FALSE(Selector::Parse("has(" + label + "x)").ok());
}

TEST(Selector, NestsTo256LevelsAndNoDeeper) {
  const auto nested = [](int depth) {
    return Repeated("(", depth) + "has(a)" + Repeated(")", depth);
  };
  EXPECT_EQ(Parsed(nested(256)).text(), "has(a)");
  EXPECT_FALSE(Selector::Parse(nested(257)).ok());
  EXPECT_TRUE(Selector::Parse(Repeated("(has(a)) && ", 1000) + "has(a)").ok());
}

TEST(Selector, HandlesTheDeepestTreeThatItAccepts) {
  const Selector deep =
      Parsed(Repeated("!(has(b) && has(c) || ", 256) + "has(a)" + Repeated(")", 256));
  EXPECT_TRUE(deep.Matches({{"a", ""}}));
  EXPECT_FALSE(deep.Matches({{"b", ""}, {"c", ""}}));
  EXPECT_THAT(deep.WithLabelPrefix("p.").text(), HasSubstr("has(p.a)"));
  EXPECT_TRUE(LabelRestrictions(deep).empty());
}

TEST(Selector, RefusesHostileTextsQuickly) {
  constexpr int kMebibyte = 1 << 20;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(Selector::Parse(std::string(kMebibyte, '(')).ok());
  EXPECT_FALSE(Selector::Parse(std::string(kMebibyte, '!')).ok());
  EXPECT_FALSE(Selector::Parse(Repeated("!(", kMebibyte / 2)).ok());
  EXPECT_FALSE(Selector::Parse(std::string(kMebibyte, 'a')).ok());
  EXPECT_FALSE(Selector::Parse(Repeated("has(", kMebibyte / 4)).ok());
  EXPECT_FALSE(Selector::Parse("a in {" + Repeated("'',", kMebibyte / 3 - 3)).ok());
  EXPECT_FALSE(Selector::Parse(std::string(kMebibyte, '"')).ok());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(Selector, TakesTextsOfAMebibyteAndNoMore) {
  constexpr std::size_t kMebibyte = std::size_t{1} << 20U;
  std::string text = "has(a)";
  text.resize(kMebibyte, ' ');
  EXPECT_TRUE(Selector::Parse(text).ok());
  EXPECT_FALSE(Selector::Parse(text + " ").ok());
}

TEST(Selector, SpellingDoesNotMatterButNestingDoes) {
  EXPECT_EQ(Parsed("a=='b'"), Parsed("( a  == \"b\" )"));
  EXPECT_NE(Parsed("(a=='1'&&b=='2')&&c=='3'"), Parsed("a=='1'&&b=='2'&&c=='3'"));
  EXPECT_EQ(Selector(), Parsed("all()"));
  EXPECT_LT(Parsed("has(a)"), Parsed("has(b)"));
}

TEST(Selector, PrefixesLabelNamesOnly) {
  EXPECT_EQ(
      Parsed("has(a) && !b in {'c'} || all() || d starts with 'd'").WithLabelPrefix("pcns.").text(),
      R"(((has(pcns.a) && !pcns.b in {"c"}) || all() || pcns.d starts with "d"))");
  EXPECT_EQ(Parsed("a == 'b'").WithLabelPrefix("x."), Parsed("x.a == 'b'"));
  EXPECT_EQ(Parsed("a == 'b'").WithLabelPrefix("x.").id(), Parsed("x.a == 'b'").id());
}

}  // namespace
}  // namespace felix::model
