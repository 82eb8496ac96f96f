// SPDX-License-Identifier: Apache-2.0
#include "datastore/tree_builder.h"

#include "fmt/format.h"

#include "model/base/check.h"

namespace felix::datastore {
namespace {

// Below this many keys a linear search is cheaper than a hash set.
constexpr std::size_t kIndexedFrom = 16;

}  // namespace

std::optional<TextFault> TreeBuilder::Open(DocumentNode node) {
  if (open_.size() >= static_cast<std::size_t>(kMaxDocumentDepth)) {
    return TextFault{node.position(), fmt::format("nested deeper than {}", kMaxDocumentDepth)};
  }
  open_.push_back({std::move(node), std::nullopt, {}});
  return std::nullopt;
}

std::optional<TextFault> TreeBuilder::Key(std::string key, Position position) {
  FELIX_CHECK(ExpectsKey(), "a key where none can be");
  OpenNode& object = open_.back();
  const std::vector<std::string>& keys = object.node.keys();
  bool repeated = false;
  if (keys.size() < kIndexedFrom) {
    repeated = object.node.Find(key) != nullptr;
  } else {
    if (object.index.empty()) object.index.insert(keys.begin(), keys.end());
    repeated = !object.index.insert(key).second;
  }
  if (repeated) return TextFault{position, fmt::format("key '{}' twice in one object", key)};
  object.key = std::move(key);
  return std::nullopt;
}

void TreeBuilder::Value(DocumentNode node) {
  if (open_.empty()) {
    root_ = std::move(node);
    return;
  }
  OpenNode& parent = open_.back();
  if (parent.node.kind() == DocumentNode::Kind::kList) {
    parent.node.Append(std::move(node));
    return;
  }
  FELIX_CHECK(parent.key.has_value(), "a value without its key");
  parent.node.AddMember(*std::move(parent.key), std::move(node));
  parent.key.reset();
}

void TreeBuilder::Close() {
  FELIX_CHECK(!open_.empty(), "more closed than opened");
  DocumentNode node = std::move(open_.back().node);
  open_.pop_back();
  Value(std::move(node));
}

const DocumentNode& TreeBuilder::last_completed() const {
  if (open_.empty()) {
    FELIX_CHECK(root_.has_value(), "nothing is complete yet");
    return *root_;
  }
  FELIX_CHECK(!open_.back().node.children().empty(), "nothing is complete yet");
  return open_.back().node.children().back();
}

}  // namespace felix::datastore
