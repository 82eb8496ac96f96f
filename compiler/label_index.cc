// SPDX-License-Identifier: Apache-2.0
#include "compiler/label_index.h"

#include <algorithm>
#include <utility>

#include "compiler/fault.h"
#include "model/base/check.h"

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

std::uint64_t Pair(model::AtomId label, model::AtomId value) {
  return std::uint64_t{label} << 32U | value;
}

// Empty sets are not kept.
template <typename Map>
void Put(Map& map, const typename Map::key_type& key, std::uint32_t id, bool add) {
  if (add) {
    map[key].Insert(id);
    return;
  }
  const auto found = map.find(key);
  found->second.Erase(id);
  if (found->second.empty()) map.erase(found);
}

template <typename Map>
void AppendFrom(const Map& map, const typename Map::key_type& key,
                std::vector<std::uint32_t>& ids) {
  const auto found = map.find(key);
  if (found != map.end()) ids.insert(ids.end(), found->second.begin(), found->second.end());
}

template <typename Map>
std::size_t CountAt(const Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  return found == map.end() ? 0 : found->second.size();
}

// Sorted, so that matches are told in an order that does not depend on the process.
void SortUnique(std::vector<std::uint32_t>& ids) {
  if (!std::is_sorted(ids.begin(), ids.end())) std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

}  // namespace

std::vector<LabelIndex::Demand> LabelIndex::DemandsOf(const model::Selector& selector) {
  std::vector<Demand> demands;
  for (model::LabelRestriction& restriction : model::LabelRestrictions(selector)) {
    const bool contradiction = restriction.must_be_present && restriction.must_be_absent;
    const bool has_values = restriction.must_be_one_of.has_value();
    if (contradiction || (has_values && restriction.must_be_one_of->empty())) {
      return {{.kind = DemandKind::kNever, .label = 0, .values = {}}};
    }
    if (!restriction.must_be_present) continue;
    Demand demand{.kind = has_values ? DemandKind::kValues : DemandKind::kPresent,
                  .label = restriction.label,
                  .values = {}};
    if (has_values) demand.values = *std::move(restriction.must_be_one_of);
    demands.push_back(std::move(demand));
  }
  if (demands.empty()) demands.emplace_back();
  // Values say more than presence, few values more than many: decisive while files are empty.
  std::stable_sort(demands.begin(), demands.end(), [](const Demand& a, const Demand& b) {
    return std::pair(a.kind, a.values.size()) < std::pair(b.kind, b.values.size());
  });
  return demands;
}

std::size_t LabelIndex::CountIn(const Files& files, const Demand& demand) {
  if (demand.kind == DemandKind::kPresent) return CountAt(files.present, demand.label);
  std::size_t count = 0;
  for (const model::AtomId value : demand.values) {
    count += CountAt(files.values, Pair(demand.label, value));
  }
  return count;
}

const LabelIndex::Demand& LabelIndex::Rarest(const Files& files,
                                             const std::vector<Demand>& demands) {
  if (demands.size() == 1) return demands.front();
  return *std::min_element(demands.begin(), demands.end(), [&](const Demand& a, const Demand& b) {
    return CountIn(files, a) < CountIn(files, b);
  });
}

void LabelIndex::FileSelector(SelectorId id, const Demand& demand, bool add) {
  switch (demand.kind) {
    case DemandKind::kNever:
      return;
    case DemandKind::kEverything:
      if (add) {
        unfiled_selectors_.Insert(id);
      } else {
        unfiled_selectors_.Erase(id);
      }
      return;
    case DemandKind::kPresent:
      return Put(selector_files_.present, demand.label, id, add);
    case DemandKind::kValues:
      for (const model::AtomId value : demand.values) {
        Put(selector_files_.values, Pair(demand.label, value), id, add);
      }
      return;
  }
}

void LabelIndex::FileClass(ClassId id, bool add) {
  if (add) {
    live_classes_.Insert(id);
  } else {
    live_classes_.Erase(id);
  }
  const auto atoms = classes_[id].labels.atoms();
  for (std::size_t i = 0; i < atoms.size(); i += 2) {
    Put(class_files_.present, atoms[i], id, add);
    Put(class_files_.values, Pair(atoms[i], atoms[i + 1]), id, add);
  }
}

