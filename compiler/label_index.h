// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

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

  [[nodiscard]] const absl::btree_set<SelectorId>& SelectorsOf(ClassId id) const {
    return classes_[id].selectors;
  }
  [[nodiscard]] const absl::btree_set<ClassId>& ClassesOf(SelectorId id) const {
    return selectors_[id].classes;
  }
  [[nodiscard]] const model::LabelSet& LabelsOf(ClassId id) const { return classes_[id].labels; }
  [[nodiscard]] std::uint64_t evaluations() const { return evaluations_; }

 private:
  struct Class {
    model::LabelSet labels;
    std::uint32_t references = 0;
    absl::btree_set<SelectorId> selectors;
  };
  // What a selector demands of one label; by one such demand it is filed.
  struct Filing {
    enum class Kind : std::uint8_t { kNever, kValues, kPresent, kEverything };
    Kind kind = Kind::kEverything;
    std::string label;
    std::vector<std::string> values;
  };
  struct SelectorEntry {
    model::Selector selector;
    std::uint32_t references = 0;
    Filing filing;
    absl::btree_set<ClassId> classes;
  };
  template <typename Id>
  struct ByLabel {
    absl::flat_hash_set<Id> present;
    absl::flat_hash_map<std::string, absl::flat_hash_set<Id>> values;
  };
  template <typename Id>
  using Files = absl::flat_hash_map<std::string, ByLabel<Id>>;

  // All that the selector demands; one kNever if nothing can match, kEverything if nothing is
  // demanded.
  static std::vector<Filing> DemandsOf(const model::Selector& selector);
  template <typename Id>
  static std::size_t CountIn(const Files<Id>& files, const Filing& filing);
  // The demand that the fewest of those in `files` fulfil; of equal ones the first.
  template <typename Id>
  static const Filing& Rarest(const Files<Id>& files, const std::vector<Filing>& demands);
  [[nodiscard]] std::vector<ClassId> Candidates(const Filing& demand) const;
  void File(SelectorId id, bool add);
  void FileClass(ClassId id, bool add);
  void Try(SelectorId selector, ClassId labels);
  void EndMatch(SelectorId selector, ClassId labels);

  Listener& listener_;
  std::vector<Class> classes_;
  std::vector<ClassId> free_classes_;
  absl::flat_hash_map<model::LabelSet, ClassId> class_by_labels_;
  std::vector<SelectorEntry> selectors_;
  std::vector<SelectorId> free_selectors_;
  absl::flat_hash_map<model::Selector, SelectorId> selector_ids_;
  Files<SelectorId> selector_files_;
  absl::flat_hash_set<SelectorId> unfiled_selectors_;  // to be tried against every class
  Files<ClassId> class_files_;
  absl::flat_hash_set<ClassId> live_classes_;
  std::uint64_t evaluations_ = 0;
};

}  // namespace felix::compiler
