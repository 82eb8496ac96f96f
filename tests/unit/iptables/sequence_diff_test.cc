// SPDX-License-Identifier: Apache-2.0
#include "iptables/sequence_diff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/support/random.h"

namespace felix::iptables {
namespace {

using Sequence = std::vector<std::uint32_t>;

// Checks that the pairs are what they promise to be, and returns their number.
std::size_t Length(const Sequence& from, const Sequence& to) {
  const auto pairs = CommonSubsequence(from, to);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(from.at(pairs[i].first), to.at(pairs[i].second));
    if (i == 0) continue;
    EXPECT_LT(pairs[i - 1].first, pairs[i].first);
    EXPECT_LT(pairs[i - 1].second, pairs[i].second);
  }
  return pairs.size();
}

std::size_t LongestByTable(const Sequence& from, const Sequence& to) {
  std::vector<std::vector<std::size_t>> best(from.size() + 1,
                                             std::vector<std::size_t>(to.size() + 1, 0));
  for (std::size_t i = 1; i <= from.size(); ++i) {
    for (std::size_t j = 1; j <= to.size(); ++j) {
      best[i][j] = from[i - 1] == to[j - 1] ? best[i - 1][j - 1] + 1
                                            : std::max(best[i - 1][j], best[i][j - 1]);
    }
  }
  return best[from.size()][to.size()];
}

TEST(SequenceDiff, FindsALongestCommonSubsequence) {
  testing::Random random(1);
  for (int round = 0; round < 2000; ++round) {
    Sequence from(random.Below(12));
    Sequence to(random.Below(12));
    const std::size_t values = 1 + random.Below(8);
    for (auto& value : from) value = static_cast<std::uint32_t>(random.Below(values));
    for (auto& value : to) value = static_cast<std::uint32_t>(random.Below(values));
    ASSERT_EQ(Length(from, to), LongestByTable(from, to)) << "round " << round;
  }
}

TEST(SequenceDiff, KeepsEverythingAroundAnInsertion) {
  Sequence from(5000);
  std::iota(from.begin(), from.end(), 0U);
  Sequence to = from;
  to.insert(to.begin() + 17, 9999);
  EXPECT_EQ(Length(from, to), 5000U);
  EXPECT_EQ(Length(to, from), 5000U);
}

TEST(SequenceDiff, KeepsInOrderWhatItCanWhenMuchChanged) {
  // Every third value stays: far more differences than are worth an exact search.
  Sequence from;
  Sequence to;
  for (std::uint32_t i = 0; i < 6000; ++i) {
    from.push_back(i);
    to.push_back(i % 3 == 0 ? i : 100000 + i);
  }
  EXPECT_EQ(Length(from, to), 2000U);
  std::reverse(to.begin(), to.end());
  EXPECT_EQ(Length(from, to), 1U);
}

TEST(SequenceDiff, SharesNothingBetweenDisjointSequences) {
  EXPECT_EQ(Length({1, 2, 3}, {4, 5}), 0U);
  EXPECT_EQ(Length({}, {4, 5}), 0U);
  EXPECT_EQ(Length({1}, {}), 0U);
}

}  // namespace
}  // namespace felix::iptables
