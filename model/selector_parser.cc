// SPDX-License-Identifier: Apache-2.0
#include "model/selector_parser.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "fmt/format.h"

#include "model/base/status_macros.h"

namespace felix::model {
namespace {

using Kind = SelectorNode::Kind;

constexpr std::size_t kLongestText = std::size_t{1} << 20U;
constexpr std::size_t kLongestLabel = 512;
constexpr int kDeepestNesting = 256;

bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}

bool IsLabelCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '/' || c == '-';
}

struct WordOperator {
  std::string_view first_word;
  std::string_view second_word;  // any number of blanks may precede it, even none
  Kind kind;
};

constexpr std::array<WordOperator, 5> kWordOperators = {{
    {"contains", "", Kind::kContains},
    {"starts", "with", Kind::kStartsWith},
    {"ends", "with", Kind::kEndsWith},
    {"not", "in", Kind::kNotIn},
    {"in", "", Kind::kIn},
}};

// Works on the text without a token list: the language needs one token of context only, namely
// that operator words count as such behind a label alone.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<SelectorNode> ParseAll() {
    SkipBlanks();
    if (AtEnd()) return SelectorNode{};
    FELIX_ASSIGN_OR_RETURN(SelectorNode root, ParseOr());
    if (!AtEnd()) return Expected("&&, || or the end of the text");
    return root;
  }

 private:
  absl::StatusOr<SelectorNode> ParseOr() { return ParseList(Kind::kOr, "||", &Parser::ParseAnd); }

  absl::StatusOr<SelectorNode> ParseAnd() {
    return ParseList(Kind::kAnd, "&&", &Parser::ParseUnary);
  }

  absl::StatusOr<SelectorNode> ParseList(Kind kind, std::string_view separator,
                                         absl::StatusOr<SelectorNode> (Parser::*parse_operand)()) {
    FELIX_ASSIGN_OR_RETURN(SelectorNode first, (this->*parse_operand)());
    if (!TakePunctuation(separator)) return first;
    SelectorNode list{.kind = kind, .label = {}, .values = {}, .children = {}};
    list.children.push_back(std::move(first));
    do {
      FELIX_ASSIGN_OR_RETURN(SelectorNode next, (this->*parse_operand)());
      list.children.push_back(std::move(next));
    } while (TakePunctuation(separator));
    return list;
  }

  absl::StatusOr<SelectorNode> ParseUnary() {
    bool negated = false;
    while (TakePunctuation("!")) negated = !negated;
    FELIX_ASSIGN_OR_RETURN(SelectorNode operand, ParsePrimary());
    if (!negated) return operand;
    SelectorNode negation{.kind = Kind::kNot, .label = {}, .values = {}, .children = {}};
    negation.children.push_back(std::move(operand));
    return negation;
  }

  absl::StatusOr<SelectorNode> ParsePrimary() {
    SkipBlanks();
    if (StartsWith("(")) return ParseParentheses();
    if (std::optional<SelectorNode> call = TakeCall(); call.has_value()) return *std::move(call);
    const std::string_view label = LabelAt(position_);
    if (label.empty()) return Expected("a label, has(...), all(), global(), ! or (");
    if (label.size() > kLongestLabel) {
      return Expected(fmt::format("a label of at most {} characters", kLongestLabel));
    }
    position_ += label.size();
    SkipBlanks();
    return ParseOperator(label);
  }

  absl::StatusOr<SelectorNode> ParseParentheses() {
    if (nesting_ == kDeepestNesting) {
      return Expected(fmt::format("no more than {} nested parentheses", kDeepestNesting));
    }
    ++nesting_;
    TakePunctuation("(");
    FELIX_ASSIGN_OR_RETURN(SelectorNode inner, ParseOr());
    if (!TakePunctuation(")")) return Expected("&&, || or )");
    --nesting_;
    return inner;
  }

  // `has(`, `all(` and `global(` bear no blank before the parenthesis; what does not fit as a whole
  // is a label, which then fails for want of an operator.
  std::optional<SelectorNode> TakeCall() {
    if (StartsWith("has(")) {
      const std::string_view label = LabelAt(AfterBlanks(position_ + 4));
      if (label.empty() || label.size() > kLongestLabel) return std::nullopt;
      const auto label_end = static_cast<std::size_t>(label.data() - text_.data()) + label.size();
      return TakeClosing(label_end, Kind::kHas, label);
    }
    if (StartsWith("all(")) return TakeClosing(position_ + 4, Kind::kAll, {});
    if (StartsWith("global(")) return TakeClosing(position_ + 7, Kind::kGlobal, {});
    return std::nullopt;
  }

  std::optional<SelectorNode> TakeClosing(std::size_t from, Kind kind, std::string_view label) {
    const std::size_t closing = AfterBlanks(from);
    if (closing == text_.size() || text_[closing] != ')') return std::nullopt;
    position_ = closing + 1;
    SkipBlanks();
    return SelectorNode{.kind = kind, .label = std::string(label), .values = {}, .children = {}};
  }

  absl::StatusOr<SelectorNode> ParseOperator(std::string_view label) {
    SelectorNode node{
        .kind = Kind::kEqual, .label = std::string(label), .values = {}, .children = {}};
    if (TakePunctuation("==")) {
      node.kind = Kind::kEqual;
    } else if (TakePunctuation("!=")) {
      node.kind = Kind::kNotEqual;
    } else if (const std::optional<Kind> word = TakeWordOperator(); word.has_value()) {
      node.kind = *word;
    } else {
      return Expected("an operator (==, !=, in, not in, contains, starts with, ends with)");
    }
    if (node.kind == Kind::kIn || node.kind == Kind::kNotIn) {
      FELIX_ASSIGN_OR_RETURN(node.values, ParseValueSet());
    } else {
      FELIX_ASSIGN_OR_RETURN(std::string value, ParseString("a quoted string"));
      node.values.push_back(std::move(value));
    }
    return node;
  }

  std::optional<Kind> TakeWordOperator() {
    for (const WordOperator& candidate : kWordOperators) {
      if (!StartsWith(candidate.first_word)) continue;
      std::size_t end = position_ + candidate.first_word.size();
      if (!candidate.second_word.empty()) {
        end = AfterBlanks(end);
        if (text_.substr(end, candidate.second_word.size()) != candidate.second_word) continue;
        end += candidate.second_word.size();
      }
      if (end < text_.size() && IsLabelCharacter(text_[end])) continue;
      position_ = end;
      SkipBlanks();
      return candidate.kind;
    }
    return std::nullopt;
  }

  absl::StatusOr<std::vector<std::string>> ParseValueSet() {
    if (!TakePunctuation("{")) return Expected("{");
    std::vector<std::string> values;
    while (!TakePunctuation("}")) {
      FELIX_ASSIGN_OR_RETURN(std::string value, ParseString("a quoted string or }"));
      values.push_back(std::move(value));
      if (TakePunctuation(",")) continue;
      if (!StartsWith("}")) return Expected(", or }");
    }
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
  }

  absl::StatusOr<std::string> ParseString(std::string_view expected) {
    SkipBlanks();
    if (!StartsWith("\"") && !StartsWith("'")) return Expected(expected);
    const char quote = text_[position_];
    const std::size_t closing = text_.find(quote, position_ + 1);
    if (closing == std::string_view::npos) {
      const std::size_t opening_column = position_ + 1;
      position_ = text_.size();
      return Expected(
          fmt::format("{} to end the string that begins at column {}", quote, opening_column));
    }
    std::string value(text_.substr(position_ + 1, closing - position_ - 1));
    position_ = closing + 1;
    SkipBlanks();
    return value;
  }

  absl::Status Expected(std::string_view what) const {
    return absl::InvalidArgumentError(
        fmt::format("parse selector: column {}: expected {}", position_ + 1, what));
  }

  // The tokens `!` and `!=` share their first character; the longer one is meant where it fits.
  bool TakePunctuation(std::string_view token) {
    SkipBlanks();
    if (!StartsWith(token) || (token == "!" && StartsWith("!="))) return false;
    position_ += token.size();
    SkipBlanks();
    return true;
  }

  [[nodiscard]] std::string_view LabelAt(std::size_t from) const {
    std::size_t end = from;
    while (end < text_.size() && IsLabelCharacter(text_[end])) ++end;
    return text_.substr(from, end - from);
  }

  [[nodiscard]] std::size_t AfterBlanks(std::size_t from) const {
    while (from < text_.size() && IsBlank(text_[from])) ++from;
    return from;
  }

  void SkipBlanks() { position_ = AfterBlanks(position_); }
  [[nodiscard]] bool AtEnd() const { return position_ == text_.size(); }
  [[nodiscard]] bool StartsWith(std::string_view token) const {
    return text_.substr(position_, token.size()) == token;
  }

  std::string_view text_;
  std::size_t position_ = 0;
  int nesting_ = 0;
};

}  // namespace

absl::StatusOr<SelectorNode> ParseSelector(std::string_view text) {
  if (text.size() > kLongestText) {
    return absl::InvalidArgumentError(
        fmt::format("parse selector: column {}: expected the end of a text of at most {} bytes",
                    kLongestText + 1, kLongestText));
  }
  return Parser(text).ParseAll();
}

}  // namespace felix::model
