// SPDX-License-Identifier: Apache-2.0
#include "compiler/key_numbers.h"

#include <string>

#include "gtest/gtest.h"

namespace felix::compiler {
namespace {

TEST(KeyNumbers, GiveEachKeyOneNumber) {
  KeyNumbers numbers;
  const auto [a, a_is_new] = numbers.Take("a");
  const auto [b, b_is_new] = numbers.Take("b");
  EXPECT_TRUE(a_is_new);
  EXPECT_TRUE(b_is_new);
  EXPECT_NE(a, b);
  EXPECT_EQ(numbers.Take("a"), std::make_pair(a, false));
  EXPECT_EQ(numbers.Find("b"), b);
  EXPECT_EQ(numbers.Find("c"), std::nullopt);
}

TEST(KeyNumbers, ReuseNumbersOfReleasedKeys) {
  KeyNumbers numbers;
  const auto a = numbers.Take("a").first;
  numbers.Release(a);
  EXPECT_EQ(numbers.Find("a"), std::nullopt);
  EXPECT_EQ(numbers.Take("b").first, a);
  EXPECT_EQ(numbers.KeyOf(a), "b");
}

TEST(KeyNumbers, KeepKeysOfAnyLength) {
  KeyNumbers numbers;
  for (const std::size_t size : {0U, 1U, 254U, 255U, 256U, 70000U}) {
    const std::string key(size, 'x');
    const auto number = numbers.Take(key).first;
    EXPECT_EQ(numbers.KeyOf(number), key);
    EXPECT_EQ(numbers.Find(key), number);
  }
}

}  // namespace
}  // namespace felix::compiler
