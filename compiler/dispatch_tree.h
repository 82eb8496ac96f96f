// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

namespace felix::compiler {

// The tree that leads a packet from a table's root to its container's chain by interface name, so
// that thousands of containers cost a handful of comparisons. A prefix has a node of its own while
// more than kMaxLeaves names begin with it; which nodes there are, and what they hold, depends on
// the set of names alone. Adding or removing a name touches only the nodes on its path.
class DispatchTree {
 public:
  static constexpr std::size_t kMaxLeaves = 12;

  struct Node {
    std::vector<std::string> names;     // have a rule here, sorted
    std::vector<std::string> subtrees;  // prefixes with a node of their own, sorted
    bool operator==(const Node&) const = default;
  };

  void Add(const std::string& name);
  void Remove(const std::string& name);

  // Prefixes whose nodes may have changed, appeared or gone since the last call; "" is the root,
  // which always exists.
  [[nodiscard]] absl::btree_set<std::string> TakeDirty();
  [[nodiscard]] bool HasNode(std::string_view prefix) const;
  [[nodiscard]] Node NodeAt(std::string_view prefix) const;

 private:
  void Count(const std::string& name, bool add);
  [[nodiscard]] std::size_t CountOf(std::string_view prefix) const;

  absl::btree_set<std::string> names_;
  absl::btree_map<std::string, std::size_t> counts_;  // names by prefix, the empty one excluded
  absl::btree_set<std::string> dirty_;
};

}  // namespace felix::compiler
