// SPDX-License-Identifier: Apache-2.0
#include "compiler/emitter.h"

#include <utility>

#include "compiler/fault.h"

namespace felix::compiler {
namespace {

ir::Chain ClashChain() {
  return {{ir::When().Then(ir::Drop{}).Because("two objects share this chain name")}};
}

}  // namespace

void Emitter::Stage(const ir::ChainKey& key, std::optional<ir::Chain> chain) {
  staged_.insert_or_assign(key, std::move(chain));
}

// What the one owner of a name last rendered.
ir::Chain Emitter::CurrentChain(const ir::ChainKey& key) const {
  const auto staged = staged_.find(key);
  return staged != staged_.end() ? staged->second.value() : emitted_.chains.at(key);
}

void Emitter::SetChain(const ir::ChainKey& key, const std::string& owner, ir::Chain chain) {
  ++stats_.emitter.updates_in;
  if (const auto clash = clashes_.find(key); clash != clashes_.end()) {
    clash->second.insert_or_assign(owner, std::move(chain));
    return;
  }
  const auto [claim, is_new] = owners_.try_emplace(key, owner);
  if (is_new || claim->second == owner) {
    Stage(key, std::move(chain));
    return;
  }
  Claims& claims = clashes_[key];
  claims.emplace(claim->second, CurrentChain(key));
  claims.emplace(owner, std::move(chain));
  owners_.erase(claim);
  Stage(key, ClashChain());
}

void Emitter::RemoveChain(const ir::ChainKey& key, const std::string& owner) {
  ++stats_.emitter.updates_in;
  if (const auto clash = clashes_.find(key); clash != clashes_.end()) {
    clash->second.erase(owner);
    if (clash->second.size() > 1) return;
    auto [last_owner, chain] = *clash->second.begin();
    clashes_.erase(clash);
    SetChain(key, last_owner, std::move(chain));
    return;
  }
  const auto claim = owners_.find(key);
  if (claim == owners_.end() || claim->second != owner) return;
  owners_.erase(claim);
  Stage(key, std::nullopt);
}

void Emitter::SetHook(const ir::HookKey& key, std::vector<ir::Rule> rules) {
  ++stats_.emitter.updates_in;
  staged_hooks_.insert_or_assign(key, std::move(rules));
}

void Emitter::RemoveHook(const ir::HookKey& key) {
  staged_hooks_.insert_or_assign(key, std::nullopt);
}

void Emitter::SetLocalAddresses(const std::string& interface_name,
                                absl::btree_set<ir::LocalAddress> addresses) {
  staged_addresses_.insert_or_assign(interface_name, std::move(addresses));
}

void Emitter::SetMarkMap(const ir::SetKey& key, std::uint32_t mask) {
  new_maps_[key].mask = mask;
}

void Emitter::SetMark(const ir::SetKey& key, const ir::LocalAddress& address,
                      std::optional<std::uint32_t> value) {
  ++stats_.emitter.updates_in;
  staged_marks_[key].insert_or_assign(address, value);
}

void Emitter::FlushMarks(ir::DesiredDelta& delta) {
  for (auto& [key, staged] : staged_marks_) {
    const auto fresh = new_maps_.find(key);
    if (fresh != new_maps_.end()) {
      for (const auto& [address, value] : staged) {
        if (value.has_value()) fresh->second.values.insert_or_assign(address, *value);
      }
      stats_.emitter.emitted += staged.size();
      continue;
    }
    const ir::MarkMap& before = emitted_.mark_maps.at(key);
    ir::MarkChange change;
    for (const auto& [address, value] : staged) {
      const auto known = before.values.find(address);
      const bool was_there = known != before.values.end();
      if (value.has_value() ? was_there && known->second == *value : !was_there) {
        ++stats_.emitter.suppressed;
      } else if (value.has_value()) {
        change.set.emplace_back(address, *value);
      } else {
        change.removed.push_back(address);
      }
    }
    stats_.emitter.emitted += change.set.size() + change.removed.size();
    if (change != ir::MarkChange{}) delta.changed_mark_maps.emplace(key, std::move(change));
  }
  staged_marks_.clear();
  for (auto& [key, map] : new_maps_) delta.new_mark_maps.emplace(key, std::move(map));
  new_maps_.clear();
}

void Emitter::FlushLocalAddresses(ir::DesiredDelta& delta) {
  for (const auto& [interface_name, addresses] : staged_addresses_) {
    const auto& emitted = emitted_.local_addresses;
    for (auto known = emitted.lower_bound({interface_name, {}});
         known != emitted.end() && known->interface_name == interface_name; ++known) {
      if (!addresses.contains(*known)) delta.removed_local_addresses.insert(*known);
    }
    for (const ir::LocalAddress& local : addresses) {
      if (!emitted.contains(local)) delta.new_local_addresses.insert(local);
    }
  }
  staged_addresses_.clear();
}

void Emitter::Flush(ir::DesiredDelta& delta) {
  stats_.emitter.recomputed += staged_.size() + staged_hooks_.size();
  for (auto& [key, chain] : staged_) {
    const auto before = emitted_.chains.find(key);
    const bool was_there = before != emitted_.chains.end();
    if (!chain.has_value()) {
      ++(was_there ? stats_.emitter.emitted : stats_.emitter.suppressed);
      if (was_there) delta.removed_chains.insert(key);
    } else if (was_there &&
               (before->second == *chain || (IsPlanted(Fault::kSameLengthIsSameChain) &&
                                             before->second.rules.size() == chain->rules.size()))) {
      ++stats_.emitter.suppressed;
    } else {
      ++stats_.emitter.emitted;
      delta.chains.insert_or_assign(key, *std::move(chain));
    }
  }
  staged_.clear();
  for (auto& [key, rules] : staged_hooks_) {
    const auto before = emitted_.hooks.find(key);
    const bool was_there = before != emitted_.hooks.end();
    if (!rules.has_value()) {
      ++(was_there ? stats_.emitter.emitted : stats_.emitter.suppressed);
      if (was_there) delta.removed_hooks.insert(key);
    } else if (was_there && before->second == *rules) {
      ++stats_.emitter.suppressed;
    } else {
      ++stats_.emitter.emitted;
      delta.hooks.insert_or_assign(key, *std::move(rules));
    }
  }
  staged_hooks_.clear();
  FlushLocalAddresses(delta);
  FlushMarks(delta);
}

}  // namespace felix::compiler
