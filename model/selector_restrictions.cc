// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <utility>

#include "model/selector.h"
#include "model/selector_code.h"

namespace felix::model {
namespace {

using Kind = SelectorNode::Kind;
using Restrictions = std::vector<LabelRestriction>;  // ascending by label, each label once

// A label that both sides restrict, under `&&`.
LabelRestriction Both(const LabelRestriction& a, const LabelRestriction& b) {
  LabelRestriction both = a;
  both.must_be_present |= b.must_be_present;
  both.must_be_absent |= b.must_be_absent;
  if (!a.must_be_one_of.has_value()) {
    both.must_be_one_of = b.must_be_one_of;
  } else if (b.must_be_one_of.has_value()) {
    both.must_be_one_of.emplace();
    std::set_intersection(a.must_be_one_of->begin(), a.must_be_one_of->end(),
                          b.must_be_one_of->begin(), b.must_be_one_of->end(),
                          std::back_inserter(*both.must_be_one_of));
  }
  return both;
}

// A label that both sides restrict, under `||`.
LabelRestriction Either(const LabelRestriction& a, const LabelRestriction& b) {
  LabelRestriction either;
  either.label = a.label;
  either.must_be_present = a.must_be_present && b.must_be_present;
  either.must_be_absent = a.must_be_absent && b.must_be_absent;
  if (a.must_be_one_of.has_value() && b.must_be_one_of.has_value()) {
    either.must_be_one_of.emplace();
    std::set_union(a.must_be_one_of->begin(), a.must_be_one_of->end(), b.must_be_one_of->begin(),
                   b.must_be_one_of->end(), std::back_inserter(*either.must_be_one_of));
  }
  return either;
}

bool SaysSomething(const LabelRestriction& r) {
  return r.must_be_present || r.must_be_absent || r.must_be_one_of.has_value();
}

Restrictions AllOf(const Restrictions& a, const Restrictions& b) {
  Restrictions merged;
  auto left = a.begin();
  auto right = b.begin();
  while (left != a.end() || right != b.end()) {
    if (right == b.end() || (left != a.end() && left->label < right->label)) {
      merged.push_back(*left++);
    } else if (left == a.end() || right->label < left->label) {
      merged.push_back(*right++);
    } else {
      merged.push_back(Both(*left++, *right++));
    }
  }
  return merged;
}

Restrictions AnyOf(const Restrictions& a, const Restrictions& b) {
  Restrictions merged;
  auto left = a.begin();
  auto right = b.begin();
  while (left != a.end() && right != b.end()) {
    if (left->label < right->label) {
      ++left;
    } else if (right->label < left->label) {
      ++right;
    } else {
      LabelRestriction either = Either(*left++, *right++);
      if (SaysSomething(either)) merged.push_back(std::move(either));
    }
  }
  return merged;
}

Restrictions RestrictionsOf(selector_code::Words words);

// Merges pairs of neighbours, then pairs of pairs: a long list stays cheap, as no restriction is
// copied more often than the tree of pairs is deep.
template <typename Merge>
Restrictions MergeChildren(selector_code::Words children, Merge merge) {
  std::vector<Restrictions> parts;
  while (!children.empty()) parts.push_back(RestrictionsOf(selector_code::TakeFirst(children)));
  while (parts.size() > 1) {
    std::vector<Restrictions> next;
    next.reserve((parts.size() + 1) / 2);
    for (std::size_t i = 0; i + 1 < parts.size(); i += 2) {
      next.push_back(merge(parts[i], parts[i + 1]));
    }
    if (parts.size() % 2 == 1) next.push_back(std::move(parts.back()));
    parts = std::move(next);
  }
  return std::move(parts.front());
}

Restrictions RestrictionsOf(selector_code::Words words) {
  const selector_code::NodeView node = selector_code::First(words);
  LabelRestriction restriction;
  restriction.label = node.label;
  switch (node.kind) {
    case Kind::kAll:
    case Kind::kGlobal:
    case Kind::kNotEqual:
    case Kind::kNotIn:
      return {};
    case Kind::kEqual:
    case Kind::kIn:
      restriction.must_be_present = true;
      restriction.must_be_one_of.emplace(node.values.begin(), node.values.end());
      return {restriction};
    case Kind::kHas:
    case Kind::kContains:
    case Kind::kStartsWith:
    case Kind::kEndsWith:
      restriction.must_be_present = true;
      return {restriction};
    case Kind::kNot: {
      const selector_code::NodeView child = selector_code::First(node.children);
      if (child.kind != Kind::kHas) return {};
      restriction.label = child.label;
      restriction.must_be_absent = true;
      return {restriction};
    }
    case Kind::kAnd:
      return MergeChildren(node.children, AllOf);
    case Kind::kOr:
      return MergeChildren(node.children, AnyOf);
  }
  return {};
}

}  // namespace

std::vector<LabelRestriction> LabelRestrictions(const Selector& selector) {
  return RestrictionsOf(selector.code());
}

}  // namespace felix::model
