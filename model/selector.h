// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "model/interned_row.h"
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

// A parsed Calico selector expression. An immutable value of eight bytes: equal selectors in the
// program share one row of numbers, which say the tree and refer to its texts. Its identity is the
// canonical text; texts that differ only in spelling compare equal.
class Selector {
 public:
  Selector() = default;  // all()

  // The empty text is all(). Errors: kInvalidArgument with the position (1-based column) and what
  // was expected there. Refuses nesting deeper than 256 and text longer than 1 MiB without
  // recursing into it.
  static absl::StatusOr<Selector> Parse(std::string_view text);

  // Canonical text (the parser's re-serialisation), e.g. `(a == "b" && has(c))`. Worked out by each
  // call, like the tree and the id.
  [[nodiscard]] std::string text() const;
  // "s:" and 38 characters, a digest of the canonical text.
  [[nodiscard]] std::string id() const;
  [[nodiscard]] SelectorNode root() const;

  // The tree as selector_code.h describes it.
  [[nodiscard]] std::span<const std::uint32_t> code() const { return row_.words(); }

  // Asks the program's numbers of texts, not the texts: labels and values are compared as numbers.
  [[nodiscard]] bool Matches(const LabelSet& labels) const;

  // The same expression with every label name prefixed (pcns., pcsa.).
  [[nodiscard]] Selector WithLabelPrefix(std::string_view prefix) const;

  friend bool operator==(const Selector& a, const Selector& b) { return a.row_ == b.row_; }
  friend std::strong_ordering operator<=>(const Selector& a, const Selector& b) {
    return a.text() <=> b.text();
  }
  template <typename H>
  friend H AbslHashValue(H h, const Selector& s) {
    return H::combine(std::move(h), s.row_);
  }

 private:
  struct Kind {
    static RowTable& table();
  };
  explicit Selector(const SelectorNode& root);
  InternedRow<Kind> row_;
};

// What a selector demands of one label, for indexes. Necessary conditions only: labels that do not
// fulfil them cannot match; labels that do may still not match. Texts are numbers to which the
// selector has references.
struct LabelRestriction {
  AtomId label = 0;
  bool must_be_present = false;
  bool must_be_absent = false;
  std::optional<std::vector<AtomId>> must_be_one_of;  // ascending, unique
};
// Ascending by label. Contradictions show as must_be_present && must_be_absent or an empty value
// list.
[[nodiscard]] std::vector<LabelRestriction> LabelRestrictions(const Selector& selector);

}  // namespace felix::model
