// SPDX-License-Identifier: Apache-2.0
#include "compiler/ir/desired_state.h"

#include <algorithm>
#include <iterator>

#include "fmt/format.h"

#include "model/base/check.h"

namespace felix::ir {
namespace {

// Finds what became of each key: `removed` gets the keys that went, `on_kept` is called with the
// values of those that stayed, `on_new` with those that came.
template <typename Map, typename KeySet, typename OnKept, typename OnNew>
void Compare(const Map& from, const Map& to, KeySet& removed, OnKept on_kept, OnNew on_new) {
  auto before = from.begin();
  auto after = to.begin();
  while (before != from.end() || after != to.end()) {
    if (after == to.end() || (before != from.end() && before->first < after->first)) {
      removed.insert(removed.end(), before->first);
      ++before;
    } else if (before == from.end() || after->first < before->first) {
      on_new(after->first, after->second);
      ++after;
    } else {
      on_kept(after->first, before->second, after->second);
      ++before;
      ++after;
    }
  }
}

MemberChange ChangeBetween(const AddressSet& from, const AddressSet& to) {
  MemberChange change;
  std::set_difference(to.members.begin(), to.members.end(), from.members.begin(),
                      from.members.end(), std::back_inserter(change.added));
  std::set_difference(from.members.begin(), from.members.end(), to.members.begin(),
                      to.members.end(), std::back_inserter(change.removed));
  return change;
}

MarkChange ChangeBetween(const MarkMap& from, const MarkMap& to) {
  MarkChange change;
  absl::btree_set<LocalAddress> removed;
  const auto take = [&](const LocalAddress& address, std::uint32_t value) {
    change.set.emplace_back(address, value);
  };
  Compare(
      from.values, to.values, removed,
      [&](const LocalAddress& address, std::uint32_t before, std::uint32_t after) {
        if (before != after) take(address, after);
      },
      take);
  change.removed.assign(removed.begin(), removed.end());
  return change;
}

// For things that a delta holds whole.
template <typename Map, typename KeySet>
void DiffWhole(const Map& from, const Map& to, Map& changed, KeySet& removed) {
  using Key = typename Map::key_type;
  using Value = typename Map::mapped_type;
  Compare(
      from, to, removed,
      [&](const Key& key, const Value& before, const Value& after) {
        if (before != after) changed.insert_or_assign(key, after);
      },
      [&](const Key& key, const Value& after) { changed.insert_or_assign(key, after); });
}

template <typename Map, typename KeySet>
void ApplyWhole(const Map& changed, const KeySet& removed, Map& state) {
  for (const auto& key : removed) state.erase(key);
  for (const auto& [key, value] : changed) state.insert_or_assign(key, value);
}

}  // namespace

std::string_view TableName(Table table) {
  switch (table) {
    case Table::kRaw:
      return "raw";
    case Table::kMangle:
      return "mangle";
    case Table::kNat:
      return "nat";
    case Table::kFilter:
      return "filter";
  }
  FELIX_CHECK(false, "no such table");
  return {};
}

std::string_view BaseChainName(BaseChain chain) {
  switch (chain) {
    case BaseChain::kPrerouting:
      return "PREROUTING";
    case BaseChain::kInput:
      return "INPUT";
    case BaseChain::kForward:
      return "FORWARD";
    case BaseChain::kOutput:
      return "OUTPUT";
    case BaseChain::kPostrouting:
      return "POSTROUTING";
  }
  FELIX_CHECK(false, "no such base chain");
  return {};
}

bool DesiredDelta::empty() const {
  return new_sets.empty() && changed_sets.empty() && removed_sets.empty() &&
         new_mark_maps.empty() && changed_mark_maps.empty() && removed_mark_maps.empty() &&
         chains.empty() && removed_chains.empty() && hooks.empty() && removed_hooks.empty() &&
         new_local_addresses.empty() && removed_local_addresses.empty();
}

void Apply(const DesiredDelta& delta, DesiredState& state) {
  ApplyWhole(delta.new_sets, delta.removed_sets, state.sets);
  for (const auto& [key, change] : delta.changed_sets) {
    const auto it = state.sets.find(key);
    FELIX_CHECK(it != state.sets.end(),
                fmt::format("the delta changes members of set {}, which is not there", key.id));
    for (const SetMember& member : change.removed) it->second.members.erase(member);
    it->second.members.insert(change.added.begin(), change.added.end());
  }
  ApplyWhole(delta.new_mark_maps, delta.removed_mark_maps, state.mark_maps);
  for (const auto& [key, change] : delta.changed_mark_maps) {
    const auto it = state.mark_maps.find(key);
    FELIX_CHECK(it != state.mark_maps.end(),
                fmt::format("the delta changes marks of map {}, which is not there", key.id));
    for (const LocalAddress& gone : change.removed) it->second.values.erase(gone);
    for (const auto& [address, value] : change.set) {
      it->second.values.insert_or_assign(address, value);
    }
  }
  ApplyWhole(delta.chains, delta.removed_chains, state.chains);
  ApplyWhole(delta.hooks, delta.removed_hooks, state.hooks);
  for (const LocalAddress& gone : delta.removed_local_addresses) state.local_addresses.erase(gone);
  state.local_addresses.insert(delta.new_local_addresses.begin(), delta.new_local_addresses.end());
}

DesiredDelta Diff(const DesiredState& from, const DesiredState& to) {
  DesiredDelta delta;
  Compare(
      from.sets, to.sets, delta.removed_sets,
      [&](const SetKey& key, const AddressSet& before, const AddressSet& after) {
        if (before.kind != after.kind) {
          delta.new_sets.insert_or_assign(key, after);
          return;
        }
        MemberChange change = ChangeBetween(before, after);
        if (change != MemberChange{}) delta.changed_sets.insert_or_assign(key, std::move(change));
      },
      [&](const SetKey& key, const AddressSet& after) {
        delta.new_sets.insert_or_assign(key, after);
      });
  Compare(
      from.mark_maps, to.mark_maps, delta.removed_mark_maps,
      [&](const SetKey& key, const MarkMap& before, const MarkMap& after) {
        if (before.mask != after.mask) {
          delta.new_mark_maps.insert_or_assign(key, after);
          return;
        }
        MarkChange change = ChangeBetween(before, after);
        if (change != MarkChange{}) {
          delta.changed_mark_maps.insert_or_assign(key, std::move(change));
        }
      },
      [&](const SetKey& key, const MarkMap& after) {
        delta.new_mark_maps.insert_or_assign(key, after);
      });
  DiffWhole(from.chains, to.chains, delta.chains, delta.removed_chains);
  DiffWhole(from.hooks, to.hooks, delta.hooks, delta.removed_hooks);
  std::set_difference(to.local_addresses.begin(), to.local_addresses.end(),
                      from.local_addresses.begin(), from.local_addresses.end(),
                      std::inserter(delta.new_local_addresses, delta.new_local_addresses.end()));
  std::set_difference(
      from.local_addresses.begin(), from.local_addresses.end(), to.local_addresses.begin(),
      to.local_addresses.end(),
      std::inserter(delta.removed_local_addresses, delta.removed_local_addresses.end()));
  return delta;
}

}  // namespace felix::ir
