// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/atom.h"
#include "model/selector.h"

// A selector's tree as one row of numbers, node before its children. The first number of a node is
// its kind and, above eight bits, how many values or children it has. A node with children goes on
// with its length in numbers and the children; one with a label goes on with the label and the
// values, ascending. all() alone is the empty row.
namespace felix::model::selector_code {

using Words = std::span<const std::uint32_t>;

// One node, seen where it lies.
struct NodeView {
  SelectorNode::Kind kind = SelectorNode::Kind::kAll;
  AtomId label = 0;
  Words values;
  Words children;  // one after the other
};

// The returned row has one reference to each text in it.
[[nodiscard]] std::vector<std::uint32_t> Encode(const SelectorNode& root);
[[nodiscard]] SelectorNode Decode(Words words);
void AppendAtoms(Words words, std::vector<AtomId>& ids);

[[nodiscard]] inline bool HasChildren(SelectorNode::Kind kind) {
  return kind >= SelectorNode::Kind::kNot;
}
[[nodiscard]] inline bool HasLabel(SelectorNode::Kind kind) {
  return kind >= SelectorNode::Kind::kHas && !HasChildren(kind);
}
// How many numbers the node at the beginning has, its children included.
[[nodiscard]] inline std::size_t LengthOfFirst(Words words) {
  const auto kind = static_cast<SelectorNode::Kind>(words[0] & 0xffU);
  if (HasChildren(kind)) return words[1];
  return HasLabel(kind) ? 2 + (words[0] >> 8U) : 1;
}
[[nodiscard]] inline NodeView First(Words words) {
  NodeView node;
  if (words.empty()) return node;
  node.kind = static_cast<SelectorNode::Kind>(words[0] & 0xffU);
  if (HasChildren(node.kind)) {
    node.children = words.subspan(2, words[1] - 2);
  } else if (HasLabel(node.kind)) {
    node.label = words[1];
    node.values = words.subspan(2, words[0] >> 8U);
  }
  return node;
}
// Takes the first of several nodes off.
[[nodiscard]] inline Words TakeFirst(Words& nodes) {
  const Words first = nodes.first(LengthOfFirst(nodes));
  nodes = nodes.subspan(first.size());
  return first;
}

}  // namespace felix::model::selector_code
