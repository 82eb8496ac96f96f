// SPDX-License-Identifier: Apache-2.0
#include "compiler/dispatch_tree.h"

#include <utility>

#include "model/base/check.h"
#include "model/base/strings.h"

namespace felix::compiler {

std::size_t DispatchTree::CountOf(std::string_view prefix) const {
  const auto found = counts_.find(ToAbsl(prefix));
  return found == counts_.end() ? 0 : found->second;
}

bool DispatchTree::HasNode(std::string_view prefix) const {
  return prefix.empty() || CountOf(prefix) > kMaxLeaves;
}

void DispatchTree::Count(const std::string& name, bool add) {
  dirty_.insert("");
  for (std::size_t length = 1; length <= name.size(); ++length) {
    const std::string prefix = name.substr(0, length);
    // A node that just came or went changes its parent's list, which is on the path as well.
    const bool had_node = HasNode(prefix);
    std::size_t& count = counts_[prefix];
    count += add ? 1 : ~std::size_t{0};
    if (count == 0) counts_.erase(prefix);
    if (had_node || HasNode(prefix)) dirty_.insert(prefix);
  }
}

void DispatchTree::Add(const std::string& name) {
  if (names_.insert(name).second) Count(name, true);
}

void DispatchTree::Remove(const std::string& name) {
  if (names_.erase(name) > 0) Count(name, false);
}

absl::btree_set<std::string> DispatchTree::TakeDirty() {
  return std::exchange(dirty_, {});
}

DispatchTree::Node DispatchTree::NodeAt(std::string_view prefix) const {
  FELIX_CHECK(HasNode(prefix), "asked for a dispatch node that is not there");
  Node node;
  std::string from(prefix);
  auto it = names_.lower_bound(from);
  while (it != names_.end() && std::string_view(*it).starts_with(prefix)) {
    if (it->size() == prefix.size()) {  // a name that is the prefix of others
      node.names.push_back(*it);
      ++it;
      continue;
    }
    std::string child = it->substr(0, prefix.size() + 1);
    if (!HasNode(child)) {
      node.names.push_back(*it);
      ++it;
      continue;
    }
    // Skip all names below the child: they sort before the child's successor.
    std::string successor = child;
    successor.back() = static_cast<char>(static_cast<unsigned char>(successor.back()) + 1);
    node.subtrees.push_back(std::move(child));
    it = names_.lower_bound(successor);
  }
  return node;
}

}  // namespace felix::compiler
