// SPDX-License-Identifier: Apache-2.0
#include "compiler/label_index.h"

#include <algorithm>
#include <utility>

#include "compiler/fault.h"
#include "model/base/check.h"
#include "model/base/strings.h"

namespace felix::compiler {
namespace {

// A slot for a new entry, reusing the number of a released one.
template <typename Entry, typename Id>
Id TakeSlot(std::vector<Entry>& entries, std::vector<Id>& free) {
  if (!free.empty()) {
    const Id id = free.back();
    free.pop_back();
    return id;
  }
  entries.emplace_back();
  return static_cast<Id>(entries.size() - 1);
}

template <typename Set, typename Id>
void Put(Set& set, Id id, bool add) {
  if (add) {
    set.insert(id);
  } else {
    set.erase(id);
  }
}

// Sorted, so that matches are told in an order that does not depend on the process.
template <typename Id>
std::vector<Id> SortedUnique(std::vector<Id> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

template <typename Map>
auto FindText(Map& map, std::string_view key) {
  return map.find(ToAbsl(key));
}

}  // namespace

std::vector<LabelIndex::Filing> LabelIndex::DemandsOf(const model::Selector& selector) {
  std::vector<Filing> demands;
  for (model::LabelRestriction& restriction : model::LabelRestrictions(selector)) {
    const bool contradiction = restriction.must_be_present && restriction.must_be_absent;
    const bool has_values = restriction.must_be_one_of.has_value();
    if (contradiction || (has_values && restriction.must_be_one_of->empty())) {
      return {{.kind = Filing::Kind::kNever, .label = {}, .values = {}}};
    }
    if (!restriction.must_be_present) continue;
    Filing demand{.kind = has_values ? Filing::Kind::kValues : Filing::Kind::kPresent,
                  .label = std::move(restriction.label),
                  .values = {}};
    if (has_values) demand.values = *std::move(restriction.must_be_one_of);
    demands.push_back(std::move(demand));
  }
  if (demands.empty()) demands.emplace_back();
  // Values say more than presence, few values more than many: decisive while files are empty.
  std::stable_sort(demands.begin(), demands.end(), [](const Filing& a, const Filing& b) {
    return std::pair(a.kind, a.values.size()) < std::pair(b.kind, b.values.size());
  });
  return demands;
}

template <typename Id>
std::size_t LabelIndex::CountIn(const Files<Id>& files, const Filing& filing) {
  const auto file = files.find(filing.label);
  if (file == files.end()) return 0;
  if (filing.kind == Filing::Kind::kPresent) return file->second.present.size();
  std::size_t count = 0;
  for (const std::string& value : filing.values) {
    const auto ids = file->second.values.find(value);
    if (ids != file->second.values.end()) count += ids->second.size();
  }
  return count;
}

template <typename Id>
const LabelIndex::Filing& LabelIndex::Rarest(const Files<Id>& files,
                                             const std::vector<Filing>& demands) {
  if (demands.size() == 1) return demands.front();
  return *std::min_element(demands.begin(), demands.end(), [&](const Filing& a, const Filing& b) {
    return CountIn(files, a) < CountIn(files, b);
  });
}

void LabelIndex::File(SelectorId id, bool add) {
  const Filing& filing = selectors_[id].filing;
  switch (filing.kind) {
    case Filing::Kind::kNever:
      return;
    case Filing::Kind::kEverything:
      Put(unfiled_selectors_, id, add);
      return;
    case Filing::Kind::kPresent:
    case Filing::Kind::kValues: {
      ByLabel<SelectorId>& file = selector_files_[filing.label];
      if (filing.kind == Filing::Kind::kPresent) Put(file.present, id, add);
      for (const std::string& value : filing.values) {
        auto& ids = file.values[value];
        Put(ids, id, add);
        if (ids.empty()) file.values.erase(value);
      }
      if (file.present.empty() && file.values.empty()) selector_files_.erase(filing.label);
      return;
    }
  }
}

void LabelIndex::FileClass(ClassId id, bool add) {
  Put(live_classes_, id, add);
  for (const auto& [label, value] : classes_[id].labels) {
    ByLabel<ClassId>& file = class_files_[label];
    Put(file.present, id, add);
    auto& ids = file.values[value];
    Put(ids, id, add);
    if (ids.empty()) file.values.erase(value);
    if (file.present.empty()) class_files_.erase(label);
  }
}

void LabelIndex::Try(SelectorId selector, ClassId labels) {
  ++evaluations_;
  if (!selectors_[selector].selector.Matches(classes_[labels].labels)) return;
  // Candidates come in ascending order, so a new selector's classes are appended.
  auto& classes = selectors_[selector].classes;
  classes.insert(classes.end(), labels);
  auto& selectors = classes_[labels].selectors;
  selectors.insert(selectors.end(), selector);
  listener_.OnMatch(selector, labels, true);
}

void LabelIndex::EndMatch(SelectorId selector, ClassId labels) {
  selectors_[selector].classes.erase(labels);
  classes_[labels].selectors.erase(selector);
  listener_.OnMatch(selector, labels, false);
}

ClassId LabelIndex::AcquireClass(const model::LabelSet& labels) {
  if (const auto found = class_by_labels_.find(labels); found != class_by_labels_.end()) {
    ++classes_[found->second].references;
    return found->second;
  }
  const ClassId id = TakeSlot(classes_, free_classes_);
  classes_[id].labels = labels;
  classes_[id].references = 1;
  class_by_labels_.emplace(labels, id);
  FileClass(id, true);

  std::vector<SelectorId> candidates(unfiled_selectors_.begin(), unfiled_selectors_.end());
  if (IsPlanted(Fault::kUnfiledSelectorsForgotten)) candidates.clear();
  for (const auto& [label, value] : labels) {
    const auto file = FindText(selector_files_, label);
    if (file == selector_files_.end()) continue;
    const ByLabel<SelectorId>& by_label = file->second;
    candidates.insert(candidates.end(), by_label.present.begin(), by_label.present.end());
    const auto ids = FindText(by_label.values, value);
    if (ids == by_label.values.end()) continue;
    candidates.insert(candidates.end(), ids->second.begin(), ids->second.end());
  }
  for (const SelectorId selector : SortedUnique(std::move(candidates))) Try(selector, id);
  return id;
}

void LabelIndex::ReleaseClass(ClassId id) {
  Class& entry = classes_[id];
  FELIX_CHECK(entry.references > 0, "released a label class that nobody holds");
  if (--entry.references > 0) return;
  const std::vector<SelectorId> matched(entry.selectors.begin(), entry.selectors.end());
  for (const SelectorId selector : matched) EndMatch(selector, id);
  FileClass(id, false);
  class_by_labels_.erase(classes_[id].labels);
  classes_[id] = Class{};
  free_classes_.push_back(id);
}

std::vector<ClassId> LabelIndex::Candidates(const Filing& demand) const {
  std::vector<ClassId> candidates;
  const auto add = [&](const absl::flat_hash_set<ClassId>& ids) {
    candidates.insert(candidates.end(), ids.begin(), ids.end());
  };
  if (demand.kind == Filing::Kind::kNever) return candidates;
  if (demand.kind == Filing::Kind::kEverything) {
    add(live_classes_);
    return candidates;
  }
  const auto file = class_files_.find(demand.label);
  if (file == class_files_.end()) return candidates;
  if (demand.kind == Filing::Kind::kPresent) add(file->second.present);
  for (const std::string& value : demand.values) {
    const auto ids = file->second.values.find(value);
    if (ids != file->second.values.end()) add(ids->second);
  }
  return candidates;
}

SelectorId LabelIndex::AcquireSelector(const model::Selector& selector) {
  if (const auto found = selector_ids_.find(selector); found != selector_ids_.end()) {
    ++selectors_[found->second].references;
    return found->second;
  }
  const SelectorId id = TakeSlot(selectors_, free_selectors_);
  const std::vector<Filing> demands = DemandsOf(selector);
  selectors_[id].selector = selector;
  selectors_[id].references = 1;
  selectors_[id].filing = Rarest(selector_files_, demands);
  selector_ids_.emplace(selector, id);
  File(id, true);
  std::vector<ClassId> candidates = Candidates(Rarest(class_files_, demands));
  for (const ClassId labels : SortedUnique(std::move(candidates))) Try(id, labels);
  return id;
}

void LabelIndex::ReleaseSelector(SelectorId id) {
  SelectorEntry& entry = selectors_[id];
  FELIX_CHECK(entry.references > 0, "released a selector that nobody holds");
  if (--entry.references > 0) return;
  const std::vector<ClassId> matched(entry.classes.begin(), entry.classes.end());
  for (const ClassId labels : matched) EndMatch(id, labels);
  File(id, false);
  selector_ids_.erase(selectors_[id].selector);
  selectors_[id] = SelectorEntry{};
  free_selectors_.push_back(id);
}

}  // namespace felix::compiler
