// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "compiler/id_set.h"
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

  [[nodiscard]] const PassStats& label_index_stats() const { return index_.stats(); }

 private:
  // Equal lists of ports are one; the count says how many things have it.
  using PortLists = std::map<std::vector<model::NamedPort>, std::uint32_t>;
  using PortList = PortLists::value_type;
  // The nets and ports of a thing. Most have one IPv4 address, which takes the place of the pointer
  // to a list.
  class Contribution {
   public:
    Contribution() = default;
    Contribution(const std::vector<model::Cidr>& nets, const PortList* ports);
    Contribution(Contribution&& other) noexcept
        : nets_(std::exchange(other.nets_, kNone)), ports_(other.ports_) {}
    Contribution& operator=(Contribution&& other) noexcept {
      std::swap(nets_, other.nets_);
      std::swap(ports_, other.ports_);
      return *this;
    }
    Contribution(const Contribution&) = delete;
    Contribution& operator=(const Contribution&) = delete;
    ~Contribution();

    template <typename Visit>
    void ForEachNet(Visit visit) const {
      if (is_list()) {
        for (const model::Cidr& net : *list()) visit(net);
      } else if (nets_ != kNone) {
        visit(SingleNet());
      }
    }
    [[nodiscard]] std::size_t size() const { return is_list() ? list()->size() : 1; }
    [[nodiscard]] const PortList* ports() const { return ports_; }
    [[nodiscard]] bool Equals(const Contribution& other) const;

   private:
    using Nets = std::vector<model::Cidr>;
    static constexpr std::uint64_t kNone = 1;
    [[nodiscard]] bool is_list() const { return (nets_ & 1U) == 0; }
    [[nodiscard]] const Nets* list() const { return reinterpret_cast<const Nets*>(nets_); }
    [[nodiscard]] model::Cidr SingleNet() const;

    // A pointer to a list; or odd: the address, the prefix length and a set bit, or kNone.
    std::uint64_t nets_ = kNone;
    const PortList* ports_ = nullptr;  // null: none
  };
  struct Thing {
    static constexpr ClassId kAbsent = ~ClassId{0};
    ClassId labels = kAbsent;
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
  const PortList* HoldPorts(const std::vector<model::NamedPort>& ports);
  void Release(const Contribution& contribution);
  void Join(ThingId id, ClassId labels);
  void Leave(ThingId id);
  [[nodiscard]] const IdSet& ThingsOf(ClassId labels) const;
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
  std::vector<IdSet> things_of_class_;
  absl::flat_hash_map<std::string, std::unique_ptr<ActiveSet>> sets_;
  std::vector<std::vector<ActiveSet*>> sets_of_selector_;
  std::vector<ActiveSet*> dirty_;
};

}  // namespace felix::compiler
