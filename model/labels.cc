// SPDX-License-Identifier: Apache-2.0
#include "model/labels.h"

#include <algorithm>

#include "fmt/format.h"

namespace felix::model {
namespace {

bool KeyLess(const LabelSet::Entry& a, const LabelSet::Entry& b) {
  return a.first < b.first;
}

// Where the key is, or where it would be, in keys and values in turn.
std::size_t PlaceOf(std::span<const AtomId> ids, std::string_view key) {
  std::size_t first = 0;
  std::size_t last = ids.size() / 2;
  while (first < last) {
    const std::size_t middle = (first + last) / 2;
    if (atoms::TextOf(ids[2 * middle]) < key) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return 2 * first;
}

bool IsAt(std::span<const AtomId> ids, std::size_t place, std::string_view key) {
  return place < ids.size() && atoms::TextOf(ids[place]) == key;
}

}  // namespace

RowTable& LabelSet::Kind::table() {
  static auto& table =
      *new RowTable([](std::span<const std::uint32_t> words, std::vector<AtomId>& ids) {
        ids.insert(ids.end(), words.begin(), words.end());
      });
  return table;
}

LabelSet::LabelSet(std::initializer_list<Entry> entries) : LabelSet(std::vector<Entry>(entries)) {}

LabelSet::LabelSet(std::vector<Entry> entries) {
  // From behind, std::unique keeps the first of equal keys: the last that was given.
  std::reverse(entries.begin(), entries.end());
  std::stable_sort(entries.begin(), entries.end(), KeyLess);
  const auto same_key = [](const Entry& a, const Entry& b) { return a.first == b.first; };
  entries.erase(std::unique(entries.begin(), entries.end(), same_key), entries.end());
  std::vector<AtomId> words;
  words.reserve(2 * entries.size());
  for (const auto& [key, value] : entries) {
    words.push_back(atoms::Acquire(key));
    words.push_back(atoms::Acquire(value));
  }
  row_ = InternedRow<Kind>(words);
}

void LabelSet::Hold(const std::vector<AtomId>& words) {
  atoms::AddReferences(words);
  row_ = InternedRow<Kind>(words);
}

std::optional<std::string_view> LabelSet::Get(std::string_view key) const {
  const std::size_t place = PlaceOf(atoms(), key);
  if (!IsAt(atoms(), place, key)) return std::nullopt;
  return atoms::TextOf(atoms()[place + 1]);
}

void LabelSet::Set(std::string_view key, std::string_view value) {
  std::vector<AtomId> words(atoms().begin(), atoms().end());
  const std::size_t place = PlaceOf(words, key);
  const AtomId texts[2] = {atoms::Acquire(key), atoms::Acquire(value)};
  if (IsAt(words, place, key)) {
    words[place + 1] = texts[1];
  } else {
    words.insert(words.begin() + static_cast<std::ptrdiff_t>(place), texts, texts + 2);
  }
  Hold(words);
  atoms::Release(texts);
}

void LabelSet::Erase(std::string_view key) {
  const std::size_t place = PlaceOf(atoms(), key);
  if (!IsAt(atoms(), place, key)) return;
  std::vector<AtomId> words(atoms().begin(), atoms().end());
  const auto at = words.begin() + static_cast<std::ptrdiff_t>(place);
  words.erase(at, at + 2);
  Hold(words);
}

void LabelSet::Inherit(const LabelSet& inherited) {
  if (inherited.empty() || *this == inherited) return;
  if (empty()) {
    *this = inherited;
    return;
  }
  const std::span<const AtomId> own = atoms();
  const std::span<const AtomId> others = inherited.atoms();
  std::vector<AtomId> merged;
  merged.reserve(own.size() + others.size());
  std::size_t i = 0;
  for (std::size_t j = 0; j < others.size(); j += 2) {
    const std::string_view key = atoms::TextOf(others[j]);
    for (; i < own.size() && own[i] != others[j] && atoms::TextOf(own[i]) < key; i += 2) {
      merged.insert(merged.end(), {own[i], own[i + 1]});
    }
    if (i < own.size() && own[i] == others[j]) continue;
    merged.insert(merged.end(), {others[j], others[j + 1]});
  }
  merged.insert(merged.end(), own.begin() + static_cast<std::ptrdiff_t>(i), own.end());
  if (merged.size() > own.size()) Hold(merged);
}

std::string LabelSet::ToString() const {
  std::string text;
  for (const auto& [key, value] : *this) {
    if (!text.empty()) text += ',';
    text += fmt::format("{}={}", key, value);
  }
  return text;
}

std::strong_ordering operator<=>(const LabelSet& a, const LabelSet& b) {
  const std::span<const AtomId> left = a.atoms();
  const std::span<const AtomId> right = b.atoms();
  return std::lexicographical_compare_three_way(
      left.begin(), left.end(), right.begin(), right.end(),
      [](AtomId x, AtomId y) { return atoms::TextOf(x) <=> atoms::TextOf(y); });
}

}  // namespace felix::model
