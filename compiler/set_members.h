// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "compiler/ir/desired_state.h"
#include "compiler/label_index.h"
#include "compiler/member_counts.h"
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
  explicit SetMembers(Stats& stats) : stats_(stats), index_(*this) {}

  using ThingId = std::uint32_t;  // given by the caller, dense

  // What a thing brings to the sets that its labels match: its nets, and its ports crossed with
  // them.
  void SetThing(ThingId id, const model::LabelSet& labels, const std::vector<model::Cidr>& nets,
                const std::vector<model::NamedPort>& ports);
  // Other labels for a thing that is there.
  void SetLabels(ThingId id, const model::LabelSet& labels);
  void RemoveThing(ThingId id);
  [[nodiscard]] const model::LabelSet& LabelsOf(ThingId id) const {
    return index_.LabelsOf(things_[id].labels);
  }

  // One more or one less rule chain of that family names the set.
  void Demand(model::IpFamily family, const std::string& set_id, const SetDefinition& definition);
  void Undemand(model::IpFamily family, const std::string& set_id);

  // Adds what changed since the last call to `delta`.
  void Flush(ir::DesiredDelta& delta);

  [[nodiscard]] std::uint64_t evaluations() const { return index_.evaluations(); }

 private:
  // Equal lists of ports are one; the count says how many things have it.
  using PortLists = std::map<std::vector<model::NamedPort>, std::uint32_t>;
  using PortList = PortLists::value_type;
  struct Contribution {
    model::Cidr net;                                 // if `nets` is null
    std::unique_ptr<std::vector<model::Cidr>> nets;  // unless it is one net
    const PortList* ports = nullptr;                 // null: none
  };
  struct Thing {
    bool present = false;
    ClassId labels = 0;
    std::uint32_t place = 0;  // among the things of its class
    Contribution contribution;
  };
  struct ActiveSet {
    std::string id;
    SetDefinition definition;
    SelectorId selector = 0;           // unless literal
    std::uint32_t users[2] = {0, 0};   // by family: v4, v6
    bool emitted[2] = {false, false};  // by family, as of the last flush
    bool dirty = false;
    MemberCounts counts;
    // Members of emitted families touched since the last flush, and whether they were there then.
    absl::flat_hash_map<ir::SetMember, bool> touched;
  };

  void OnMatch(SelectorId selector, ClassId labels, bool matches) override;
  Contribution MakeContribution(const std::vector<model::Cidr>& nets,
                                const std::vector<model::NamedPort>& ports);
  void Release(const Contribution& contribution);
  static bool Equals(const Contribution& a, const Contribution& b);
  void Join(ThingId id, ClassId labels);
  void Leave(ThingId id);
  [[nodiscard]] const std::vector<ThingId>& ThingsOf(ClassId labels) const;
  [[nodiscard]] const std::vector<ActiveSet*>& SetsOf(SelectorId selector) const;
  void MarkDirty(ActiveSet& set);
  void Contribute(ActiveSet& set, const Contribution& contribution, bool add);
  void Count(ActiveSet& set, const ir::SetMember& member, bool add);
  void ContributeToClassSets(ClassId labels, const Contribution& contribution, bool add);
  static void FlushSet(ActiveSet& set, ir::DesiredDelta& delta);

  Stats& stats_;
  LabelIndex index_;
  PortLists port_lists_;
  std::vector<Thing> things_;
  std::vector<std::vector<ThingId>> things_of_class_;
  absl::flat_hash_map<std::string, std::unique_ptr<ActiveSet>> sets_;
  std::vector<std::vector<ActiveSet*>> sets_of_selector_;
  std::vector<ActiveSet*> dirty_;
};

}  // namespace felix::compiler
