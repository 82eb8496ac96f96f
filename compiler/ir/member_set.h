// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>

#include "absl/container/btree_set.h"

#include "compiler/ir/set_member.h"

namespace felix::ir {

// The members of one set in their order, packed: 8 bytes for an IPv4 member and 24 for an IPv6 one,
// beside the tree's overhead of some bytes. There can be millions, and who holds a desired state
// holds them all. Used like a standard set whose iterators make the members anew.
class MemberSet {
 public:
  using V4 = absl::btree_set<std::uint64_t>;
  using V6 = absl::btree_set<PackedV6>;
  using key_type = SetMember;
  using value_type = SetMember;

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = SetMember;
    using difference_type = std::ptrdiff_t;
    using pointer = const SetMember*;
    using reference = SetMember;

    Iterator() = default;
    SetMember operator*() const { return v4_ != v4_end_ ? Unpack(*v4_) : Unpack(*v6_); }
    Iterator& operator++() {
      if (v4_ != v4_end_) {
        ++v4_;
      } else {
        ++v6_;
      }
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.v4_ == b.v4_ && a.v6_ == b.v6_;
    }

   private:
    friend class MemberSet;
    Iterator(V4::const_iterator v4, V4::const_iterator v4_end, V6::const_iterator v6)
        : v4_(v4), v4_end_(v4_end), v6_(v6) {}
    V4::const_iterator v4_;
    V4::const_iterator v4_end_;
    V6::const_iterator v6_;
  };
  using iterator = Iterator;
  using const_iterator = Iterator;
  using reference = SetMember;
  using const_reference = SetMember;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;

  MemberSet() = default;
  MemberSet(std::initializer_list<SetMember> members) { insert(members.begin(), members.end()); }
  template <typename Input>
  MemberSet(Input first, Input last) {
    insert(first, last);
  }

  // Each returns whether that changed the set.
  bool insert(const SetMember& member);
  bool erase(const SetMember& member);
  void insert(const Iterator& /*hint*/, const SetMember& member) { AppendOrInsert(member); }
  template <typename Input>
  void insert(Input first, Input last) {
    for (; first != last; ++first) AppendOrInsert(*first);
  }
  // Constant time for a member behind all others, as PackV4 packs it.
  void AppendV4(std::uint64_t packed) { v4_.insert(v4_.end(), packed); }

  [[nodiscard]] bool contains(const SetMember& member) const;
  // The n-th member in order; takes time in proportion to n.
  [[nodiscard]] SetMember At(std::size_t n) const;
  [[nodiscard]] std::size_t size() const { return v4_.size() + v6_.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] Iterator begin() const { return {v4_.begin(), v4_.end(), v6_.begin()}; }
  [[nodiscard]] Iterator end() const { return {v4_.end(), v4_.end(), v6_.end()}; }

  bool operator==(const MemberSet&) const = default;

 private:
  // Constant time behind all others.
  void AppendOrInsert(const SetMember& member);

  V4 v4_;
  V6 v6_;
};

}  // namespace felix::ir
