// SPDX-License-Identifier: Apache-2.0
#include "model/labels.h"

#include <optional>

#include "gtest/gtest.h"

namespace felix::model {
namespace {

TEST(LabelSet, SortsByKeyAndKeepsTheLastOfEqualKeys) {
  const LabelSet labels = {{"b", "1"}, {"a", "2"}, {"b", "3"}, {"", "4"}, {"b", "5"}};
  EXPECT_EQ(labels.ToString(), "=4,a=2,b=5");
  EXPECT_EQ(labels.size(), 3U);
}

TEST(LabelSet, SortsByBytes) {
  const LabelSet labels = {{"a", ""}, {"B", ""}, {"\xc3\xa9", ""}, {"_", ""}};
  EXPECT_EQ(labels.ToString(), "B=,_=,a=,\xc3\xa9=");
}

TEST(LabelSet, TellsAnEmptyValueFromNone) {
  const LabelSet labels = {{"a", ""}};
  EXPECT_EQ(labels.Get("a"), "");
  EXPECT_EQ(labels.Get("b"), std::nullopt);
  EXPECT_EQ(labels.Get(""), std::nullopt);
  EXPECT_EQ(LabelSet().Get("a"), std::nullopt);
}

TEST(LabelSet, SetAddsAndReplacesInOrder) {
  LabelSet labels;
  labels.Set("b", "1");
  labels.Set("a", "1");
  labels.Set("b", "2");
  EXPECT_EQ(labels, (LabelSet{{"a", "1"}, {"b", "2"}}));
}

TEST(LabelSet, SetTakesAValueThatLivesInItself) {
  LabelSet labels = {{"b", "a value too long for the small-string store"}};
  labels.Set("a", *labels.Get("b"));
  EXPECT_EQ(labels.Get("a"), labels.Get("b"));
}

TEST(LabelSet, EraseRemovesOnlyThatKey) {
  LabelSet labels = {{"a", "1"}, {"b", "2"}};
  labels.Erase("c");
  EXPECT_EQ(labels.size(), 2U);
  labels.Erase("a");
  EXPECT_EQ(labels, (LabelSet{{"b", "2"}}));
  labels.Erase("b");
  EXPECT_TRUE(labels.empty());
}

TEST(LabelSet, OwnLabelsShadowInheritedOnes) {
  LabelSet labels = {{"b", "own"}};
  labels.Inherit({{"a", "first"}, {"b", "first"}});
  labels.Inherit({{"a", "second"}, {"c", "second"}});
  EXPECT_EQ(labels, (LabelSet{{"a", "first"}, {"b", "own"}, {"c", "second"}}));
}

TEST(LabelSet, InheritsNothingFromNothing) {
  LabelSet labels = {{"a", "1"}};
  labels.Inherit({});
  EXPECT_EQ(labels, (LabelSet{{"a", "1"}}));
  LabelSet none;
  none.Inherit(labels);
  EXPECT_EQ(none, labels);
}

TEST(LabelSet, PrintsInKeyOrder) {
  EXPECT_EQ((LabelSet{{"b", "2"}, {"a", "1"}}).ToString(), "a=1,b=2");
  EXPECT_EQ(LabelSet().ToString(), "");
}

}  // namespace
}  // namespace felix::model
