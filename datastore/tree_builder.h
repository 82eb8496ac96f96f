// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"

#include "datastore/resource_document.h"

namespace felix::datastore {

// Builds DocumentNode trees from a parser's events, without recursion. Owns what is under
// construction; refuses nesting beyond kMaxDocumentDepth and keys that an object has twice. After
// an event returned a fault the builder is of no further use.
class TreeBuilder {
 public:
  // Begins a list or an object.
  [[nodiscard]] std::optional<TextFault> Open(DocumentNode node);
  // Names the next value of the innermost object.
  [[nodiscard]] std::optional<TextFault> Key(std::string key, Position position);
  // A complete value.
  void Value(DocumentNode node);
  // Ends the innermost list or object.
  void Close();

  // Whether the innermost open node is an object whose next event must be a key.
  [[nodiscard]] bool ExpectsKey() const {
    return !open_.empty() && open_.back().node.kind() == DocumentNode::Kind::kObject &&
           !open_.back().key.has_value();
  }
  [[nodiscard]] std::size_t depth() const { return open_.size(); }
  // The last node that was completed at that depth; for anchors.
  [[nodiscard]] const DocumentNode& last_completed() const;
  // The finished document, if there is one.
  [[nodiscard]] std::optional<DocumentNode> Take() { return std::exchange(root_, std::nullopt); }

 private:
  struct OpenNode {
    DocumentNode node;
    std::optional<std::string> key;          // of the value to come
    absl::flat_hash_set<std::string> index;  // the keys so far, once there are many
  };

  std::vector<OpenNode> open_;
  std::optional<DocumentNode> root_;
};

}  // namespace felix::datastore
