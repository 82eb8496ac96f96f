// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/shape_text.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "compiler/endpoint_layout.h"
#include "compiler/names.h"
#include "model/base/strings.h"

namespace felix::replay {
namespace {

// "-m mark --mark VALUE/MASK -g CHAIN": the number that a rule of a tree leads to a shape.
std::optional<std::pair<std::uint32_t, std::string>> LeafOf(const std::string& rule,
                                                            const compiler::Marks& marks) {
  const std::vector<std::string> words = absl::StrSplit(rule, ' ');
  if (words.size() != 6 || words[2] != "--mark" || words[4] != "-g") return std::nullopt;
  const std::pair<std::string, std::string> mark =
      absl::StrSplit(words[3], absl::MaxSplits('/', 1));
  std::uint32_t value = 0;
  std::uint32_t mask = 0;
  if (!absl::SimpleHexAtoi(mark.first, &value) || !absl::SimpleHexAtoi(mark.second, &mask) ||
      mask != marks.shape) {
    return std::nullopt;
  }
  return std::pair(marks.ShapeNumber(value), words[5]);
}

}  // namespace

std::array<compiler::NumbersByChain, 2> ShapeNumbersOf(const FirewallText& text,
                                                       const compiler::Marks& marks) {
  std::array<compiler::NumbersByChain, 2> numbers;
  for (const compiler::Direction direction : compiler::kDirections) {
    const std::string tree = compiler::ShapeTreeName(direction);
    std::map<std::uint32_t, std::string> chains;
    for (const auto& [chain, rules] : text.chains) {
      if (chain.table != "mangle" || !chain.name.starts_with(tree)) continue;
      for (const std::string& rule : rules) {
        const auto leaf = LeafOf(rule, marks);
        if (!leaf) continue;
        const auto known = chains.insert(*leaf).first;
        // One in doubt is kept from all shapes: no chain has this name.
        if (known->second != leaf->second) known->second = fmt::format("number {}", leaf->first);
      }
    }
    for (auto& [number, chain] : chains) {
      numbers[compiler::Index(direction)].emplace(std::move(chain), number);
    }
  }
  return numbers;
}

}  // namespace felix::replay
