// SPDX-License-Identifier: Apache-2.0
#include "model/selector.h"

#include <algorithm>
#include <utility>

#include "model/base/check.h"
#include "model/base/hash.h"
#include "model/base/status_macros.h"
#include "model/selector_code.h"
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

bool AnyChildHolds(selector_code::Words children, const LabelSet& labels, bool wanted);

bool Holds(selector_code::Words words, const LabelSet& labels) {
  const selector_code::NodeView node = selector_code::First(words);
  switch (node.kind) {
    case Kind::kAll:
    case Kind::kGlobal:
      return true;
    case Kind::kNot:
      return !Holds(node.children, labels);
    case Kind::kAnd:
      return !AnyChildHolds(node.children, labels, false);
    case Kind::kOr:
      return AnyChildHolds(node.children, labels, true);
    default:
      break;
  }
  const AtomId value = labels.ValueOf(node.label);
  if (value == 0) return node.kind == Kind::kNotEqual || node.kind == Kind::kNotIn;
  switch (node.kind) {
    case Kind::kHas:
      return true;
    case Kind::kEqual:
      return value == node.values.front();
    case Kind::kNotEqual:
      return value != node.values.front();
    case Kind::kIn:
      return std::binary_search(node.values.begin(), node.values.end(), value);
    case Kind::kNotIn:
      return !std::binary_search(node.values.begin(), node.values.end(), value);
    default:
      break;
  }
  const std::string_view text = atoms::TextOf(value);
  const std::string_view part = atoms::TextOf(node.values.front());
  if (node.kind == Kind::kContains) return text.find(part) != std::string_view::npos;
  if (node.kind == Kind::kStartsWith) return text.starts_with(part);
  FELIX_CHECK(node.kind == Kind::kEndsWith, "no such kind of selector node");
  return text.ends_with(part);
}

bool AnyChildHolds(selector_code::Words children, const LabelSet& labels, bool wanted) {
  while (!children.empty()) {
    if (Holds(selector_code::TakeFirst(children), labels) == wanted) return true;
  }
  return false;
}

void PrefixLabels(std::string_view prefix, SelectorNode& node) {
  if (!node.label.empty()) node.label.insert(0, prefix);
  for (SelectorNode& child : node.children) PrefixLabels(prefix, child);
}

}  // namespace

RowTable& Selector::Kind::table() {
  static auto& table = *new RowTable(&selector_code::AppendAtoms);
  return table;
}

Selector::Selector(const SelectorNode& root) : row_(selector_code::Encode(root)) {}

std::string Selector::text() const {
  std::string text;
  AppendText(root(), text);
  return text;
}

std::string Selector::id() const {
  return UniqueId("s", text());
}

SelectorNode Selector::root() const {
  return selector_code::Decode(code());
}

absl::StatusOr<Selector> Selector::Parse(std::string_view text) {
  FELIX_ASSIGN_OR_RETURN(const SelectorNode root, ParseSelector(text));
  return Selector(root);
}

bool Selector::Matches(const LabelSet& labels) const {
  return Holds(code(), labels);
}

Selector Selector::WithLabelPrefix(std::string_view prefix) const {
  SelectorNode prefixed = root();
  PrefixLabels(prefix, prefixed);
  return Selector(prefixed);
}

}  // namespace felix::model
