// SPDX-License-Identifier: Apache-2.0
// What the emitted rules do with a packet is what the policies say about it. The oracle knows no
// rules and the interpreter no policies, so this catches mistakes that a compiler and its reference
// would share.
#include "fmt/format.h"
#include "gtest/gtest.h"

#include "tests/property/properties.h"
#include "tests/support/seeds.h"

namespace felix {
namespace {

using testing::Verdict;

template <typename Check>
testing::VerdictCounts WalkSeeds(std::uint64_t count, const Check& check) {
  testing::VerdictCounts seen;
  for (std::uint64_t seed = testing::FirstSeed();
       seed < testing::FirstSeed() + testing::SeedCount(count); ++seed) {
    const auto violation = check(
        seed, [](int) {}, seen);
    if (!violation.has_value()) continue;
    ADD_FAILURE() << "seed " << seed << " step " << violation->step << "\n" << violation->what;
    break;
  }
  return seen;
}

TEST(GraphMeaning, RulesDoWithPacketsWhatPoliciesSay) {
  testing::VerdictCounts seen = WalkSeeds(300, testing::CheckMeaning);
  // A sample that is nearly all of one verdict would prove little.
  EXPECT_GT(seen[Verdict::kDeny], 1000);
  EXPECT_GT(seen[Verdict::kAccept], 1000);
  EXPECT_GT(seen[Verdict::kContinue], 200);
}

TEST(GraphMeaning, RulesOfACrowdedHostDoSoToo) {
  testing::VerdictCounts seen = WalkSeeds(40, testing::CheckCrowdedHost);
  EXPECT_GT(seen[Verdict::kDeny], 500);
  EXPECT_GT(seen[Verdict::kAccept], 100);
}

TEST(GraphMeaning, RulesAboutTheHostItselfDoSoToo) {
  testing::VerdictCounts seen = WalkSeeds(200, testing::CheckHostPaths);
  EXPECT_GT(seen[Verdict::kDeny], 1000);
  EXPECT_GT(seen[Verdict::kAccept], 1000);
  EXPECT_GT(seen[Verdict::kContinue], 1000);
}

TEST(GraphMeaning, OfContainersOnTheirWayIntoTheKernelIsTheOldOrTheNew) {
  testing::VerdictCounts seen = WalkSeeds(100, testing::CheckTransitions);
  EXPECT_GT(seen[Verdict::kDeny], 1000);
  EXPECT_GT(seen[Verdict::kAccept], 1000);
}

TEST(GraphMeaning, IsTheSameInBothLayouts) {
  testing::VerdictCounts seen = WalkSeeds(150, testing::CheckLayouts);
  EXPECT_GT(seen[Verdict::kDeny], 1000);
  EXPECT_GT(seen[Verdict::kAccept], 1000);
}

TEST(GraphMeaning, RareRulesDoSoToo) {
  testing::VerdictCounts seen = WalkSeeds(100, testing::CheckRareRules);
  EXPECT_GT(seen[Verdict::kDeny], 1000);
  EXPECT_GT(seen[Verdict::kAccept], 1000);
}

}  // namespace
}  // namespace felix
