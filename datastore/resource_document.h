// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace felix::datastore {

// A place in a text, both counted from 1. Line 0: not known.
struct Position {
  int line = 0;
  int column = 0;

  [[nodiscard]] std::string ToString() const;  // "3:7", empty if not known
  bool operator==(const Position&) const = default;
};

// One value of a YAML or JSON text, and where it stands. A tree that owns its parts; what was
// written in either language looks the same here. Scalars are typed as the YAML 1.2 core schema
// does: quoted ones are strings, plain ones are null, booleans (true and false only), integers,
// numbers, or else strings. An integer with a leading zero is a string, since YAML 1.1 reads it as
// octal; integers beyond 64 bits are numbers. Object keys are unique.
class DocumentNode {
 public:
  enum class Kind : std::uint8_t {
    kNull,
    kBoolean,
    kInteger,
    kNumber,
    kString,
    kList,
    kObject,
  };

  static DocumentNode Null(Position position);
  static DocumentNode Boolean(bool value, Position position);
  static DocumentNode Integer(std::int64_t value, Position position);
  static DocumentNode Number(double value, Position position);
  static DocumentNode String(std::string value, Position position);
  static DocumentNode List(Position position);
  static DocumentNode Object(Position position);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool IsNull() const { return kind_ == Kind::kNull; }
  [[nodiscard]] Position position() const { return position_; }

  [[nodiscard]] bool boolean() const { return integer_ != 0; }
  [[nodiscard]] std::int64_t integer() const { return integer_; }
  [[nodiscard]] double number() const { return number_; }  // of integers too
  [[nodiscard]] const std::string& string() const { return string_; }
  // The elements of a list, or the values of an object in the order they were written.
  [[nodiscard]] const std::vector<DocumentNode>& children() const { return children_; }
  // Of an object: keys()[i] names children()[i].
  [[nodiscard]] const std::vector<std::string>& keys() const { return keys_; }
  // The value of that key of an object, or null. A linear search: objects are small.
  [[nodiscard]] const DocumentNode* Find(std::string_view key) const;
  struct Extent {
    std::size_t nodes = 0;
    std::size_t depth = 0;  // 1 for a scalar
  };
  [[nodiscard]] Extent Measure() const;

  void Append(DocumentNode element) { children_.push_back(std::move(element)); }
  void AddMember(std::string key, DocumentNode value);

 private:
  DocumentNode(Kind kind, Position position) : kind_(kind), position_(position) {}

  Kind kind_;
  Position position_;
  std::int64_t integer_ = 0;
  double number_ = 0;
  std::string string_;
  std::vector<std::string> keys_;
  std::vector<DocumentNode> children_;
};

// "an integer", "a list" and so on, for messages.
[[nodiscard]] std::string_view Describe(DocumentNode::Kind kind);

// Why a text cannot be read, and where.
struct TextFault {
  Position position;
  std::string reason;  // lower case, no full stop
};

// All documents of a text, or the fault that makes the whole text unusable.
struct ParsedText {
  std::vector<DocumentNode> documents;
  std::optional<TextFault> fault;
};

inline constexpr int kMaxDocumentDepth = 256;
inline constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20;
// How many nodes YAML aliases may add to a text by repeating what they point at.
inline constexpr std::size_t kMaxAliasedNodes = 100'000;

// Both refuse: more than kMaxTextBytes, invalid UTF-8, NUL bytes, nesting deeper than
// kMaxDocumentDepth, an object with the same key twice. A byte order mark is skipped. Empty
// documents are left out.
// ParseYaml also refuses merge keys, tags other than !!str, keys that are not scalars, aliases to
// an enclosing node, aliases that add more than kMaxAliasedNodes, and documents but the first that
// do not begin with "---".
[[nodiscard]] ParsedText ParseYaml(std::string_view text);
// One JSON value (RFC 8259). Numbers beyond a double's range are refused. `first_line` is the
// number that positions give to the text's first line.
[[nodiscard]] ParsedText ParseJson(std::string_view text, int first_line = 1);
// One JSON value, or, where the first line is an object that is complete, one in each line.
[[nodiscard]] ParsedText ParseJsonOrJsonLines(std::string_view text);

// The checks of the text as a whole that both languages share; strips a byte order mark.
[[nodiscard]] std::optional<TextFault> CheckText(std::string_view& text);
// The offset of the first byte that is not part of valid UTF-8, if any.
[[nodiscard]] std::optional<std::size_t> FindInvalidUtf8(std::string_view text);

// A boolean, number or string as the text that a configuration file would hold; none for the rest.
[[nodiscard]] std::optional<std::string> ScalarText(const DocumentNode& node);

}  // namespace felix::datastore
