// SPDX-License-Identifier: Apache-2.0
#include "datastore/resource_document.h"

#include <algorithm>

#include "fmt/format.h"

namespace felix::datastore {

std::string Position::ToString() const {
  return line == 0 ? std::string() : fmt::format("{}:{}", line, column);
}

DocumentNode DocumentNode::Null(Position position) {
  return {Kind::kNull, position};
}

DocumentNode DocumentNode::Boolean(bool value, Position position) {
  DocumentNode node(Kind::kBoolean, position);
  node.integer_ = value ? 1 : 0;
  return node;
}

DocumentNode DocumentNode::Integer(std::int64_t value, Position position) {
  DocumentNode node(Kind::kInteger, position);
  node.integer_ = value;
  node.number_ = static_cast<double>(value);
  return node;
}

DocumentNode DocumentNode::Number(double value, Position position) {
  DocumentNode node(Kind::kNumber, position);
  node.number_ = value;
  return node;
}

DocumentNode DocumentNode::String(std::string value, Position position) {
  DocumentNode node(Kind::kString, position);
  node.string_ = std::move(value);
  return node;
}

DocumentNode DocumentNode::List(Position position) {
  return {Kind::kList, position};
}

DocumentNode DocumentNode::Object(Position position) {
  return {Kind::kObject, position};
}

const DocumentNode* DocumentNode::Find(std::string_view key) const {
  const auto it = std::find(keys_.begin(), keys_.end(), key);
  return it == keys_.end() ? nullptr : &children_[static_cast<std::size_t>(it - keys_.begin())];
}

DocumentNode::Extent DocumentNode::Measure() const {
  Extent whole{1, 0};
  for (const DocumentNode& child : children_) {
    const Extent part = child.Measure();
    whole.nodes += part.nodes;
    whole.depth = std::max(whole.depth, part.depth);
  }
  ++whole.depth;
  return whole;
}

void DocumentNode::AddMember(std::string key, DocumentNode value) {
  keys_.push_back(std::move(key));
  children_.push_back(std::move(value));
}

std::string_view Describe(DocumentNode::Kind kind) {
  switch (kind) {
    case DocumentNode::Kind::kNull:
      return "null";
    case DocumentNode::Kind::kBoolean:
      return "a boolean";
    case DocumentNode::Kind::kInteger:
      return "an integer";
    case DocumentNode::Kind::kNumber:
      return "a number";
    case DocumentNode::Kind::kString:
      return "a string";
    case DocumentNode::Kind::kList:
      return "a list";
    case DocumentNode::Kind::kObject:
      return "an object";
  }
  return "nothing";
}

namespace {

Position PositionOf(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t newline = before.rfind('\n');
  const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(offset - line_start) + 1};
}

// How long the sequence that begins with `lead` is (0: it cannot begin one), and the bounds of its
// second byte, which exclude overlong forms, surrogates and values beyond U+10FFFF.
struct Utf8Sequence {
  std::size_t length;
  unsigned char second_min;
  unsigned char second_max;
};

Utf8Sequence SequenceAt(unsigned char lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

std::optional<std::size_t> FindInvalidUtf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const Utf8Sequence sequence = SequenceAt(static_cast<unsigned char>(text[i]));
    if (sequence.length == 0 || text.size() - i < sequence.length) return i;
    for (std::size_t k = 1; k < sequence.length; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      const unsigned char low = k == 1 ? sequence.second_min : 0x80;
      const unsigned char high = k == 1 ? sequence.second_max : 0xBF;
      if (byte < low || byte > high) return i;
    }
    i += sequence.length;
  }
  return std::nullopt;
}

std::optional<TextFault> CheckText(std::string_view& text) {
  if (text.size() > kMaxTextBytes) {
    return TextFault{{},
                     fmt::format("text of {} bytes is longer than {}", text.size(), kMaxTextBytes)};
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return TextFault{PositionOf(text, nul), "NUL byte"};
  }
  if (const auto invalid = FindInvalidUtf8(text)) {
    return TextFault{PositionOf(text, *invalid), "invalid UTF-8"};
  }
  return std::nullopt;
}

std::optional<std::string> ScalarText(const DocumentNode& node) {
  switch (node.kind()) {
    case DocumentNode::Kind::kBoolean:
      return node.boolean() ? "true" : "false";
    case DocumentNode::Kind::kInteger:
      return fmt::format("{}", node.integer());
    case DocumentNode::Kind::kNumber:
      return fmt::format("{}", node.number());
    case DocumentNode::Kind::kString:
      return node.string();
    case DocumentNode::Kind::kNull:
    case DocumentNode::Kind::kList:
    case DocumentNode::Kind::kObject:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace felix::datastore
