// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model/atom.h"

namespace felix::model {

// One table of rows: immutable rows of numbers, of which equal ones are one. A row holds the
// references to the texts whose numbers are in it, and goes with its last handle. May be used on
// any thread.
class RowTable {
 public:
  // In the row's allocation its numbers follow.
  struct Row {
    std::atomic<std::uint32_t> references;
    std::uint32_t size;
    [[nodiscard]] std::span<const std::uint32_t> words() const {
      return {reinterpret_cast<const std::uint32_t*>(this + 1), size};
    }
  };
  // Appends those of a row's numbers that are texts.
  using AtomsOf = void (*)(std::span<const std::uint32_t> words, std::vector<AtomId>& ids);

  explicit RowTable(AtomsOf atoms_of);
  RowTable(const RowTable&) = delete;
  RowTable& operator=(const RowTable&) = delete;

  // One more reference to the row of these words, which are not none. Takes over a reference to
  // each of the texts in it.
  [[nodiscard]] Row* Acquire(std::span<const std::uint32_t> words);
  void Release(Row* row);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Index;
  const AtomsOf atoms_of_;
  Index& index_;  // never destroyed: values of static storage may hold rows until the very end
};

// A handle to a row, or to none, which is the empty row. `Kind::table()` is the table of its rows.
// Copies share the row, so equality is that of pointers.
template <typename Kind>
class InternedRow {
 public:
  InternedRow() = default;
  // Takes over a reference to each of the texts in it.
  explicit InternedRow(std::span<const std::uint32_t> words)
      : row_(words.empty() ? nullptr : Kind::table().Acquire(words)) {}
  InternedRow(const InternedRow& other) : row_(other.row_) {
    if (row_ != nullptr) row_->references.fetch_add(1, std::memory_order_relaxed);
  }
  InternedRow(InternedRow&& other) noexcept : row_(std::exchange(other.row_, nullptr)) {}
  InternedRow& operator=(const InternedRow& other) {
    InternedRow copy = other;
    std::swap(row_, copy.row_);
    return *this;
  }
  InternedRow& operator=(InternedRow&& other) noexcept {
    std::swap(row_, other.row_);
    return *this;
  }
  ~InternedRow() {
    if (row_ != nullptr) Kind::table().Release(row_);
  }

  [[nodiscard]] bool empty() const { return row_ == nullptr; }
  [[nodiscard]] std::span<const std::uint32_t> words() const {
    return row_ == nullptr ? std::span<const std::uint32_t>() : row_->words();
  }
  friend bool operator==(const InternedRow& a, const InternedRow& b) { return a.row_ == b.row_; }
  template <typename H>
  friend H AbslHashValue(H h, const InternedRow& row) {
    return H::combine(std::move(h), row.row_);
  }

 private:
  RowTable::Row* row_ = nullptr;
};

}  // namespace felix::model
