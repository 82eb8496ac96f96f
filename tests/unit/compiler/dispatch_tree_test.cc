// SPDX-License-Identifier: Apache-2.0
#include "compiler/dispatch_tree.h"

#include <set>
#include <string>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/random.h"

namespace felix::compiler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Where a packet of this interface ends up by walking the tree as the kernel would: the name of the
// endpoint's rule, or nothing.
std::string Walk(const DispatchTree& tree, const std::string& name) {
  std::string prefix;
  for (int depth = 0; depth < 20; ++depth) {
    const DispatchTree::Node node = tree.NodeAt(prefix);
    for (const std::string& leaf : node.names) {
      if (leaf == name) return leaf;
    }
    bool descended = false;
    for (const std::string& subtree : node.subtrees) {
      if (!name.starts_with(subtree)) continue;
      prefix = subtree;
      descended = true;
      break;
    }
    if (!descended) return "";
  }
  return "too deep";
}

TEST(DispatchTree, IsOneNodeForFewNames) {
  DispatchTree tree;
  tree.Add("cali2");
  tree.Add("cali1");
  EXPECT_THAT(tree.NodeAt("").names, ElementsAre("cali1", "cali2"));
  EXPECT_THAT(tree.NodeAt("").subtrees, IsEmpty());
}

TEST(DispatchTree, KeepsANameThatIsThePrefixOfOthersApart) {
  DispatchTree tree;
  tree.Add("cali1");
  for (int i = 0; i < 30; ++i) tree.Add(fmt::format("cali1{:02}", i));
  EXPECT_EQ(Walk(tree, "cali1"), "cali1");
  EXPECT_EQ(Walk(tree, "cali129"), "cali129");
  EXPECT_EQ(Walk(tree, "cali1299"), "");
  EXPECT_EQ(Walk(tree, "cali"), "");
}

TEST(DispatchTree, FindsExactlyTheNamesInIt) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    testing::Random random(seed);
    DispatchTree tree;
    std::set<std::string> names;
    std::map<std::string, DispatchTree::Node> mirror;  // what a reader of the dirty lists knows
    for (int step = 0; step < 400; ++step) {
      const std::string name = fmt::format("cali{:x}", random.Next() % 300);
      if (random.Next() % 3 == 0) {
        tree.Remove(name);
        names.erase(name);
      } else {
        tree.Add(name);
        names.insert(name);
      }
      for (const std::string& prefix : tree.TakeDirty()) {
        mirror.erase(prefix);
        if (tree.HasNode(prefix)) mirror.emplace(prefix, tree.NodeAt(prefix));
      }
    }
    for (int i = 0; i < 300; ++i) {
      const std::string name = fmt::format("cali{:x}", i);
      EXPECT_EQ(Walk(tree, name), names.contains(name) ? name : "");
    }
    std::size_t leaves = 0;
    for (const auto& [prefix, node] : mirror) {
      EXPECT_EQ(node, tree.NodeAt(prefix)) << prefix;
      leaves += node.names.size();
    }
    EXPECT_EQ(leaves, names.size());
  }
}

TEST(DispatchTree, TouchesOnlyThePathOfAName) {
  DispatchTree tree;
  for (int i = 0; i < 5000; ++i) tree.Add(fmt::format("cali{:05x}", i * 7919 % 0xfffff));
  static_cast<void>(tree.TakeDirty());
  tree.Add("caliabcde");
  EXPECT_LE(tree.TakeDirty().size(), 8U);
}

}  // namespace
}  // namespace felix::compiler
