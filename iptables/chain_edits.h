// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"

#include "iptables/encoded_rule.h"
#include "iptables/table_blob.h"
#include "iptables/transaction.h"

// What a transaction makes of the chains of a blob that it names, chain by chain.
namespace felix::iptables {

// A rule of an edited chain: one that is there already, or a new one.
struct Slot {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint32_t number = 0;
  const EncodedRule* rule = nullptr;
};

struct ChainEdit {
  const BlobChain* before = nullptr;  // null: the chain is new
  bool is_deleted = false;
  std::vector<Slot> slots;
};

// In the order of chains of users.
using ChainEdits = absl::btree_map<std::string, ChainEdit>;

// Refers to the blob and to the rules of the transaction. kInvalidArgument for an operation that
// cannot work; whether jumps find their chains shows later.
absl::StatusOr<ChainEdits> EditsOf(const TableBlob& blob, const Transaction& transaction);

}  // namespace felix::iptables
