// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "model/address.h"

namespace felix::iptables {

// The shape of a table without its content: how many entries, how many bytes, and where its
// built-in chains begin and end. It differs after most changes, not after those that keep all
// sizes.
struct TableOutline {
  std::uint32_t entries = 0;
  std::uint32_t bytes = 0;
  std::array<std::uint32_t, 5> chain_starts{};
  std::array<std::uint32_t, 5> chain_ends{};
  std::uint32_t hooks = 0;  // which of the five there are, as bits
  bool operator==(const TableOutline&) const = default;
};

// Asks the kernel for outlines (IPT_SO_GET_INFO, about a microsecond, no lock). Of the network
// namespace in which Read() was first called for the family. Asking for a table that is not loaded
// loads it. Used by one thread.
class TableOutlineReader {
 public:
  TableOutlineReader() = default;
  ~TableOutlineReader();
  TableOutlineReader(const TableOutlineReader&) = delete;
  TableOutlineReader& operator=(const TableOutlineReader&) = delete;

  // Errors: kFailedPrecondition, no such table; kPermissionDenied; kInternal.
  absl::StatusOr<TableOutline> Read(model::IpFamily family, ir::Table table);

 private:
  std::array<int, 2> sockets_ = {-1, -1};
};

}  // namespace felix::iptables
