// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "absl/container/btree_set.h"

#include "compiler/ir/address_set.h"

namespace felix::ipset {

// The desired members of one set, packed: 8 bytes for an IPv4 member and 24 for an IPv6 one, beside
// the tree's overhead of some 4 bytes in the mean. A Registry holds one for each set, so its size
// decides what a host with millions of members pays. Iterates in the order of ir::SetMember.
class MemberSet {
 public:
  MemberSet() = default;
  explicit MemberSet(const ir::AddressSet& set);

  [[nodiscard]] ir::SetKind kind() const { return kind_; }
  [[nodiscard]] std::size_t size() const { return v4_.size() + v6_.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] bool contains(const ir::SetMember& member) const;

  // The n-th member in order; takes time in proportion to n.
  [[nodiscard]] ir::SetMember At(std::size_t n) const;

  // True if that changed anything.
  bool Insert(const ir::SetMember& member);
  bool Erase(const ir::SetMember& member);

  template <typename Visitor>
  void ForEach(Visitor&& visit) const {
    for (const std::uint64_t packed : v4_) visit(Unpack(packed));
    for (const PackedV6& packed : v6_) visit(Unpack(packed));
  }

  bool operator==(const MemberSet&) const = default;

 private:
  struct PackedV6 {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::uint32_t rest = 0;
    friend auto operator<=>(const PackedV6&, const PackedV6&) = default;
  };

  static std::uint64_t PackV4(const ir::SetMember& member);
  static PackedV6 PackV6(const ir::SetMember& member);
  static ir::SetMember Unpack(std::uint64_t packed);
  static ir::SetMember Unpack(const PackedV6& packed);

  ir::SetKind kind_ = ir::SetKind::kNet;
  absl::btree_set<std::uint64_t> v4_;
  absl::btree_set<PackedV6> v6_;
};

}  // namespace felix::ipset
