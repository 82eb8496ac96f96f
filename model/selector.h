// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "model/labels.h"

namespace felix::model {

// One node of a selector's syntax tree.
struct SelectorNode {
  enum class Kind : std::uint8_t {
    kAll,
    kGlobal,
    kHas,
    kEqual,
    kNotEqual,
    kIn,
    kNotIn,
    kContains,
    kStartsWith,
    kEndsWith,
    kNot,
    kAnd,
    kOr,
  };
  Kind kind = Kind::kAll;
  std::string label;                   // the label-bearing kinds
  std::vector<std::string> values;     // one for comparisons; sorted and unique for kIn, kNotIn
  std::vector<SelectorNode> children;  // one for kNot, two or more for kAnd and kOr

  bool operator==(const SelectorNode&) const = default;
};

// A parsed Calico selector expression. Immutable and cheap to copy: copies share the tree. Its
// identity is the canonical text; texts that differ only in spelling compare equal.
class Selector {
 public:
  Selector();  // all()

  // The empty text is all(). Errors: kInvalidArgument with the position (1-based column) and what
  // was expected there. Refuses nesting deeper than 256 and text longer than 1 MiB without
  // recursing into it.
  static absl::StatusOr<Selector> Parse(std::string_view text);

  // Canonical text (the parser's re-serialisation), e.g. `(a == "b" && has(c))`.
  [[nodiscard]] const std::string& text() const { return rep_->text; }
  // "s:" and 38 characters, a digest of the canonical text that is worked out by each call: few
  // selectors are ever asked for it.
  [[nodiscard]] std::string id() const;
  [[nodiscard]] const SelectorNode& root() const { return rep_->root; }

  [[nodiscard]] bool Matches(const LabelSet& labels) const;

  // The same expression with every label name prefixed (pcns., pcsa.).
  [[nodiscard]] Selector WithLabelPrefix(std::string_view prefix) const;

  friend bool operator==(const Selector& a, const Selector& b) {
    return a.rep_ == b.rep_ || a.rep_->text == b.rep_->text;
  }
  friend auto operator<=>(const Selector& a, const Selector& b) {
    return a.rep_->text <=> b.rep_->text;
  }
  template <typename H>
  friend H AbslHashValue(H h, const Selector& s) {
    return H::combine(std::move(h), s.rep_->text);
  }

 private:
  struct Rep {
    SelectorNode root;
    std::string text;
  };
  explicit Selector(SelectorNode root);
  std::shared_ptr<const Rep> rep_;  // shared because the value is immutable
};

// What a selector demands of one label, for indexes. Necessary conditions only: labels that do not
// fulfil them cannot match; labels that do may still not match.
struct LabelRestriction {
  std::string label;
  bool must_be_present = false;
  bool must_be_absent = false;
  std::optional<std::vector<std::string>> must_be_one_of;  // sorted, unique
};
// Sorted by label. Contradictions show as must_be_present && must_be_absent or an empty value list.
[[nodiscard]] std::vector<LabelRestriction> LabelRestrictions(const Selector& selector);

}  // namespace felix::model
