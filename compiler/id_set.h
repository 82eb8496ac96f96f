// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

namespace felix::compiler {

// An ordered set of 32-bit numbers for many sets over one range of numbers. Sixteen bytes hold up
// to two members; a few more are a sorted array, and beyond that each run of 64 numbers that has a
// member is twelve bytes, so a set of nearly everything costs little more than a bit for each.
// Adding in ascending order is constant time, elsewhere it moves what comes after. Changing the set
// invalidates its iterators.
class IdSet {
 public:
  using Id = std::uint32_t;

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Id;
    using difference_type = std::ptrdiff_t;
    using pointer = const Id*;
    using reference = Id;

    Iterator() = default;
    Id operator*() const {
      return bits_ == 0 ? *at_ : *at_ * 64 + static_cast<Id>(std::countr_zero(bits_));
    }
    Iterator& operator++() {
      if (bits_ == 0) {
        ++at_;
        return *this;
      }
      bits_ &= bits_ - 1;
      if (bits_ == 0) {
        at_ += kRun;
        Load();
      }
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.at_ == b.at_ && a.bits_ == b.bits_;
    }

   private:
    friend class IdSet;
    Iterator(const Id* at, const Id* dense_end) : at_(at), dense_end_(dense_end) { Load(); }
    void Load() {
      if (dense_end_ != nullptr && at_ != dense_end_) bits_ = BitsOf(at_);
    }

    const Id* at_ = nullptr;
    const Id* dense_end_ = nullptr;  // null: a plain array
    std::uint64_t bits_ = 0;         // of the current run, those to come; 0 in a plain array
  };

  IdSet() = default;
  IdSet(IdSet&& other) noexcept { Swap(other); }
  IdSet& operator=(IdSet&& other) noexcept {
    Swap(other);
    return *this;
  }
  IdSet(const IdSet&) = delete;
  IdSet& operator=(const IdSet&) = delete;
  ~IdSet();

  // Each returns whether that changed the set.
  bool Insert(Id id);
  bool Erase(Id id);
  [[nodiscard]] bool Contains(Id id) const;

  [[nodiscard]] std::size_t size() const { return dense_ != 0 ? block_[0] : used_; }
  [[nodiscard]] bool empty() const { return used_ == 0; }
  [[nodiscard]] Iterator begin() const { return {data(), dense_ != 0 ? data() + used_ : nullptr}; }
  [[nodiscard]] Iterator end() const {
    return {data() + used_, dense_ != 0 ? data() + used_ : nullptr};
  }

 private:
  static constexpr std::uint32_t kInline = 2;
  static constexpr std::uint32_t kMostPlain = 64;
  static constexpr std::uint32_t kRun = 3;  // number / 64, and 64 bits in two halves

  static std::uint64_t BitsOf(const Id* run) {
    return std::uint64_t{run[2]} << 32U | std::uint64_t{run[1]};
  }
  [[nodiscard]] bool is_inline() const { return capacity_ == kInline; }
  // Of a dense set the block begins with the number of members.
  [[nodiscard]] const Id* data() const { return is_inline() ? inline_ : block_ + dense_; }
  [[nodiscard]] Id* data() { return is_inline() ? inline_ : block_ + dense_; }
  void Swap(IdSet& other) noexcept;
  // Makes room for `count` elements before the one at `place`.
  Id* Open(std::uint32_t place, std::uint32_t count);
  void Close(std::uint32_t place, std::uint32_t count);
  void Reserve(std::uint32_t capacity);
  // The place of the first element, or run, that is not less.
  [[nodiscard]] std::uint32_t PlaceOf(Id value) const;
  void MakeDense();

  std::uint32_t used_ : 31 = 0;  // elements in use: members, or three for each run
  std::uint32_t dense_ : 1 = 0;
  std::uint32_t capacity_ = kInline;  // elements; in a block never kInline
  union {
    Id inline_[kInline] = {0, 0};
    Id* block_;
  };
};

}  // namespace felix::compiler
