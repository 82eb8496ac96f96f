// SPDX-License-Identifier: Apache-2.0
#include "model/labels.h"

#include <algorithm>
#include <iterator>

#include "fmt/format.h"

namespace felix::model {
namespace {

bool KeyLess(const LabelSet::Entry& a, const LabelSet::Entry& b) {
  return a.first < b.first;
}

bool BeforeKey(const LabelSet::Entry& entry, std::string_view key) {
  return entry.first < key;
}

}  // namespace

LabelSet::LabelSet(std::initializer_list<Entry> entries) : LabelSet(std::vector<Entry>(entries)) {}

LabelSet::LabelSet(std::vector<Entry> entries) : entries_(std::move(entries)) {
  // From behind, std::unique keeps the first of equal keys: the last that was given.
  std::reverse(entries_.begin(), entries_.end());
  std::stable_sort(entries_.begin(), entries_.end(), KeyLess);
  const auto same_key = [](const Entry& a, const Entry& b) { return a.first == b.first; };
  entries_.erase(std::unique(entries_.begin(), entries_.end(), same_key), entries_.end());
}

std::optional<std::string_view> LabelSet::Get(std::string_view key) const {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), key, BeforeKey);
  if (it == entries_.end() || it->first != key) return std::nullopt;
  return it->second;
}

void LabelSet::Set(std::string_view key, std::string_view value) {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), key, BeforeKey);
  if (it != entries_.end() && it->first == key) {
    it->second = value;
  } else {
    entries_.insert(it, Entry(key, value));
  }
}

void LabelSet::Erase(std::string_view key) {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), key, BeforeKey);
  if (it != entries_.end() && it->first == key) entries_.erase(it);
}

void LabelSet::Inherit(const LabelSet& inherited) {
  if (inherited.empty()) return;
  std::vector<Entry> merged;
  merged.reserve(entries_.size() + inherited.size());
  // Of equal keys std::set_union takes the one of the first range.
  std::set_union(entries_.begin(), entries_.end(), inherited.begin(), inherited.end(),
                 std::back_inserter(merged), KeyLess);
  entries_ = std::move(merged);
}

std::string LabelSet::ToString() const {
  std::string text;
  for (const auto& [key, value] : entries_) {
    if (!text.empty()) text += ',';
    text += fmt::format("{}={}", key, value);
  }
  return text;
}

}  // namespace felix::model