void LabelIndex::Try(SelectorId selector, ClassId labels) {
  ++stats_.recomputed;
  if (!selectors_[selector].selector.Matches(classes_[labels].labels)) return;
  selectors_[selector].classes.Insert(labels);
  classes_[labels].selectors.Insert(selector);
  ++stats_.emitted;
  listener_.OnMatch(selector, labels, true);
}

ClassId LabelIndex::AcquireClass(const model::LabelSet& labels) {
  ++stats_.updates_in;
  if (const auto found = class_by_labels_.find(labels); found != class_by_labels_.end()) {
    ++stats_.suppressed;
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
  const auto atoms = labels.atoms();
  for (std::size_t i = 0; i < atoms.size(); i += 2) {
    AppendFrom(selector_files_.present, atoms[i], candidates);
    AppendFrom(selector_files_.values, Pair(atoms[i], atoms[i + 1]), candidates);
  }
  SortUnique(candidates);
  for (const SelectorId selector : candidates) Try(selector, id);
  return id;
}

void LabelIndex::ReleaseClass(ClassId id) {
  Class& entry = classes_[id];
  FELIX_CHECK(entry.references > 0, "released a label class that nobody holds");
  if (--entry.references > 0) return;
  const IdSet matched = std::move(entry.selectors);
  for (const SelectorId selector : matched) {
    selectors_[selector].classes.Erase(id);
    ++stats_.emitted;
    listener_.OnMatch(selector, id, false);
  }
  FileClass(id, false);
  class_by_labels_.erase(classes_[id].labels);
  classes_[id] = Class{};
  free_classes_.push_back(id);
}

std::vector<ClassId> LabelIndex::Candidates(const Demand& demand) const {
  std::vector<ClassId> candidates;
  switch (demand.kind) {
    case DemandKind::kNever:
      break;
    case DemandKind::kEverything:
      candidates.assign(live_classes_.begin(), live_classes_.end());
      break;
    case DemandKind::kPresent:
      AppendFrom(class_files_.present, demand.label, candidates);
      break;
    case DemandKind::kValues:
      for (const model::AtomId value : demand.values) {
        AppendFrom(class_files_.values, Pair(demand.label, value), candidates);
      }
      break;
  }
  SortUnique(candidates);
  return candidates;
}

SelectorId LabelIndex::AcquireSelector(const model::Selector& selector) {
  ++stats_.updates_in;
  if (const auto found = selector_ids_.find(selector); found != selector_ids_.end()) {
    ++stats_.suppressed;
    ++selectors_[found->second].references;
    return found->second;
  }
  const SelectorId id = TakeSlot(selectors_, free_selectors_);
  const std::vector<Demand> demands = DemandsOf(selector);
  const Demand& filing = Rarest(selector_files_, demands);
  SelectorEntry& entry = selectors_[id];
  entry.selector = selector;
  entry.references = 1;
  entry.filed_as = filing.kind;
  entry.filed_under = filing.label;
  selector_ids_.emplace(selector, id);
  FileSelector(id, filing, true);
  for (const ClassId labels : Candidates(Rarest(class_files_, demands))) Try(id, labels);
  return id;
}

void LabelIndex::ReleaseSelector(SelectorId id) {
  SelectorEntry& entry = selectors_[id];
  FELIX_CHECK(entry.references > 0, "released a selector that nobody holds");
  if (--entry.references > 0) return;
  const IdSet matched = std::move(entry.classes);
  for (const ClassId labels : matched) {
    classes_[labels].selectors.Erase(id);
    ++stats_.emitted;
    listener_.OnMatch(id, labels, false);
  }
  // A selector has at most one demand on a label.
  for (const Demand& demand : DemandsOf(entry.selector)) {
    if (demand.kind == entry.filed_as && demand.label == entry.filed_under) {
      FileSelector(id, demand, false);
    }
  }
  selector_ids_.erase(entry.selector);
  selectors_[id] = SelectorEntry{};
  free_selectors_.push_back(id);
}

}  // namespace felix::compiler
