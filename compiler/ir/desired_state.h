// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

#include "compiler/ir/address_set.h"
#include "compiler/ir/mark_map.h"
#include "compiler/ir/rule.h"
#include "model/address.h"

namespace felix::ir {

enum class Table : std::uint8_t { kRaw, kMangle, kNat, kFilter };
[[nodiscard]] std::string_view TableName(Table table);  // "raw", "mangle", "nat", "filter"

struct ChainKey {
  model::IpFamily family = model::IpFamily::kV4;
  Table table = Table::kFilter;
  std::string name;  // at most 28 bytes

  friend auto operator<=>(const ChainKey&, const ChainKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ChainKey& k) {
    return H::combine(std::move(h), k.family, k.table, k.name);
  }
};

enum class BaseChain : std::uint8_t { kPrerouting, kInput, kForward, kOutput, kPostrouting };
[[nodiscard]] std::string_view BaseChainName(BaseChain chain);  // "PREROUTING", …

// Rules of ours in a chain that belongs to everybody: before all others, or behind them.
enum class HookPosition : std::uint8_t { kFirst, kLast };
struct HookKey {
  model::IpFamily family = model::IpFamily::kV4;
  Table table = Table::kFilter;
  BaseChain base = BaseChain::kForward;
  HookPosition position = HookPosition::kFirst;

  friend auto operator<=>(const HookKey&, const HookKey&) = default;
};

// Everything that this host's packet filter should hold. Ordered containers on purpose: the same
// state is the same bytes.
struct DesiredState {
  absl::btree_map<SetKey, AddressSet> sets;
  absl::btree_map<SetKey, MarkMap> mark_maps;  // their ids are no ids of `sets`
  absl::btree_map<ChainKey, Chain> chains;
  absl::btree_map<HookKey, std::vector<Rule>> hooks;
  // No part of the packet filter: who has an address decides whose the connections are that
  // connection tracking knows for it.
  absl::btree_set<LocalAddress> local_addresses;

  bool operator==(const DesiredState&) const = default;
};

// Members that came and went; sorted, disjoint, neither a no-op.
struct MemberChange {
  std::vector<SetMember> added;
  std::vector<SetMember> removed;
  bool operator==(const MemberChange&) const = default;
};

// How a desired state changed. Keys are disjoint between the parts of one kind of thing.
struct DesiredDelta {
  absl::btree_map<SetKey, AddressSet> new_sets;  // also a set whose kind changed
  absl::btree_map<SetKey, MemberChange> changed_sets;
  absl::btree_set<SetKey> removed_sets;
  absl::btree_map<SetKey, MarkMap> new_mark_maps;  // also one whose mask changed
  absl::btree_map<SetKey, MarkChange> changed_mark_maps;
  absl::btree_set<SetKey> removed_mark_maps;
  absl::btree_map<ChainKey, Chain> chains;  // new or changed, whole
  absl::btree_set<ChainKey> removed_chains;
  absl::btree_map<HookKey, std::vector<Rule>> hooks;  // new or changed, whole
  absl::btree_set<HookKey> removed_hooks;
  absl::btree_set<LocalAddress> new_local_addresses;
  absl::btree_set<LocalAddress> removed_local_addresses;

  [[nodiscard]] bool empty() const;
  bool operator==(const DesiredDelta&) const = default;
};

void Apply(const DesiredDelta& delta, DesiredState& state);
[[nodiscard]] DesiredDelta Diff(const DesiredState& from, const DesiredState& to);

}  // namespace felix::ir
