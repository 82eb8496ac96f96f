// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace felix::model {

// Labels as a flat vector sorted by key (bytes), each key once. A value: cheap to compare and hash,
// its iteration order is its sort order.
class LabelSet {
 public:
  using Entry = std::pair<std::string, std::string>;

  LabelSet() = default;
  LabelSet(std::initializer_list<Entry> entries);  // the last of equal keys wins
  explicit LabelSet(std::vector<Entry> entries);   // the last of equal keys wins

  [[nodiscard]] std::optional<std::string_view> Get(std::string_view key) const;
  void Set(std::string_view key, std::string_view value);
  void Erase(std::string_view key);
  // Adds those entries of `inherited` whose keys are not here: what is here shadows.
  void Inherit(const LabelSet& inherited);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] auto begin() const { return entries_.begin(); }
  [[nodiscard]] auto end() const { return entries_.end(); }
  [[nodiscard]] std::string ToString() const;  // a=1,b=2

  friend auto operator<=>(const LabelSet&, const LabelSet&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const LabelSet& l) {
    return H::combine(std::move(h), l.entries_);
  }

 private:
  std::vector<Entry> entries_;
};

}  // namespace felix::model
