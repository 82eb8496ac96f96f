// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

#include "compiler/ir/address_set.h"

namespace felix::compiler {

// How many contributors each member of one set has. Nearly all members are IPv4 and have one, so an
// IPv4 member is eight bytes and only further contributors are counted.
class MemberCounts {
 public:
  // Room for so many IPv4 members more.
  void Reserve(std::size_t more) { v4_.reserve(v4_.size() + more); }
  // Each returns whether the member came or went.
  bool Add(const ir::SetMember& member);
  bool Remove(const ir::SetMember& member);  // of one that is there

  [[nodiscard]] bool Contains(const ir::SetMember& member) const;
  // The members of one family.
  [[nodiscard]] ir::MemberSet Sorted(model::IpFamily family) const;
  [[nodiscard]] std::size_t size() const { return v4_.size() + v6_.size(); }
  void Clear();

 private:
  absl::flat_hash_set<std::uint64_t> v4_;  // packed
  absl::flat_hash_set<ir::SetMember> v6_;
  absl::flat_hash_map<ir::SetMember, std::uint32_t> further_;
};

}  // namespace felix::compiler
