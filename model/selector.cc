// SPDX-License-Identifier: Apache-2.0
#include "model/selector.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "model/base/check.h"
#include "model/base/hash.h"
#include "model/base/status_macros.h"
#include "model/selector_parser.h"

namespace felix::model {
namespace {

using Kind = SelectorNode::Kind;

void AppendQuoted(std::string_view value, std::string& text) {
  const char quote = value.find('"') == std::string_view::npos ? '"' : '\'';
  text += quote;
  text += value;
  text += quote;
}

void AppendText(const SelectorNode& node, std::string& text);

void AppendComparison(const SelectorNode& node, std::string_view infix, std::string& text) {
  text += node.label;
  text += infix;
  AppendQuoted(node.values.front(), text);
}

void AppendMembership(const SelectorNode& node, std::string_view infix, std::string& text) {
  text += node.label;
  text += infix;
  text += '{';
  for (std::size_t i = 0; i < node.values.size(); ++i) {
    if (i > 0) text += ", ";
    AppendQuoted(node.values[i], text);
  }
  text += '}';
}

void AppendList(const SelectorNode& node, std::string_view infix, std::string& text) {
  text += '(';
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    if (i > 0) text += infix;
    AppendText(node.children[i], text);
  }
  text += ')';
}

void AppendText(const SelectorNode& node, std::string& text) {
  switch (node.kind) {
    case Kind::kAll:
      text += "all()";
      return;
    case Kind::kGlobal:
      text += "global()";
      return;
    case Kind::kHas:
      text += "has(";
      text += node.label;
      text += ')';
      return;
    case Kind::kEqual:
      return AppendComparison(node, " == ", text);
    case Kind::kNotEqual:
      return AppendComparison(node, " != ", text);
    case Kind::kContains:
      return AppendComparison(node, " contains ", text);
    case Kind::kStartsWith:
      return AppendComparison(node, " starts with ", text);
    case Kind::kEndsWith:
      return AppendComparison(node, " ends with ", text);
    case Kind::kIn:
      return AppendMembership(node, " in ", text);
    case Kind::kNotIn:
      return AppendMembership(node, " not in ", text);
    case Kind::kNot:
      text += '!';
      return AppendText(node.children.front(), text);
    case Kind::kAnd:
      return AppendList(node, " && ", text);
    case Kind::kOr:
      return AppendList(node, " || ", text);
  }
}

bool Holds(const SelectorNode& node, const LabelSet& labels) {
  const auto child_holds = [&](const SelectorNode& child) { return Holds(child, labels); };
  switch (node.kind) {
    case Kind::kAll:
    case Kind::kGlobal:
      return true;
    case Kind::kNot:
      return !Holds(node.children.front(), labels);
    case Kind::kAnd:
      return std::all_of(node.children.begin(), node.children.end(), child_holds);
    case Kind::kOr:
      return std::any_of(node.children.begin(), node.children.end(), child_holds);
    default:
      break;
  }
  const std::optional<std::string_view> value = labels.Get(node.label);
  if (!value.has_value()) return node.kind == Kind::kNotEqual || node.kind == Kind::kNotIn;
  const auto is_member = [&] {
    return std::binary_search(node.values.begin(), node.values.end(), *value, std::less<>());
  };
  switch (node.kind) {
    case Kind::kHas:
      return true;
    case Kind::kEqual:
      return *value == node.values.front();
    case Kind::kNotEqual:
      return *value != node.values.front();
    case Kind::kIn:
      return is_member();
    case Kind::kNotIn:
      return !is_member();
    case Kind::kContains:
      return value->find(node.values.front()) != std::string_view::npos;
    case Kind::kStartsWith:
      return value->starts_with(node.values.front());
    case Kind::kEndsWith:
      return value->ends_with(node.values.front());
    default:
      break;
  }
  FELIX_CHECK(false, "no such kind of selector node");
  return false;
}

void PrefixLabels(std::string_view prefix, SelectorNode& node) {
  if (!node.label.empty()) node.label.insert(0, prefix);
  for (SelectorNode& child : node.children) PrefixLabels(prefix, child);
}

}  // namespace

Selector::Selector()
    : rep_([] {
        static const std::shared_ptr<const Rep> all = Selector(SelectorNode{}).rep_;
        return all;
      }()) {}

Selector::Selector(SelectorNode root) {
  std::string text;
  AppendText(root, text);
  rep_ = std::make_shared<const Rep>(Rep{.root = std::move(root), .text = std::move(text)});
}

std::string Selector::id() const {
  return UniqueId("s", text());
}

absl::StatusOr<Selector> Selector::Parse(std::string_view text) {
  FELIX_ASSIGN_OR_RETURN(SelectorNode root, ParseSelector(text));
  return Selector(std::move(root));
}

bool Selector::Matches(const LabelSet& labels) const {
  return Holds(root(), labels);
}

Selector Selector::WithLabelPrefix(std::string_view prefix) const {
  SelectorNode prefixed = root();
  PrefixLabels(prefix, prefixed);
  return Selector(std::move(prefixed));
}

}  // namespace felix::model
