// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"

#include "iptables/kernel_table.h"
#include "iptables/table_outline.h"
#include "model/address.h"

namespace felix::iptables {

// A chain within a blob. Offsets count from the first entry of the table; entries are numbered in
// the order of the bytes.
struct BlobChain {
  std::string name;
  bool is_builtin = false;
  std::uint32_t hook = 0;   // of built-in chains
  std::uint32_t head = 0;   // the entry that names the chain; built-in chains have none
  std::uint32_t start = 0;  // the first rule
  std::uint32_t foot = 0;   // the entry behind the last rule: the policy, or the return
  std::uint32_t end = 0;
  std::uint32_t first_entry = 0;  // the number of the entry at `head`
  std::uint32_t rules = 0;

  bool operator==(const BlobChain&) const = default;
};

// A whole table as the kernel gives and takes it: entries one behind the other, jumps as offsets
// (<linux/netfilter_ipv4/ip_tables.h>). Rules of others are in it byte for byte. Chains stand in
// libiptc's order: built-in ones, then the others by name. There is room in front of the entries
// for what the system calls want there, so that they need no copy.
struct TableBlob {
  static constexpr std::size_t kRoom = 96;

  model::IpFamily family = model::IpFamily::kV4;
  TableOutline outline;
  std::string buffer;  // room, then outline.bytes of entries
  std::vector<BlobChain> chains;
  std::uint32_t end = 0;  // the last entry, which belongs to no chain

  [[nodiscard]] std::string_view entries() const { return std::string_view(buffer).substr(kRoom); }
  // Null if there is no such chain.
  [[nodiscard]] const BlobChain* Find(std::string_view name) const;
};

// Finds the chains in what was read. kInvalidArgument if it is not laid out as libiptc lays out
// tables.
absl::StatusOr<TableBlob> ParseBlob(model::IpFamily family, const TableOutline& outline,
                                    std::string buffer);

// Counters are those of the time when the entry was read. kInvalidArgument for entries that make no
// sense.
absl::StatusOr<TableContent> ContentOf(const TableBlob& blob);
// The same of those chains that are there; of those that are only `named`, the names.
absl::StatusOr<TableContent> ExcerptOf(const TableBlob& blob,
                                       const absl::btree_set<std::string>& chains,
                                       const absl::btree_set<std::string>& named);

// True if the entries in that buffer, of the same outline, are those of the blob, counters and the
// kernel's own remarks aside.
bool HoldsSameRules(const TableBlob& blob, const std::string& buffer);

}  // namespace felix::iptables
