// SPDX-License-Identifier: Apache-2.0
#include "compiler/shape_tree.h"

#include <map>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "compiler/ir/desired_state.h"
#include "tests/support/interpreter.h"
#include "tests/support/random.h"

namespace felix::compiler {
namespace {

using Numbers = std::map<std::uint32_t, std::string>;

// The chain that a mark leads to, and by how many rules.
struct Way {
  std::string chain;
  int rules = 0;
};

Way Follow(const absl::btree_map<std::string, ir::Chain>& tree, std::uint32_t mark) {
  Way way{.chain = ShapeTreeName(Direction::kEgress)};
  while (tree.contains(way.chain)) {
    const ir::Rule* hit = nullptr;
    for (const ir::Rule& rule : tree.at(way.chain).rules) {
      ++way.rules;
      testing::Packet packet;
      packet.mark = mark;
      if (testing::RuleMatches({}, rule, packet)) {
        hit = &rule;
        break;
      }
    }
    if (hit == nullptr || std::holds_alternative<ir::Drop>(hit->action)) return {"drop", way.rules};
    way.chain = std::get<ir::Goto>(hit->action).chain;
  }
  return way;
}

Numbers Named(const std::vector<std::uint32_t>& numbers) {
  Numbers named;
  for (const std::uint32_t number : numbers) named[number] = fmt::format("cali-se-{}", number);
  return named;
}

TEST(ShapeTree, LeadsEachNumberToItsChainAndNoOtherAnywhere) {
  testing::Random random(1);
  for (const std::uint32_t mask : {0xffff0000U, 0x5555aaaaU, 0x0001ff00U}) {
    const Marks marks = Marks::FromMask(mask, ChainLayout::kShared);
    for (int round = 0; round < 40; ++round) {
      std::vector<std::uint32_t> numbers;
      const int chance = random.PickOf({1, 10, 50, 100});
      for (std::uint32_t n = 0; n < marks.shape_count(); ++n) {
        if (random.Chance(chance)) numbers.push_back(n);
      }
      const Numbers named = Named(numbers);
      const auto tree = RenderShapeTree(Direction::kEgress, named, marks);
      for (std::uint32_t n = 0; n < marks.shape_count(); ++n) {
        const auto own = named.find(n);
        // Bits of others do not matter.
        const std::uint32_t others = ~marks.shape & static_cast<std::uint32_t>(random.Next());
        const Way way = Follow(tree, marks.ShapeBits(n) | others);
        ASSERT_EQ(way.chain, own == named.end() ? "drop" : own->second) << "number " << n;
      }
    }
  }
}

TEST(ShapeTree, AsksFewRulesOfThePacket) {
  const Marks marks = Marks::FromMask(0xffff0000, ChainLayout::kShared);
  for (const auto& [shapes, most] : {std::pair{4U, 4}, {16U, 8}, {64U, 12}, {1024U, 20}}) {
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t n = 0; n < shapes; ++n) numbers.push_back(n);
    const auto tree = RenderShapeTree(Direction::kEgress, Named(numbers), marks);
    int longest = 0;
    for (std::uint32_t n = 0; n < shapes; ++n) {
      longest = std::max(longest, Follow(tree, marks.ShapeBits(n)).rules);
    }
    EXPECT_LE(longest, most) << shapes << " shapes";
  }
}

TEST(Marks, WritesNumbersIntoTheBitsThatAreLeft) {
  const Marks marks = Marks::FromMask(0xffff0000, ChainLayout::kShared);
  EXPECT_EQ(marks.shape_count(), 1024U);
  EXPECT_EQ(marks.all(), 0xffff0000U);
  for (const std::uint32_t mask : {0xffff0000U, 0x5555aaaaU, 0x00007f00U}) {
    const Marks some = Marks::FromMask(mask, ChainLayout::kShared);
    for (std::uint32_t n = 0; n < some.shape_count(); ++n) {
      EXPECT_EQ(some.ShapeNumber(some.ShapeBits(n) | some.known), n);
      EXPECT_EQ(some.ShapeBits(n) & ~some.shape, 0U);
    }
  }
}

}  // namespace
}  // namespace felix::compiler
