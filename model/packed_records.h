// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"

#include "model/packed.h"
#include "model/packed_record.h"

namespace felix::model {

// Packed records by key and by number: a key has a small number as long as it is there, and numbers
// of keys that went are given out again. Owns the records. What a PackedMap of any type needs.
class PackedRecords {
 public:
  using Number = std::uint32_t;

  PackedRecords() : numbers_(0, Hash{&records_}, Equal{&records_}) {}
  PackedRecords(const PackedRecords&) = delete;
  PackedRecords& operator=(const PackedRecords&) = delete;

  [[nodiscard]] std::optional<Number> Find(std::string_view key) const;
  // Of a key that is not there.
  Number Insert(std::string_view key, const Packer& value);
  // Returns whether the value differed.
  bool Replace(Number number, const Packer& value);
  void Erase(Number number);
  // Makes room for that many keys in all.
  void Reserve(std::size_t count);

  [[nodiscard]] const PackedRecord& At(Number number) const { return *records_[number]; }
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }
  // All numbers in use, in the order of their keys.
  [[nodiscard]] std::vector<Number> InOrder() const;

 private:
  using Records = std::vector<PackedRecord::Pointer>;  // by number; null: not in use
  struct Hash {
    using is_transparent = void;
    const Records* records;
    std::size_t operator()(std::string_view key) const { return absl::HashOf(key); }
    std::size_t operator()(Number number) const { return (*this)((*records)[number]->key()); }
  };
  struct Equal {
    using is_transparent = void;
    const Records* records;
    bool operator()(Number a, Number b) const { return a == b; }
    bool operator()(Number a, std::string_view b) const { return (*records)[a]->key() == b; }
  };

  Records records_;
  std::vector<Number> free_;
  absl::flat_hash_set<Number, Hash, Equal> numbers_;
};

}  // namespace felix::model
