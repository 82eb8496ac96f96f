// SPDX-License-Identifier: Apache-2.0
#include "model/selector_code.h"

#include <algorithm>

namespace felix::model::selector_code {
namespace {

void Append(const SelectorNode& node, std::vector<std::uint32_t>& words) {
  const std::size_t start = words.size();
  const bool has_children = HasChildren(node.kind);
  const std::size_t count = has_children ? node.children.size() : node.values.size();
  words.push_back(static_cast<std::uint32_t>(node.kind) | static_cast<std::uint32_t>(count << 8U));
  if (has_children) {
    words.push_back(0);
    for (const SelectorNode& child : node.children) Append(child, words);
    words[start + 1] = static_cast<std::uint32_t>(words.size() - start);
  } else if (HasLabel(node.kind)) {
    words.push_back(atoms::Acquire(node.label));
    for (const std::string& value : node.values) words.push_back(atoms::Acquire(value));
    std::sort(words.begin() + static_cast<std::ptrdiff_t>(start + 2), words.end());
  }
}

}  // namespace

std::vector<std::uint32_t> Encode(const SelectorNode& root) {
  std::vector<std::uint32_t> words;
  if (root.kind != SelectorNode::Kind::kAll) Append(root, words);
  return words;
}

SelectorNode Decode(Words words) {
  NodeView view = First(words);
  SelectorNode node;
  node.kind = view.kind;
  if (view.label != 0) node.label = atoms::TextOf(view.label);
  for (const AtomId value : view.values) node.values.emplace_back(atoms::TextOf(value));
  std::sort(node.values.begin(), node.values.end());
  while (!view.children.empty()) node.children.push_back(Decode(TakeFirst(view.children)));
  return node;
}

void AppendAtoms(Words words, std::vector<AtomId>& ids) {
  for (std::size_t at = 0; at < words.size();) {
    const auto kind = static_cast<SelectorNode::Kind>(words[at] & 0xffU);
    if (HasChildren(kind)) {
      at += 2;
      continue;
    }
    const std::size_t length = LengthOfFirst(words.subspan(at));
    ids.insert(ids.end(), words.begin() + static_cast<std::ptrdiff_t>(at + 1),
               words.begin() + static_cast<std::ptrdiff_t>(at + length));
    at += length;
  }
}

}  // namespace felix::model::selector_code
