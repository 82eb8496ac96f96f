// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/interned_row.h"

namespace felix::model {

// Labels sorted by key (bytes), each key once. A value of eight bytes: equal sets in the program
// share one row of the numbers of their texts, so a copy or a comparison costs a pointer however
// the sets came about, and eight bytes hold a label. Sets may live on several threads. The
// iteration order is the sort order and independent of those numbers.
class LabelSet {
 public:
  using Entry = std::pair<std::string, std::string>;
  using EntryView = std::pair<std::string_view, std::string_view>;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = EntryView;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = EntryView;

    explicit Iterator(const AtomId* at) : at_(at) {}
    EntryView operator*() const { return {atoms::TextOf(at_[0]), atoms::TextOf(at_[1])}; }
    Iterator& operator++() {
      at_ += 2;
      return *this;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    const AtomId* at_;
  };

  LabelSet() = default;
  LabelSet(std::initializer_list<Entry> entries);  // the last of equal keys wins
  explicit LabelSet(std::vector<Entry> entries);   // the last of equal keys wins

  [[nodiscard]] std::optional<std::string_view> Get(std::string_view key) const;
  void Set(std::string_view key, std::string_view value);
  void Erase(std::string_view key);
  // Adds those entries of `inherited` whose keys are not here: what is here shadows.
  void Inherit(const LabelSet& inherited);

  // Keys and values in turn, as numbers of texts to which this set has references.
  [[nodiscard]] std::span<const AtomId> atoms() const { return row_.words(); }
  // The number of the key's value; 0 if the key is not here.
  [[nodiscard]] AtomId ValueOf(AtomId key) const {
    const std::span<const AtomId> ids = atoms();
    for (std::size_t i = 0; i < ids.size(); i += 2) {
      if (ids[i] == key) return ids[i + 1];
    }
    return 0;
  }

  [[nodiscard]] bool empty() const { return row_.empty(); }
  [[nodiscard]] std::size_t size() const { return atoms().size() / 2; }
  [[nodiscard]] Iterator begin() const { return Iterator(atoms().data()); }
  [[nodiscard]] Iterator end() const { return Iterator(atoms().data() + atoms().size()); }
  [[nodiscard]] std::string ToString() const;  // a=1,b=2

  friend bool operator==(const LabelSet& a, const LabelSet& b) { return a.row_ == b.row_; }
  friend std::strong_ordering operator<=>(const LabelSet& a, const LabelSet& b);
  template <typename H>
  friend H AbslHashValue(H h, const LabelSet& l) {
    return H::combine(std::move(h), l.row_);
  }

 private:
  struct Kind {
    static RowTable& table();
  };
  // Makes this the set of these words, to whose texts this has no references yet.
  void Hold(const std::vector<AtomId>& words);

  InternedRow<Kind> row_;
};

}  // namespace felix::model
