// SPDX-License-Identifier: Apache-2.0
#include "compiler/id_set.h"

#include <algorithm>
#include <cstring>

namespace felix::compiler {

IdSet::~IdSet() {
  if (!is_inline()) delete[] block_;
}

void IdSet::Swap(IdSet& other) noexcept {
  // The union is trivially copyable, whichever of its members is in use.
  std::byte bytes[sizeof(IdSet)];
  std::memcpy(bytes, static_cast<const void*>(this), sizeof(IdSet));
  std::memcpy(static_cast<void*>(this), static_cast<const void*>(&other), sizeof(IdSet));
  std::memcpy(static_cast<void*>(&other), bytes, sizeof(IdSet));
}

void IdSet::Reserve(std::uint32_t capacity) {
  auto* block = new Id[capacity + dense_];
  std::copy_n(data() - dense_, used_ + dense_, block);
  if (!is_inline()) delete[] block_;
  block_ = block;
  capacity_ = capacity;
}

IdSet::Id* IdSet::Open(std::uint32_t place, std::uint32_t count) {
  // Members of small sets rarely grow many, so the first steps are small.
  if (used_ + count > capacity_) Reserve(used_ + std::max<std::uint32_t>(used_ / 4 + 2, count));
  Id* at = data() + place;
  std::move_backward(at, data() + used_, data() + used_ + count);
  used_ = (used_ + count) & 0x7fffffffU;
  return at;
}

void IdSet::Close(std::uint32_t place, std::uint32_t count) {
  Id* at = data() + place;
  std::move(at + count, data() + used_, at);
  used_ = (used_ - count) & 0x7fffffffU;
  if (used_ == 0) *this = IdSet();
}

std::uint32_t IdSet::PlaceOf(Id value) const {
  const Id* const begin = data();
  const std::uint32_t step = dense_ != 0 ? kRun : 1;
  if (used_ == 0 || begin[used_ - step] < value) return used_;
  std::uint32_t first = 0;
  std::uint32_t last = used_ / step;
  while (first < last) {
    const std::uint32_t middle = (first + last) / 2;
    if (begin[middle * step] < value) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first * step;
}

void IdSet::MakeDense() {
  IdSet dense;
  dense.capacity_ = kRun * kMostPlain;
  dense.block_ = new Id[1 + dense.capacity_];
  dense.block_[0] = 0;
  dense.dense_ = 1;
  for (const Id id : *this) dense.Insert(id);
  Swap(dense);
}

bool IdSet::Insert(Id id) {
  if (dense_ == 0) {
    const std::uint32_t place = PlaceOf(id);
    if (place < used_ && data()[place] == id) return false;
    if (used_ < kMostPlain) {
      *Open(place, 1) = id;
      return true;
    }
    MakeDense();
  }
  const std::uint32_t place = PlaceOf(id / 64);
  Id* run = data() + place;
  if (place == used_ || *run != id / 64) {
    run = Open(place, kRun);
    run[0] = id / 64;
    run[1] = run[2] = 0;
  }
  const std::uint32_t bit = 1U << (id % 32);
  std::uint32_t& half = run[1 + id % 64 / 32];
  if ((half & bit) != 0) return false;
  half |= bit;
  ++block_[0];
  return true;
}

bool IdSet::Erase(Id id) {
  const Id sought = dense_ != 0 ? id / 64 : id;
  const std::uint32_t place = PlaceOf(sought);
  if (place == used_ || data()[place] != sought) return false;
  if (dense_ == 0) {
    Close(place, 1);
    return true;
  }
  Id* const run = data() + place;
  const std::uint32_t bit = 1U << (id % 32);
  std::uint32_t& half = run[1 + id % 64 / 32];
  if ((half & bit) == 0) return false;
  half &= ~bit;
  --block_[0];
  if (BitsOf(run) == 0) Close(place, kRun);
  return true;
}

bool IdSet::Contains(Id id) const {
  const Id sought = dense_ != 0 ? id / 64 : id;
  const std::uint32_t place = PlaceOf(sought);
  if (place == used_ || data()[place] != sought) return false;
  return dense_ == 0 || (BitsOf(data() + place) >> (id % 64) & 1U) != 0;
}

}  // namespace felix::compiler
