// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "compiler/id_set.h"
#include "compiler/stats.h"
#include "model/labels.h"
#include "model/selector.h"

namespace felix::compiler {

// Numbers of classes and selectors within one index; reused after release.
using ClassId = std::uint32_t;
using SelectorId = std::uint32_t;

// Tells which selectors match which labels, incrementally. Things with equal labels form one class,
// so a selector is evaluated once per class and a thing that joins a known class costs one lookup.
// A new class is tried against the selectors that are filed under one of its labels, a new selector
// against the classes that have what it asks for; only selectors that ask for nothing (`!=`,
// `!has`, all()) are tried against everything. Of several labels that a selector asks for it is
// filed under the one with the fewest selectors, so a condition that all share costs nothing.
// Classes and selectors are reference counted.
class LabelIndex {
 public:
  // Hears of matches that begin or end, during the call that causes them.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void OnMatch(SelectorId selector, ClassId labels, bool matches) = 0;
  };
  explicit LabelIndex(Listener& listener) : listener_(listener) {}

  // One more thing has these labels. Matches of a new class are told before this returns.
  ClassId AcquireClass(const model::LabelSet& labels);
  // One less; with the last one the class goes and its matches are told to end.
  void ReleaseClass(ClassId id);

  SelectorId AcquireSelector(const model::Selector& selector);
  void ReleaseSelector(SelectorId id);

  [[nodiscard]] const IdSet& SelectorsOf(ClassId id) const { return classes_[id].selectors; }
  [[nodiscard]] const IdSet& ClassesOf(SelectorId id) const { return selectors_[id].classes; }
  [[nodiscard]] const model::LabelSet& LabelsOf(ClassId id) const { return classes_[id].labels; }
  [[nodiscard]] std::uint64_t evaluations() const { return stats_.recomputed; }
  [[nodiscard]] const PassStats& stats() const { return stats_; }

 private:
  struct Class {
    model::LabelSet labels;
    std::uint32_t references = 0;
    IdSet selectors;
  };
  // What a selector demands of one label; by one such demand it is filed. The texts are the
  // selector's.
  enum class DemandKind : std::uint8_t { kNever, kValues, kPresent, kEverything };
  struct Demand {
    DemandKind kind = DemandKind::kEverything;
    model::AtomId label = 0;
    std::vector<model::AtomId> values;
  };
  struct SelectorEntry {
    model::Selector selector;
    std::uint32_t references = 0;
    DemandKind filed_as = DemandKind::kEverything;
    model::AtomId filed_under = 0;
    IdSet classes;
  };
  // Classes by what they have, or selectors by what they demand.
  struct Files {
    absl::flat_hash_map<model::AtomId, IdSet> present;  // by label
    absl::flat_hash_map<std::uint64_t, IdSet> values;   // by label and value
  };

  // All that the selector demands; one kNever if nothing can match, kEverything if nothing is
  // demanded.
  static std::vector<Demand> DemandsOf(const model::Selector& selector);
  static std::size_t CountIn(const Files& files, const Demand& demand);
  // The demand that the fewest of those in `files` fulfil; of equal ones the first.
  static const Demand& Rarest(const Files& files, const std::vector<Demand>& demands);
  [[nodiscard]] std::vector<ClassId> Candidates(const Demand& demand) const;
  void FileSelector(SelectorId id, const Demand& demand, bool add);
  void FileClass(ClassId id, bool add);
  void Try(SelectorId selector, ClassId labels);

  Listener& listener_;
  std::vector<Class> classes_;
  std::vector<ClassId> free_classes_;
  absl::flat_hash_map<model::LabelSet, ClassId> class_by_labels_;
  std::vector<SelectorEntry> selectors_;
  std::vector<SelectorId> free_selectors_;
  absl::flat_hash_map<model::Selector, SelectorId> selector_ids_;
  Files selector_files_;
  IdSet unfiled_selectors_;  // to be tried against every class
  Files class_files_;
  IdSet live_classes_;
  PassStats stats_;
};

}  // namespace felix::compiler
