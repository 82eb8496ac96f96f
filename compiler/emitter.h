// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"

#include "compiler/ir/desired_state.h"
#include "compiler/stats.h"

namespace felix::compiler {

// Collects rendered chains, and who has which address, and yields, per flush, how they changed. A
// rendering equal to what was emitted before is dropped here, so back ends only hear of real
// changes. It also guards names: if two owners render a chain of one name (their shortened names
// met), neither gets it; the chain drops until one of them goes.
class Emitter {
 public:
  // `emitted` is the state after all earlier flushes; it must outlive this.
  Emitter(const ir::DesiredState& emitted, Stats& stats) : emitted_(emitted), stats_(stats) {}

  void SetChain(const ir::ChainKey& key, const std::string& owner, ir::Chain chain);
  void RemoveChain(const ir::ChainKey& key, const std::string& owner);
  // All addresses of that interface.
  void SetLocalAddresses(const std::string& interface_name,
                         absl::btree_set<ir::LocalAddress> addresses);
  // There is such a map, without values at first.
  void SetMarkMap(const ir::SetKey& key, std::uint32_t mask);
  // The value of an address in a map that there is; nothing: it has none.
  void SetMark(const ir::SetKey& key, const ir::LocalAddress& address,
               std::optional<std::uint32_t> value);
  void SetHook(const ir::HookKey& key, std::vector<ir::Rule> rules);
  void RemoveHook(const ir::HookKey& key);

  // Adds to `delta` what differs from what was emitted. The caller applies it before the next call.
  void Flush(ir::DesiredDelta& delta);

 private:
  using Claims = absl::btree_map<std::string, ir::Chain>;

  void Stage(const ir::ChainKey& key, std::optional<ir::Chain> chain);

  void FlushLocalAddresses(ir::DesiredDelta& delta);
  void FlushMarks(ir::DesiredDelta& delta);
  [[nodiscard]] ir::Chain CurrentChain(const ir::ChainKey& key) const;

  const ir::DesiredState& emitted_;
  Stats& stats_;
  absl::flat_hash_map<ir::ChainKey, std::string> owners_;  // of names with one owner
  absl::btree_map<ir::ChainKey, Claims> clashes_;          // names with two or more
  absl::btree_map<ir::ChainKey, std::optional<ir::Chain>> staged_;
  absl::btree_map<ir::HookKey, std::optional<std::vector<ir::Rule>>> staged_hooks_;
  absl::btree_map<std::string, absl::btree_set<ir::LocalAddress>> staged_addresses_;
  absl::btree_map<ir::SetKey, ir::MarkMap> new_maps_;
  absl::btree_map<ir::SetKey, absl::btree_map<ir::LocalAddress, std::optional<std::uint32_t>>>
      staged_marks_;
};

}  // namespace felix::compiler
