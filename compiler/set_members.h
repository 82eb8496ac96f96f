// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

#include "compiler/ir/desired_state.h"
#include "compiler/label_index.h"
#include "compiler/rule_sets.h"
#include "compiler/stats.h"
#include "model/endpoint.h"

namespace felix::compiler {

// The members of every set that a rule names. Hears things (endpoints, network sets) with their
// effective labels, and which sets are in demand per family; counts each member's contributors, so
// a member is added with the first and removed with the last. Additions and removals between two
// flushes cancel out.
class SetMembers : private LabelIndex::Listener {
 public:
  using ThingId = std::uint32_t;  // given by the caller, dense

  // What a thing brings to the sets that its labels match.
  struct Contribution {
    std::vector<model::Cidr> nets;
    std::vector<model::NamedPort> ports;  // crossed with the nets
    bool operator==(const Contribution&) const = default;
  };

  explicit SetMembers(Stats& stats) : stats_(stats), index_(*this) {}

  void SetThing(ThingId id, const model::LabelSet& labels, Contribution contribution);
  void RemoveThing(ThingId id);

  // One more or one less rule chain of that family names the set.
  void Demand(model::IpFamily family, const std::string& set_id, const SetDefinition& definition);
  void Undemand(model::IpFamily family, const std::string& set_id);

  // Adds what changed since the last call to `delta`.
  void Flush(ir::DesiredDelta& delta);

  [[nodiscard]] std::uint64_t evaluations() const { return index_.evaluations(); }

 private:
  struct Thing {
    ClassId labels = 0;
    Contribution contribution;
  };
  struct ActiveSet {
    SetDefinition definition;
    SelectorId selector = 0;           // unless literal
    std::uint32_t users[2] = {0, 0};   // by family: v4, v6
    bool emitted[2] = {false, false};  // by family, as of the last flush
    absl::flat_hash_map<ir::SetMember, std::uint32_t> counts;
    // Members touched since the last flush, and whether they were there then.
    absl::flat_hash_map<ir::SetMember, bool> touched;
  };

  void OnMatch(SelectorId selector, ClassId labels, bool matches) override;
  void Contribute(ActiveSet& set, const Contribution& contribution, bool add);
  void Count(ActiveSet& set, const ir::SetMember& member, bool add);
  void ContributeToClassSets(const Thing& thing, bool add);
  void FlushSet(const std::string& id, ActiveSet& set, ir::DesiredDelta& delta);

  Stats& stats_;
  LabelIndex index_;
  absl::flat_hash_map<ThingId, Thing> things_;
  absl::flat_hash_map<ClassId, absl::btree_set<ThingId>> things_of_class_;
  absl::flat_hash_map<std::string, ActiveSet> sets_;
  absl::flat_hash_map<SelectorId, absl::btree_set<std::string>> sets_of_selector_;
  absl::btree_set<std::string> dirty_;
};

}  // namespace felix::compiler
