// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"

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
  explicit SetMembers(Stats& stats)
      : stats_(stats), index_(*this), numbers_(0, Hash{&sets_}, Equal{&sets_}) {}
  SetMembers(const SetMembers&) = delete;
  SetMembers& operator=(const SetMembers&) = delete;

  using ThingId = std::uint32_t;    // given by the caller, dense
  using SetNumber = std::uint32_t;  // of a set as long as it is in demand

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
  SetNumber Demand(model::IpFamily family, const std::string& set_id,
                   const SetDefinition& definition);
  void Undemand(model::IpFamily family, SetNumber number);

  // Adds what changed since the last call to `delta`.
  void Flush(ir::DesiredDelta& delta);

  [[nodiscard]] const PassStats& label_index_stats() const { return index_.stats(); }

 private:
  // Equal lists of ports are one.
  using PortListId = std::uint32_t;
  struct PortList {
    const std::vector<model::NamedPort>* ports = nullptr;
    std::uint32_t things = 0;  // that have it
  };
  // The nets and ports of a thing. Most have one IPv4 address, which takes the place of the pointer
  // to a list.
  class Contribution {
   public:
    Contribution() = default;
    Contribution(const std::vector<model::Cidr>& nets, PortListId ports);
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
    [[nodiscard]] PortListId ports() const { return ports_; }
    [[nodiscard]] bool Equals(const Contribution& other) const;

   private:
    using Nets = std::vector<model::Cidr>;
    static constexpr std::uint64_t kNone = 1;
    [[nodiscard]] bool is_list() const { return (nets_ & 1U) == 0; }
    [[nodiscard]] const Nets* list() const { return reinterpret_cast<const Nets*>(nets_); }
    [[nodiscard]] model::Cidr SingleNet() const;

    // A pointer to a list; or odd: the address, the prefix length and a set bit, or kNone.
    std::uint64_t nets_ = kNone;
    PortListId ports_ = 0;  // 0: none
  };
  struct Thing {
    static constexpr ClassId kAbsent = ~ClassId{0};
    [[no_unique_address]] Contribution contribution;
    ClassId labels = kAbsent;  // in the padding of the former
  };
  static_assert(sizeof(Thing) == 16);
  struct ActiveSet {
    std::string id;
    SetNumber number = 0;
    SetDefinition definition;
    SelectorId selector = 0;           // unless literal
    std::uint32_t users[2] = {0, 0};   // by family: v4, v6
    bool emitted[2] = {false, false};  // by family, as of the last flush
    bool dirty = false;
    MemberCounts counts;
    // Members of emitted families touched since the last flush, and whether they were there then.
    absl::flat_hash_map<ir::SetMember, bool> touched;
  };

  using Sets = std::vector<std::unique_ptr<ActiveSet>>;  // by number; null: not in use
  struct Hash {
    using is_transparent = void;
    const Sets* sets;
    std::size_t operator()(const std::string& id) const { return absl::HashOf(id); }
    std::size_t operator()(SetNumber number) const { return (*this)((*sets)[number]->id); }
  };
  struct Equal {
    using is_transparent = void;
    const Sets* sets;
    bool operator()(SetNumber a, SetNumber b) const { return a == b; }
    bool operator()(SetNumber a, const std::string& b) const { return (*sets)[a]->id == b; }
  };

  void OnMatch(SelectorId selector, ClassId labels, bool matches) override;
  SetNumber NumberOf(const std::string& set_id);
  // Of a set that nobody demanded.
  void Fill(ActiveSet& set, const SetDefinition& definition);
  PortListId HoldPorts(const std::vector<model::NamedPort>& ports);
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
  std::map<std::vector<model::NamedPort>, PortListId> port_list_ids_;
  std::vector<PortList> port_lists_ = {PortList{}};  // by id
  std::vector<PortListId> free_port_lists_;
  std::vector<Thing> things_;
  std::vector<IdSet> things_of_class_;
  Sets sets_;
  std::vector<SetNumber> free_sets_;
  absl::flat_hash_set<SetNumber, Hash, Equal> numbers_;
  std::vector<std::vector<ActiveSet*>> sets_of_selector_;
  std::vector<SetNumber> dirty_;
};

}  // namespace felix::compiler
