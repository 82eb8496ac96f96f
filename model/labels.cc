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

LabelSet::LabelSet(std::vector<Entry> entries) {
  // From behind, std::unique keeps the first of equal keys: the last that was given.
  std::reverse(entries.begin(), entries.end());
  std::stable_sort(entries.begin(), entries.end(), KeyLess);
  const auto same_key = [](const Entry& a, const Entry& b) { return a.first == b.first; };
  entries.erase(std::unique(entries.begin(), entries.end(), same_key), entries.end());
  Hold(std::move(entries));
}

const std::vector<LabelSet::Entry>& LabelSet::entries() const {
  static const std::vector<Entry> none;
  return entries_ == nullptr ? none : *entries_;
}

void LabelSet::Hold(std::vector<Entry> entries) {
  entries.shrink_to_fit();
  entries_ =
      entries.empty() ? nullptr : std::make_shared<const std::vector<Entry>>(std::move(entries));
}

std::optional<std::string_view> LabelSet::Get(std::string_view key) const {
  const auto it = std::lower_bound(begin(), end(), key, BeforeKey);
  if (it == end() || it->first != key) return std::nullopt;
  return it->second;
}

void LabelSet::Set(std::string_view key, std::string_view value) {
  std::vector<Entry> changed = entries();
  const auto it = std::lower_bound(changed.begin(), changed.end(), key, BeforeKey);
  if (it != changed.end() && it->first == key) {
    it->second = value;
  } else {
    changed.insert(it, Entry(key, value));
  }
  Hold(std::move(changed));
}

void LabelSet::Erase(std::string_view key) {
  if (!Get(key).has_value()) return;
  std::vector<Entry> changed = entries();
  changed.erase(std::lower_bound(changed.begin(), changed.end(), key, BeforeKey));
  Hold(std::move(changed));
}

void LabelSet::Inherit(const LabelSet& inherited) {
  if (inherited.empty()) return;
  if (empty()) {
    *this = inherited;
    return;
  }
  std::vector<Entry> merged;
  merged.reserve(size() + inherited.size());
  // Of equal keys std::set_union takes the one of the first range.
  std::set_union(begin(), end(), inherited.begin(), inherited.end(), std::back_inserter(merged),
                 KeyLess);
  Hold(std::move(merged));
}

std::string LabelSet::ToString() const {
  std::string text;
  for (const auto& [key, value] : entries()) {
    if (!text.empty()) text += ',';
    text += fmt::format("{}={}", key, value);
  }
  return text;
}

}  // namespace felix::model
