// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace felix::model {

// Labels as a flat vector sorted by key (bytes), each key once. A value whose copies share one
// vector until one of them is changed, so a copy costs a pointer; copies may live on several
// threads. Its iteration order is its sort order.
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

  [[nodiscard]] bool empty() const { return entries_ == nullptr; }
  [[nodiscard]] std::size_t size() const { return entries().size(); }
  [[nodiscard]] auto begin() const { return entries().begin(); }
  [[nodiscard]] auto end() const { return entries().end(); }
  [[nodiscard]] std::string ToString() const;  // a=1,b=2

  friend bool operator==(const LabelSet& a, const LabelSet& b) {
    return a.entries_ == b.entries_ || a.entries() == b.entries();
  }
  friend auto operator<=>(const LabelSet& a, const LabelSet& b) {
    return a.entries() <=> b.entries();
  }
  template <typename H>
  friend H AbslHashValue(H h, const LabelSet& l) {
    return H::combine(std::move(h), l.entries());
  }

 private:
  [[nodiscard]] const std::vector<Entry>& entries() const;
  void Hold(std::vector<Entry> entries);

  std::shared_ptr<const std::vector<Entry>> entries_;  // null if there are none
};

}  // namespace felix::model
