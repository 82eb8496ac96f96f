// SPDX-License-Identifier: Apache-2.0
#include "datastore/resource_document.h"

#include <cmath>
#include <string>

#include "gtest/gtest.h"

namespace felix::datastore {
namespace {

using Kind = DocumentNode::Kind;

DocumentNode OnlyDocument(const ParsedText& parsed) {
  EXPECT_FALSE(parsed.fault.has_value()) << parsed.fault->reason;
  EXPECT_EQ(parsed.documents.size(), 1U);
  return parsed.documents.empty() ? DocumentNode::Null({}) : parsed.documents.front();
}

void ExpectFault(const ParsedText& parsed, std::string_view reason, Position position) {
  EXPECT_TRUE(parsed.documents.empty());
  ASSERT_TRUE(parsed.fault.has_value());
  EXPECT_NE(parsed.fault->reason.find(reason), std::string::npos) << parsed.fault->reason;
  EXPECT_EQ(parsed.fault->position, position) << parsed.fault->position.ToString();
}

struct ScalarCase {
  std::string text;
  Kind kind;
};

TEST(ParseYaml, TypesPlainScalarsAsTheCoreSchemaDoes) {
  const ScalarCase cases[] = {
      {"80", Kind::kInteger},
      {"-7", Kind::kInteger},
      {"+7", Kind::kInteger},
      {"0", Kind::kInteger},
      {"0xffff0000", Kind::kInteger},
      {"0o17", Kind::kInteger},
      {"017", Kind::kString},
      {"1_000", Kind::kString},
      {"80:90", Kind::kString},
      {"1.5", Kind::kNumber},
      {"1e2", Kind::kNumber},
      {".5", Kind::kNumber},
      {"1e400", Kind::kNumber},
      {".nan", Kind::kNumber},
      {"-.inf", Kind::kNumber},
      {"true", Kind::kBoolean},
      {"False", Kind::kBoolean},
      {"yes", Kind::kString},
      {"on", Kind::kString},
      {"null", Kind::kNull},
      {"~", Kind::kNull},
      {"", Kind::kNull},
      {"10.0.0.1", Kind::kString},
      {"1.2.3", Kind::kString},
      {"fd00::1", Kind::kString},
      {"\"80\"", Kind::kString},
      {"'true'", Kind::kString},
      {"!!str 80", Kind::kString},
      {"! 80", Kind::kString},
      {"-", Kind::kList},
      {"1e", Kind::kString},
      {"0x", Kind::kString},
      {"0x-1", Kind::kString},
      {"18446744073709551615", Kind::kNumber},
  };
  for (const ScalarCase& c : cases) {
    const DocumentNode node =
        OnlyDocument(ParseYaml("v: " + (c.kind == Kind::kList ? "[]" : c.text)));
    ASSERT_NE(node.Find("v"), nullptr) << c.text;
    EXPECT_EQ(node.Find("v")->kind(), c.kind) << c.text;
  }
  EXPECT_EQ(OnlyDocument(ParseYaml("v: 0xffff0000")).Find("v")->integer(), 4294901760);
}

TEST(ParseYaml, KeepsWhereEachValueStands) {
  const DocumentNode node = OnlyDocument(ParseYaml("a: 1\nb:\n  - x\n  - {c: y}\n"));
  EXPECT_EQ(node.Find("a")->position(), (Position{1, 4}));
  EXPECT_EQ(node.Find("b")->children()[0].position(), (Position{3, 5}));
  EXPECT_EQ(node.Find("b")->children()[1].Find("c")->position(), (Position{4, 9}));
}

TEST(ParseYaml, ReadsSeveralDocumentsAndLeavesOutEmptyOnes) {
  const ParsedText parsed = ParseYaml("# only a comment\n---\na: 1\n---\n---\nb: 2\n...\n");
  ASSERT_FALSE(parsed.fault.has_value());
  EXPECT_EQ(parsed.documents.size(), 2U);
  EXPECT_TRUE(ParseYaml("").documents.empty());
  EXPECT_FALSE(ParseYaml("").fault.has_value());
}

TEST(ParseYaml, AcceptsJson) {
  const DocumentNode node = OnlyDocument(ParseYaml(R"({"a": {"b": [1, "2", null]}})"));
  EXPECT_EQ(node.Find("a")->Find("b")->children()[1].string(), "2");
}

TEST(ParseYaml, CopiesWhatAnAliasPointsAt) {
  const DocumentNode node = OnlyDocument(ParseYaml("a: &x {p: 1}\nb: *x\n"));
  EXPECT_EQ(node.Find("b")->Find("p")->integer(), 1);
}

TEST(ParseYaml, RefusesByLineAndColumn) {
  ExpectFault(ParseYaml("a: 1\nb: 2\na: 3\n"), "key 'a' twice", {3, 1});
  ExpectFault(ParseYaml("a: {b: 1\n"), "", {2, 1});
  ExpectFault(ParseYaml("a: &x [*x]\n"), "alias", {1, 8});
  ExpectFault(ParseYaml("a: *x\n"), "anchor is not defined", {1, 4});
  ExpectFault(ParseYaml("a: &x {p: 1}\nb:\n  <<: *x\n"), "merge keys", {3, 3});
  ExpectFault(ParseYaml("a: !!binary x\n"), "tag", {1, 4});
  ExpectFault(ParseYaml("? [a]\n: 1\n"), "key is not a string", {1, 3});
  ExpectFault(ParseYaml("\"a\": 1\n\"b\" \"c\"\n"), "", {2, 1});
}

TEST(ParseYaml, RefusesTextBehindTheEndOfADocument) {
  ExpectFault(ParseYaml("{kind: A}\n{kind: B}\n"), "text behind the end of the document", {2, 1});
}

TEST(ParseYaml, RefusesDeepNestingWithoutRecursingIntoIt) {
  const std::string deep(100'000, '[');
  EXPECT_TRUE(ParseYaml(deep).fault.has_value());
  EXPECT_FALSE(ParseYaml(std::string(256, '[') + std::string(256, ']')).fault.has_value());
  EXPECT_TRUE(ParseYaml(std::string(257, '[') + std::string(257, ']')).fault.has_value());
}

TEST(ParseYaml, BoundsWhatAliasesRepeat) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i <= 9; ++i) {
    const std::string previous = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += (k == 0 ? "" : ", ") + previous;
    bomb += "]\n";
  }
  const ParsedText parsed = ParseYaml(bomb);
  ASSERT_TRUE(parsed.fault.has_value());
  EXPECT_NE(parsed.fault->reason.find("100000 nodes"), std::string::npos) << parsed.fault->reason;
}

TEST(ParseJson, KeepsWhereEachValueStands) {
  const DocumentNode node =
      OnlyDocument(ParseJson("{\n  \"a\": [1,\n    \"x\\\"y\\\\\"],\n  \"b\": {\"c\": -2.5}\n}"));
  EXPECT_EQ(node.position(), (Position{1, 1}));
  EXPECT_EQ(node.Find("a")->position(), (Position{2, 8}));
  EXPECT_EQ(node.Find("a")->children()[0].position(), (Position{2, 9}));
  EXPECT_EQ(node.Find("a")->children()[1].position(), (Position{3, 5}));
  EXPECT_EQ(node.Find("a")->children()[1].string(), "x\"y\\");
  EXPECT_EQ(node.Find("b")->Find("c")->position(), (Position{4, 14}));
}

TEST(ParseJson, RefusesByLineAndColumn) {
  ExpectFault(ParseJson("{\"a\": 1,\n\"a\": 2}"), "key 'a' twice", {2, 1});
  ExpectFault(ParseJson("{\"a\": 1"), "missing a comma", {1, 8});
  ExpectFault(ParseJson("{\"a\": 1} x"), "not be followed", {1, 10});
  ExpectFault(ParseJson("{\"a\": 1e400}"), "too big", {1, 7});
  ExpectFault(ParseJson("{\"a\": NaN}"), "invalid value", {1, 7});
  ExpectFault(ParseJson("{\"a\": \"\\ud800\"}"), "", {1, 8});
  ExpectFault(ParseJson("{\"a\":\n \"\\udc00\"}"), "not valid Unicode", {2, 2});
}

TEST(ParseJson, ReadsNumbersOfEveryForm) {
  for (const auto& [text, number] :
       {std::pair("0e302", 0.0), std::pair("-0.0E-5", 0.0), std::pair("1e-400", 0.0),
        std::pair("0.1", 0.1), std::pair("1.7976931348623157e308", 1.7976931348623157e308),
        std::pair("123456789012345678901234567890", 123456789012345678901234567890.0)}) {
    const ParsedText parsed = ParseJson(text);
    ASSERT_FALSE(parsed.fault) << text;
    ASSERT_EQ(parsed.documents.size(), 1U) << text;
    EXPECT_EQ(parsed.documents[0].kind(), DocumentNode::Kind::kNumber) << text;
    EXPECT_EQ(parsed.documents[0].number(), number) << text;
  }
  EXPECT_TRUE(ParseJson("-1e309").fault);
  EXPECT_TRUE(ParseJson("01").fault);
  EXPECT_TRUE(ParseJson("1.").fault);
  EXPECT_EQ(ParseJson("-9223372036854775808").documents.at(0).kind(), DocumentNode::Kind::kInteger);
}

TEST(ParseJson, TypesNumbers) {
  const DocumentNode node =
      OnlyDocument(ParseJson(R"([0, -0, 9223372036854775807, 9223372036854775808, 1.0, 1e2])"));
  const std::vector<DocumentNode>& elements = node.children();
  EXPECT_EQ(elements[0].kind(), Kind::kInteger);
  EXPECT_EQ(elements[1].number(), 0.0);
  EXPECT_EQ(elements[2].kind(), Kind::kInteger);
  EXPECT_EQ(elements[3].kind(), Kind::kNumber);
  EXPECT_EQ(elements[4].kind(), Kind::kNumber);
  EXPECT_EQ(elements[5].number(), 100.0);
}

TEST(ParseJson, RefusesDeepNestingWithoutRecursingIntoIt) {
  EXPECT_TRUE(ParseJson(std::string(1'000'000, '[')).fault.has_value());
  EXPECT_FALSE(ParseJson(std::string(256, '[') + std::string(256, ']')).fault.has_value());
  ExpectFault(ParseJson(std::string(257, '[') + std::string(257, ']')), "deeper than 256",
              {1, 257});
}

TEST(CheckText, RefusesWhatIsNoText) {
  ExpectFault(ParseYaml(std::string_view("a: 1\nb: \0", 9)), "NUL", {2, 4});
  ExpectFault(ParseJson(std::string_view("{}\0", 3)), "NUL", {1, 3});
  ExpectFault(ParseYaml("a: \xff"), "UTF-8", {1, 4});
  ExpectFault(ParseJson("{\"a\": \"\xc0\xaf\"}"), "UTF-8", {1, 8});
}

TEST(CheckText, SkipsAByteOrderMark) {
  EXPECT_EQ(OnlyDocument(ParseYaml("\xEF\xBB\xBF"
                                   "a: 1"))
                .Find("a")
                ->integer(),
            1);
  EXPECT_EQ(OnlyDocument(ParseJson("\xEF\xBB\xBF{\"a\": 1}")).Find("a")->integer(), 1);
}

TEST(FindInvalidUtf8, KnowsTheEdgesOfTheEncoding) {
  for (const std::string_view good :
       {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_FALSE(FindInvalidUtf8(good).has_value()) << good;
  }
  for (const std::string_view bad :
       {"\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    EXPECT_EQ(FindInvalidUtf8(bad), 0U) << bad;
  }
}

}  // namespace
}  // namespace felix::datastore
