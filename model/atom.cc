// SPDX-License-Identifier: Apache-2.0
#include "model/atom.h"

#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"

#include "model/base/check.h"

namespace felix::model::atoms {
namespace {

// The characters follow.
struct Text {
  std::uint32_t references;
  std::uint32_t length;

  [[nodiscard]] std::string_view view() const {
    return {reinterpret_cast<const char*>(this + 1), length};
  }
};

constexpr std::uint32_t kSegmentBits = 12;
constexpr std::uint32_t kSegmentSize = 1U << kSegmentBits;
constexpr std::uint32_t kSegments = 1U << 16U;

// Segments never move, so a text is found by its number without the lock. Who has the number got it
// from the thread that made the entry by some way that orders the two.
constinit std::array<std::atomic<Text**>, kSegments> segments{};

Text*& EntryOf(AtomId id) {
  return segments[id >> kSegmentBits].load(std::memory_order_acquire)[id & (kSegmentSize - 1)];
}

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return absl::HashOf(text); }
  std::size_t operator()(AtomId id) const { return absl::HashOf(TextOf(id)); }
};
struct Equal {
  using is_transparent = void;
  bool operator()(AtomId a, AtomId b) const { return a == b; }
  bool operator()(AtomId a, std::string_view b) const { return TextOf(a) == b; }
};

struct Table {
  std::mutex mutex;
  absl::flat_hash_set<AtomId, Hash, Equal> ids;
  std::vector<AtomId> free;
  AtomId next = 1;
};

// Never destroyed: values of static storage may hold texts until the very end.
Table& TheTable() {
  static auto& table = *new Table;
  return table;
}

AtomId TakeNumber(Table& table) {
  if (!table.free.empty()) {
    const AtomId id = table.free.back();
    table.free.pop_back();
    return id;
  }
  const AtomId id = table.next++;
  FELIX_CHECK(id >> kSegmentBits < kSegments, "out of numbers for texts");
  auto& segment = segments[id >> kSegmentBits];
  if (segment.load(std::memory_order_relaxed) == nullptr) {
    segment.store(new Text*[kSegmentSize](), std::memory_order_release);
  }
  return id;
}

}  // namespace

AtomId Acquire(std::string_view text) {
  Table& table = TheTable();
  const std::lock_guard lock(table.mutex);
  if (const auto found = table.ids.find(text); found != table.ids.end()) {
    ++EntryOf(*found)->references;
    return *found;
  }
  const AtomId id = TakeNumber(table);
  auto* entry = new (::operator new(sizeof(Text) + text.size()))
      Text{.references = 1, .length = static_cast<std::uint32_t>(text.size())};
  if (!text.empty()) std::memcpy(entry + 1, text.data(), text.size());
  EntryOf(id) = entry;
  table.ids.insert(id);
  return id;
}

AtomId Find(std::string_view text) {
  Table& table = TheTable();
  const std::lock_guard lock(table.mutex);
  const auto found = table.ids.find(text);
  return found == table.ids.end() ? 0 : *found;
}

void AddReferences(std::span<const AtomId> ids) {
  const std::lock_guard lock(TheTable().mutex);
  for (const AtomId id : ids) ++EntryOf(id)->references;
}

void Release(std::span<const AtomId> ids) {
  Table& table = TheTable();
  const std::lock_guard lock(table.mutex);
  for (const AtomId id : ids) {
    Text*& entry = EntryOf(id);
    if (--entry->references > 0) continue;
    table.ids.erase(id);
    ::operator delete(entry);
    entry = nullptr;
    table.free.push_back(id);
  }
}

std::string_view TextOf(AtomId id) {
  return EntryOf(id)->view();
}

std::size_t Count() {
  Table& table = TheTable();
  const std::lock_guard lock(table.mutex);
  return table.ids.size();
}

}  // namespace felix::model::atoms
