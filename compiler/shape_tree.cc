// SPDX-License-Identifier: Apache-2.0
#include "compiler/shape_tree.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "compiler/fault.h"

namespace felix::compiler {
namespace {

using ir::When;
using Numbers = std::map<std::uint32_t, std::string>;

// A node that leads to so few asks for each of them.
constexpr std::ptrdiff_t kMaxLeaves = 4;
constexpr int kBitsPerNode = 2;

class Tree {
 public:
  Tree(Direction direction, const Marks& marks) : direction_(direction), marks_(marks) {}

  // A node for the numbers in [from, to).
  void Render(const std::string& name, Numbers::const_iterator from, Numbers::const_iterator to) {
    ir::Chain chain;
    if (std::distance(from, to) <= kMaxLeaves) {
      for (auto leaf = from; leaf != to; ++leaf) RenderLeaf(*leaf, chain);
    } else {
      // The two bits from the highest one in which they differ.
      const auto bits = static_cast<int>(std::bit_width(from->first ^ std::prev(to)->first));
      RenderChildren(std::max(0, bits - kBitsPerNode), from, to, chain);
    }
    chain.rules.push_back(When().Then(ir::Drop{}).Because("no such shape"));
    chains_[name] = std::move(chain);
  }

  absl::btree_map<std::string, ir::Chain> Take() && { return std::move(chains_); }

 private:
  static std::uint32_t Prefix(std::uint32_t number, int level) {
    return number >> static_cast<unsigned>(level);
  }

  // Whether the number in the mark agrees with this one in all but its lowest `level` bits.
  [[nodiscard]] ir::MarkMatch Has(std::uint32_t number, int level) const {
    const unsigned ignored =
        static_cast<unsigned>(level) + (IsPlanted(Fault::kShapeBitIgnored) ? 1 : 0);
    const std::uint32_t asked = ~std::uint32_t{0} << ignored;
    return {.value = marks_.ShapeBits(number & asked), .mask = marks_.ShapeBits(asked)};
  }

  void RenderLeaf(const std::pair<const std::uint32_t, std::string>& leaf, ir::Chain& chain) {
    chain.rules.push_back(
        When(Has(leaf.first, 0)).Then(ir::Goto{leaf.second}).Because("policy of the endpoint"));
  }

  void RenderChildren(int level, Numbers::const_iterator from, Numbers::const_iterator to,
                      ir::Chain& chain) {
    while (from != to) {
      auto end = from;
      while (end != to && Prefix(end->first, level) == Prefix(from->first, level)) ++end;
      if (std::next(from) == end) {
        RenderLeaf(*from, chain);
      } else {
        const std::uint32_t first = Prefix(from->first, level) << static_cast<unsigned>(level);
        std::string name = ShapeTreeName(direction_, level, first);
        Render(name, from, end);
        chain.rules.push_back(
            When(Has(first, level)).Then(ir::Goto{std::move(name)}).Because("dispatch"));
      }
      from = end;
    }
  }

  const Direction direction_;
  const Marks& marks_;
  absl::btree_map<std::string, ir::Chain> chains_;
};

}  // namespace

absl::btree_map<std::string, ir::Chain> RenderShapeTree(Direction direction, const Numbers& chains,
                                                        const Marks& marks) {
  Tree tree(direction, marks);
  tree.Render(ShapeTreeName(direction), chains.begin(), chains.end());
  return std::move(tree).Take();
}

}  // namespace felix::compiler
