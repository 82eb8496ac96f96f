// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"

#include "model/base/check.h"
#include "model/packed_records.h"

namespace felix::model {

// What an assignment to a map did, and the number of the value that it was about.
struct Assignment {
  bool changed = false;
  std::uint32_t number = 0;
  explicit operator bool() const { return changed; }
};

// A map for many values of which few are looked at: each is packed into one allocation and made
// again from it whenever it is read. A key has a small number as long as it is there, by which
// others may know it; numbers of keys that went are given out again. Walks are in the order of the
// keys; a walk after a key came or went sorts first. What an iterator points at lives in the
// iterator. Not even reading is safe from two threads.
template <typename Id, typename Value>
class PackedMap {
 public:
  using key_type = Id;
  using mapped_type = Value;
  using value_type = std::pair<Id, Value>;
  using Number = PackedRecords::Number;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = PackedMap::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    Iterator() = default;
    reference operator*() const {
      if (!read_.has_value()) {
        const PackedRecord& record = records_->At(number_);
        Id id;
        Value value;
        ReadKey(record.key(), id);
        Unpacker unpacker = record.value();
        Unpack(unpacker, value);
        read_.emplace(std::move(id), std::move(value));
      }
      return *read_;
    }
    pointer operator->() const { return &**this; }
    Iterator& operator++() {
      read_.reset();
      if (next_ == end_) {
        records_ = nullptr;
      } else {
        number_ = *next_++;
      }
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.records_ == b.records_ && (a.records_ == nullptr || a.number_ == b.number_);
    }

   private:
    friend class PackedMap;
    Iterator(const PackedRecords& records, Number number) : records_(&records), number_(number) {}
    const PackedRecords* records_ = nullptr;  // null: the end
    Number number_ = 0;
    const Number* next_ = nullptr;
    const Number* end_ = nullptr;
    mutable std::optional<value_type> read_;
  };
  using const_iterator = Iterator;

  PackedMap() = default;
  PackedMap(const PackedMap& other) {
    for (const auto& [id, value] : other) Assign(id, &value);
  }
  PackedMap& operator=(PackedMap other) {
    std::swap(records_, other.records_);
    std::swap(sorted_, other.sorted_);
    return *this;
  }
  ~PackedMap() = default;

  // Makes the map hold `value` under `id`, or nothing if it is null.
  Assignment Assign(const Id& id, const Value* value) {
    const std::string& key = KeyOf(id);
    const std::optional<Number> found = records_->Find(key);
    if (value == nullptr) {
      if (!found.has_value()) return {};
      records_->Erase(*found);
      ForgetOrder();
      return {.changed = true, .number = *found};
    }
    packer_.Clear();
    Pack(*value, packer_);
    Assignment assignment{.changed = true, .number = found.value_or(0)};
    if (found.has_value()) {
      assignment.changed = records_->Replace(*found, packer_);
    } else {
      assignment.number = records_->Insert(key, packer_);
      ForgetOrder();
    }
    packer_.Clear();
    return assignment;
  }
  // Makes room for that many keys in all.
  void Reserve(std::size_t count) { records_->Reserve(count); }

  [[nodiscard]] bool contains(const Id& id) const { return records_->Find(KeyOf(id)).has_value(); }
  [[nodiscard]] Iterator find(const Id& id) const {
    const std::optional<Number> found = records_->Find(KeyOf(id));
    return found.has_value() ? Iterator(*records_, *found) : Iterator();
  }
  [[nodiscard]] Value at(const Id& id) const {
    const Iterator found = find(id);
    FELIX_CHECK(found != end(), "asked a packed map for a key that is not there");
    return found->second;
  }
  // The number of a key that is there, and the key of a number in use.
  [[nodiscard]] Number NumberOf(const Id& id) const {
    const std::optional<Number> found = records_->Find(KeyOf(id));
    FELIX_CHECK(found.has_value(), "asked a packed map for the number of a key that is gone");
    return *found;
  }
  [[nodiscard]] Id KeyAt(Number number) const {
    Id id;
    ReadKey(records_->At(number).key(), id);
    return id;
  }
  [[nodiscard]] std::size_t size() const { return records_->size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] Iterator begin() const {
    if (empty()) return end();
    if (sorted_.empty()) sorted_ = records_->InOrder();
    Iterator first(*records_, sorted_.front());
    first.next_ = sorted_.data() + 1;
    first.end_ = sorted_.data() + sorted_.size();
    return first;
  }
  [[nodiscard]] Iterator end() const { return {}; }
  [[nodiscard]] absl::btree_map<Id, Value> ToMap() const { return {begin(), end()}; }

 private:
  // Frees the memory: walks are rare.
  void ForgetOrder() {
    if (!sorted_.empty()) std::vector<Number>().swap(sorted_);
  }
  const std::string& KeyOf(const Id& id) const {
    key_.clear();
    AppendKey(id, key_);
    return key_;
  }

  std::unique_ptr<PackedRecords> records_ = std::make_unique<PackedRecords>();
  mutable std::vector<Number> sorted_;  // empty: not worked out
  mutable std::string key_;             // kept for its memory, like the packer
  Packer packer_;
};

}  // namespace felix::model
