// SPDX-License-Identifier: Apache-2.0
#include "iptables/culprits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <string>

#include "tests/support/fake_kernel_table.h"
#include "tests/support/random.h"
#include "tests/unit/iptables/encoded_rules.h"

namespace felix::iptables {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Names = CulpritSearch::Names;

Names Numbers(int count) {
  Names names;
  for (int i = 0; i < count; ++i) names.push_back("cali-pi-" + std::to_string(1000 + i));
  return names;
}

// A kernel that refuses every attempt with an open bad chain.
struct Refusing {
  Attempt operator()(const Names& opened, const std::vector<Culprit>& closed) {
    ++attempts;
    for (const Culprit& culprit : closed) EXPECT_TRUE(bad.contains(culprit.chain));
    for (const std::string& name : opened) {
      if (bad.contains(name)) return {.status = absl::InvalidArgumentError(name), .refused = true};
    }
    written = opened;
    return {};
  }
  absl::btree_set<std::string> bad;
  Names written;
  int attempts = 0;
};

const Attempt kRefused{.status = absl::InvalidArgumentError("first"), .refused = true};

absl::Status Search(CulpritSearch& search, const Names& names, Refusing& kernel) {
  return search.Run(names, kRefused, [&](const Names& opened, const std::vector<Culprit>& closed) {
    return kernel(opened, closed);
  });
}

TEST(CulpritSearch, FindsOneCulpritInLogarithmicallyManyAttempts) {
  for (const int count : {1, 2, 3, 17, 64, 1000}) {
    const Names names = Numbers(count);
    const int most = static_cast<int>(std::bit_width(static_cast<unsigned>(count - 1))) + 1;
    for (std::size_t i = 0; i < names.size(); i += 1 + names.size() / 13) {
      Refusing kernel{.bad = {names[i]}, .written = {}};
      CulpritSearch search;
      ASSERT_TRUE(Search(search, names, kernel).ok());
      ASSERT_THAT(search.culprits(), SizeIs(1));
      EXPECT_EQ(search.culprits()[0].chain, names[i]);
      EXPECT_LE(kernel.attempts, most) << count;
      EXPECT_THAT(kernel.written, SizeIs(names.size() - 1));
    }
  }
}

TEST(CulpritSearch, FindsAllCulpritsAndWritesAllOthers) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    testing::Random random(seed);
    const Names names = Numbers(1 + static_cast<int>(random.Below(60)));
    Refusing kernel;
    for (std::size_t n = 1 + random.Below(5); n > 0; --n) kernel.bad.insert(random.Pick(names));
    CulpritSearch search;
    ASSERT_TRUE(Search(search, names, kernel).ok()) << seed;
    absl::btree_set<std::string> found;
    for (const Culprit& culprit : search.culprits()) found.insert(culprit.chain);
    EXPECT_EQ(found, kernel.bad) << seed;
    EXPECT_EQ(kernel.written.size() + found.size(), names.size()) << seed;
  }
}

TEST(CulpritSearch, BlamesNobodyIfTheRestIsRefusedToo) {
  CulpritSearch search;
  int attempts = 0;
  const auto status = search.Run(Numbers(100), kRefused, [&](const Names&, const auto&) {
    ++attempts;
    return Attempt{.status = absl::ResourceExhaustedError("no memory"), .refused = true};
  });
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(search.culprits(), IsEmpty());
  EXPECT_LE(attempts, 9);
}

TEST(CulpritSearch, StopsAtAnErrorThatIsNoRefusal) {
  CulpritSearch search;
  int attempts = 0;
  const auto status = search.Run(Numbers(8), kRefused, [&](const Names&, const auto&) {
    return ++attempts < 3 ? kRefused
                          : Attempt{.status = absl::UnavailableError("locked"), .refused = false};
  });
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(attempts, 3);
}

TEST(CulpritSearch, DoesNotAskForEverIfEverythingIsRefused) {
  const Names names = Numbers(500);
  Refusing kernel{.bad = {names.begin(), names.end()}, .written = {}};
  CulpritSearch search;
  EXPECT_FALSE(Search(search, names, kernel).ok());
  EXPECT_THAT(search.culprits(), SizeIs(CulpritSearch::kMaxCulprits));
  EXPECT_LE(kernel.attempts, 400);
}

TEST(HoldBack, KeepsOldRulesAndWhatTheyGoTo) {
  TableContent actual = testing::EmptyTable(ir::Table::kFilter);
  for (const char* name : {"cali-old", "cali-pi-a"}) {
    ASSERT_TRUE(testing::Execute(CreateChain{name}, actual).ok());
  }
  ASSERT_TRUE(
      testing::Execute(InsertRule{"cali-pi-a", 0, testing::JumpTo("cali-old")}, actual).ok());
  ASSERT_TRUE(testing::Execute(InsertRule{"cali-old", 0, testing::Numbered(4)}, actual).ok());
  DesiredTable desired;
  desired.chains["cali-pi-a"] = {testing::Numbered(1)};
  desired.chains["cali-pi-b"] = {testing::Numbered(2)};
  desired.chains["cali-pi-c"] = {testing::Numbered(3)};
  const EncodedRule drop = testing::Numbered(9);
  const DesiredTable held = HoldBack(actual, desired, {"cali-pi-a", "cali-pi-b"}, drop);
  EXPECT_THAT(held.chains.at("cali-pi-a"), ElementsAre(testing::JumpTo("cali-old")));
  EXPECT_THAT(held.chains.at("cali-old"), ElementsAre(testing::Numbered(4)));
  EXPECT_THAT(held.chains.at("cali-pi-b"), ElementsAre(drop));
  EXPECT_THAT(held.chains.at("cali-pi-c"), ElementsAre(testing::Numbered(3)));
}

}  // namespace
}  // namespace felix::iptables
