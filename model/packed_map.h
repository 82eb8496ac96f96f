// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"

#include "model/base/check.h"
#include "model/packed_record.h"

namespace felix::model {

// A map for many values of which few are looked at: each is packed into one allocation and made
// again from it whenever it is read. Walks are in the order of the keys; a walk after a key came or
// went sorts first. What an iterator points at lives in the iterator. Not even reading is safe from
// two threads.
template <typename Id, typename Value>
class PackedMap {
 public:
  using key_type = Id;
  using mapped_type = Value;
  using value_type = std::pair<Id, Value>;

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
        Id id;
        Value value;
        ReadKey((*at_)->key(), id);
        Unpacker unpacker = (*at_)->value();
        Unpack(unpacker, value);
        read_.emplace(std::move(id), std::move(value));
      }
      return *read_;
    }
    pointer operator->() const { return &**this; }
    Iterator& operator++() {
      read_.reset();
      if (++at_ == end_) at_ = nullptr;
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    friend class PackedMap;
    Iterator(const PackedRecord* const* at, const PackedRecord* const* end)
        : at_(at == end ? nullptr : at), end_(end) {}
    const PackedRecord* const* at_ = nullptr;  // null: the end
    const PackedRecord* const* end_ = nullptr;
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
  ~PackedMap() {
    for (const PackedRecord* record : records_) Destroy(record);
  }

  // Makes the map hold `value` under `id`, or nothing if it is null. Returns whether that changed
  // it.
  bool Assign(const Id& id, const Value* value) {
    const std::string& key = KeyOf(id);
    const auto found = records_.find(key);
    if (value == nullptr) {
      if (found == records_.end()) return false;
      const PackedRecord* const record = *found;
      records_.erase(found);
      Destroy(record);
      ForgetOrder();
      return true;
    }
    packer_.Clear();
    Pack(*value, packer_);
    if (found == records_.end()) {
      records_.insert(PackedRecord::Make(key, packer_).release());
    } else if ((*found)->Holds(packer_)) {
      return false;
    } else {
      const PackedRecord* const old = *found;
      // The key stays, and with it the hash.
      const_cast<const PackedRecord*&>(*found) = PackedRecord::Make(key, packer_).release();
      Destroy(old);
    }
    packer_.Clear();
    ForgetOrder();
    return true;
  }

  [[nodiscard]] bool contains(const Id& id) const { return records_.contains(KeyOf(id)); }
  [[nodiscard]] Iterator find(const Id& id) const {
    const auto found = records_.find(KeyOf(id));
    return found == records_.end() ? Iterator() : Iterator(&*found, &*found + 1);
  }
  [[nodiscard]] Value at(const Id& id) const {
    const Iterator found = find(id);
    FELIX_CHECK(found != end(), "asked a packed map for a key that is not there");
    return found->second;
  }
  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] bool empty() const { return records_.empty(); }
  [[nodiscard]] Iterator begin() const {
    if (sorted_.empty()) {
      sorted_.assign(records_.begin(), records_.end());
      std::sort(sorted_.begin(), sorted_.end(),
                [](const PackedRecord* a, const PackedRecord* b) { return a->key() < b->key(); });
    }
    return Iterator(sorted_.data(), sorted_.data() + sorted_.size());
  }
  [[nodiscard]] Iterator end() const { return {}; }
  [[nodiscard]] absl::btree_map<Id, Value> ToMap() const { return {begin(), end()}; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return absl::HashOf(key); }
    std::size_t operator()(const PackedRecord* record) const { return (*this)(record->key()); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const PackedRecord* a, const PackedRecord* b) const { return a == b; }
    bool operator()(const PackedRecord* a, std::string_view b) const { return a->key() == b; }
  };

  static void Destroy(const PackedRecord* record) {
    PackedRecord::Delete()(const_cast<PackedRecord*>(record));
  }
  // Frees the memory: walks are rare.
  void ForgetOrder() {
    if (!sorted_.empty()) std::vector<const PackedRecord*>().swap(sorted_);
  }
  const std::string& KeyOf(const Id& id) const {
    key_.clear();
    AppendKey(id, key_);
    return key_;
  }

  absl::flat_hash_set<const PackedRecord*, Hash, Equal> records_;
  mutable std::vector<const PackedRecord*> sorted_;  // empty: not worked out
  mutable std::string key_;                          // kept for its memory, like the packer
  Packer packer_;
};

}  // namespace felix::model
