// SPDX-License-Identifier: Apache-2.0
#include "model/interned_row.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/types/span.h"

namespace felix::model {
namespace {

using Words = std::span<const std::uint32_t>;

struct Hash {
  using is_transparent = void;
  std::size_t operator()(Words words) const {
    return absl::HashOf(absl::Span<const std::uint32_t>(words.data(), words.size()));
  }
  std::size_t operator()(const RowTable::Row* row) const { return (*this)(row->words()); }
};
struct Equal {
  using is_transparent = void;
  bool operator()(const RowTable::Row* a, const RowTable::Row* b) const { return a == b; }
  bool operator()(const RowTable::Row* a, Words b) const {
    return std::equal(a->words().begin(), a->words().end(), b.begin(), b.end());
  }
};

}  // namespace

struct RowTable::Index {
  std::mutex mutex;
  absl::flat_hash_set<Row*, Hash, Equal> rows;
};

RowTable::RowTable(AtomsOf atoms_of) : atoms_of_(atoms_of), index_(*new Index) {}

RowTable::Row* RowTable::Acquire(Words words) {
  std::vector<AtomId> surplus;
  Row* row = nullptr;
  {
    const std::lock_guard lock(index_.mutex);
    if (const auto found = index_.rows.find(words); found != index_.rows.end()) {
      row = *found;
      row->references.fetch_add(1, std::memory_order_relaxed);
      atoms_of_(words, surplus);
    } else {
      row = new (::operator new(sizeof(Row) + words.size_bytes()))
          Row{.references = 1, .size = static_cast<std::uint32_t>(words.size())};
      std::memcpy(static_cast<void*>(row + 1), words.data(), words.size_bytes());
      index_.rows.insert(row);
    }
  }
  if (!surplus.empty()) atoms::Release(surplus);
  return row;
}

void RowTable::Release(Row* row) {
  // The last reference goes under the lock, so that nobody finds a row that is about to go.
  std::uint32_t references = row->references.load(std::memory_order_relaxed);
  while (references > 1) {
    if (row->references.compare_exchange_weak(references, references - 1, std::memory_order_release,
                                              std::memory_order_relaxed)) {
      return;
    }
  }
  std::vector<AtomId> ids;
  {
    const std::lock_guard lock(index_.mutex);
    if (row->references.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    index_.rows.erase(row);
    atoms_of_(row->words(), ids);
  }
  row->~Row();
  ::operator delete(row);
  if (!ids.empty()) atoms::Release(ids);
}

std::size_t RowTable::size() const {
  const std::lock_guard lock(index_.mutex);
  return index_.rows.size();
}

}  // namespace felix::model
