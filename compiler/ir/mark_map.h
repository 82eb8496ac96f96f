// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"

#include "model/address.h"

namespace felix::ir {

// An address of a container of this host, at its interface.
struct LocalAddress {
  std::string interface_name;
  model::IpAddress address;

  friend auto operator<=>(const LocalAddress&, const LocalAddress&) = default;
};

// Gives marks to packets by an address and the interface on the same side of the host: source and
// the interface it came in by, or destination and the one it leaves by. A rule's MapSet asks it:
// the mark of a packet that it knows becomes (mark & ~mask) | value; others stay as they are. All
// addresses are of the key's family, and no value has a bit outside of the mask.
struct MarkMap {
  std::uint32_t mask = 0;
  absl::btree_map<LocalAddress, std::uint32_t> values;

  bool operator==(const MarkMap&) const = default;
};

// What came or took another value, and what went; sorted, disjoint, neither a no-op.
struct MarkChange {
  std::vector<std::pair<LocalAddress, std::uint32_t>> set;
  std::vector<LocalAddress> removed;
  bool operator==(const MarkChange&) const = default;
};

}  // namespace felix::ir
