// SPDX-License-Identifier: Apache-2.0
#include "compiler/id_set.h"

#include <set>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "tests/support/random.h"

namespace felix::compiler {
namespace {

std::vector<IdSet::Id> MembersOf(const IdSet& set) {
  return {set.begin(), set.end()};
}

TEST(IdSet, IsSixteenBytes) {
  EXPECT_EQ(sizeof(IdSet), 16U);
}

TEST(IdSet, TellsWhetherAnythingChanged) {
  IdSet set;
  EXPECT_TRUE(set.empty());
  EXPECT_TRUE(set.Insert(7));
  EXPECT_FALSE(set.Insert(7));
  EXPECT_FALSE(set.Erase(8));
  EXPECT_TRUE(set.Erase(7));
  EXPECT_FALSE(set.Erase(7));
  EXPECT_TRUE(set.empty());
}

TEST(IdSet, HoldsTheWholeRange) {
  IdSet set;
  for (IdSet::Id id = 0; id < 200; ++id) set.Insert(~IdSet::Id{0} - id);
  set.Insert(0);
  EXPECT_EQ(set.size(), 201U);
  EXPECT_EQ(*set.begin(), 0U);
  EXPECT_TRUE(set.Contains(~IdSet::Id{0}));
  EXPECT_FALSE(set.Contains(1));
}

TEST(IdSet, MovesLeaveAnEmptySetBehind) {
  for (const IdSet::Id count : {1U, 10U, 1000U}) {
    IdSet set;
    for (IdSet::Id id = 0; id < count; ++id) set.Insert(3 * id);
    const IdSet moved = std::move(set);
    EXPECT_EQ(moved.size(), count);
    EXPECT_TRUE(set.empty());  // NOLINT(bugprone-use-after-move): this is the promise
    EXPECT_EQ(MembersOf(set), std::vector<IdSet::Id>());
  }
}

// Ranges from a few numbers to nearly all different ones, so that sets of every inner form grow,
// shrink and are emptied.
TEST(IdSet, IsAnOrderedSetWhateverItsSize) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    testing::Random random(seed);
    const std::size_t range = std::size_t{4} << (seed * 2);
    IdSet set;
    std::set<IdSet::Id> want;
    for (int step = 0; step < 4000; ++step) {
      const auto id = static_cast<IdSet::Id>(random.Below(range));
      const bool shrink = step / 1000 % 2 == 1 && !want.empty();
      if (shrink && random.Below(4) > 0) {
        auto victim = want.lower_bound(id);
        if (victim == want.end()) victim = want.begin();
        const IdSet::Id member = *victim;
        want.erase(victim);
        ASSERT_TRUE(set.Erase(member));
      } else {
        ASSERT_EQ(set.Insert(id), want.insert(id).second);
      }
      ASSERT_EQ(set.Contains(id), want.contains(id));
      ASSERT_EQ(set.size(), want.size());
      if (step % 50 == 0) {
        ASSERT_EQ(MembersOf(set), std::vector<IdSet::Id>(want.begin(), want.end()));
      }
    }
  }
}

}  // namespace
}  // namespace felix::compiler
