// SPDX-License-Identifier: Apache-2.0
#include "compiler/set_members.h"

#include <algorithm>
#include <utility>

#include "compiler/fault.h"
#include "model/base/check.h"

namespace felix::compiler {
namespace {

std::size_t FamilyIndex(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? 0 : 1;
}

bool PortMatches(const SetDefinition& definition, const model::NamedPort& port) {
  if ((port.name != definition.port_name && !IsPlanted(Fault::kNamedPortNameIgnored)) ||
      !port.protocol.HasPorts())
    return false;
  if (IsPlanted(Fault::kNamedPortProtocolLost)) return true;
  return definition.port_protocol.number == 0 || definition.port_protocol == port.protocol;
}

std::size_t SetsNamedIn(const ir::DesiredDelta& delta) {
  return delta.new_sets.size() + delta.changed_sets.size() + delta.removed_sets.size();
}

}  // namespace

void SetMembers::MarkDirty(ActiveSet& set) {
  if (std::exchange(set.dirty, true)) return;
  dirty_.push_back(set.number);
}

void SetMembers::Count(ActiveSet& set, const ir::SetMember& member, bool add) {
  bool changed = add ? set.counts.Add(member) : set.counts.Remove(member);
  if (!add && IsPlanted(Fault::kMemberGoesWithAnyContributor)) {
    while (!changed) changed = set.counts.Remove(member);
  }
  if (!changed) return;
  ++stats_.members_changed;
  if (set.emitted[FamilyIndex(member.net.family())]) set.touched.try_emplace(member, !add);
}

void SetMembers::Contribute(ActiveSet& set, const Contribution& contribution, bool add) {
  MarkDirty(set);
  if (set.definition.kind == ir::SetKind::kNet) {
    // The first contributor is often the only one, and a large one would grow the table many times.
    if (add && set.counts.size() == 0 && contribution.size() > 8) {
      set.counts.Reserve(contribution.size());
    }
    contribution.ForEachNet(
        [&](const model::Cidr& net) { Count(set, {.net = net, .protocol = {}, .port = 0}, add); });
    return;
  }
  if (contribution.ports() == 0) return;
  for (const model::NamedPort& port : *port_lists_[contribution.ports()].ports) {
    if (!PortMatches(set.definition, port)) continue;
    contribution.ForEachNet([&](const model::Cidr& net) {
      Count(set, {.net = net, .protocol = port.protocol, .port = port.port}, add);
    });
  }
}

void SetMembers::ContributeToClassSets(ClassId labels, const Contribution& contribution, bool add) {
  for (const SelectorId selector : index_.SelectorsOf(labels)) {
    for (ActiveSet* set : SetsOf(selector)) Contribute(*set, contribution, add);
  }
}

SetMembers::Contribution::Contribution(const std::vector<model::Cidr>& nets, PortListId ports)
    : ports_(ports) {
  if (nets.size() == 1 && nets.front().family() == model::IpFamily::kV4) {
    nets_ = std::uint64_t{nets.front().address().v4_host_order()} << 32U |
            static_cast<std::uint64_t>(nets.front().prefix_length()) << 8U | 3U;
  } else if (!nets.empty()) {
    nets_ = reinterpret_cast<std::uint64_t>(new Nets(nets));
  }
}

SetMembers::Contribution::~Contribution() {
  if (is_list()) delete list();
}

model::Cidr SetMembers::Contribution::SingleNet() const {
  return {model::IpAddress::V4(static_cast<std::uint32_t>(nets_ >> 32U)),
          static_cast<std::uint8_t>(nets_ >> 8U)};
}

bool SetMembers::Contribution::Equals(const Contribution& other) const {
  if (ports_ != other.ports_ || is_list() != other.is_list()) return false;
  return is_list() ? *list() == *other.list() : nets_ == other.nets_;
}

SetMembers::PortListId SetMembers::HoldPorts(const std::vector<model::NamedPort>& ports) {
  if (ports.empty()) return 0;
  const auto [found, is_new] = port_list_ids_.try_emplace(ports, 0);
  if (is_new) {
    if (free_port_lists_.empty()) {
      found->second = static_cast<PortListId>(port_lists_.size());
      port_lists_.emplace_back();
    } else {
      found->second = free_port_lists_.back();
      free_port_lists_.pop_back();
    }
    port_lists_[found->second] = {.ports = &found->first, .things = 0};
  }
  ++port_lists_[found->second].things;
  return found->second;
}

void SetMembers::Release(const Contribution& contribution) {
  PortList& list = port_lists_[contribution.ports()];
  if (contribution.ports() == 0 || --list.things > 0) return;
  port_list_ids_.erase(port_list_ids_.find(*list.ports));
  list = PortList{};
  free_port_lists_.push_back(contribution.ports());
}

void SetMembers::Join(ThingId id, ClassId labels) {
  if (labels >= things_of_class_.size()) things_of_class_.resize(labels + 1);
  things_[id].labels = labels;
  things_of_class_[labels].Insert(id);
}

void SetMembers::Leave(ThingId id) {
  things_of_class_[things_[id].labels].Erase(id);
}

const IdSet& SetMembers::ThingsOf(ClassId labels) const {
  static const IdSet none{};
  return labels < things_of_class_.size() ? things_of_class_[labels] : none;
}

const std::vector<SetMembers::ActiveSet*>& SetMembers::SetsOf(SelectorId selector) const {
  static const std::vector<ActiveSet*> none;
  return selector < sets_of_selector_.size() ? sets_of_selector_[selector] : none;
}

void SetMembers::SetThing(ThingId id, const model::LabelSet& labels,
                          const std::vector<model::Cidr>& nets,
                          const std::vector<model::NamedPort>& ports) {
  ++stats_.set_members.updates_in;
  if (id >= things_.size()) things_.resize(id + 1);
  Contribution contribution(nets, HoldPorts(ports));
  Thing& thing = things_[id];
  // The new class and contribution come before the old ones go, so that nothing flaps and a class
  // that stays in use keeps its matches.
  const ClassId new_class = index_.AcquireClass(labels);
  const bool is_new = thing.labels == Thing::kAbsent;
  if (!is_new && (thing.labels == new_class || IsPlanted(Fault::kStaleClassOnLabelChange)) &&
      thing.contribution.Equals(contribution)) {
    index_.ReleaseClass(new_class);
    Release(contribution);
    return;
  }
  ContributeToClassSets(new_class, contribution, true);
  if (is_new) {
    thing.contribution = std::move(contribution);
    Join(id, new_class);
    return;
  }
  const Contribution old = std::exchange(thing.contribution, std::move(contribution));
  const ClassId old_class = thing.labels;
  ContributeToClassSets(old_class, old, false);
  Release(old);
  if (old_class != new_class) {
    Leave(id);
    Join(id, new_class);
  }
  index_.ReleaseClass(old_class);
}

void SetMembers::SetLabels(ThingId id, const model::LabelSet& labels) {
  ++stats_.set_members.updates_in;
  const ClassId old_class = things_[id].labels;
  const ClassId new_class = index_.AcquireClass(labels);
  if (new_class != old_class) {
    ContributeToClassSets(new_class, things_[id].contribution, true);
    ContributeToClassSets(old_class, things_[id].contribution, false);
    Leave(id);
    Join(id, new_class);
  }
  index_.ReleaseClass(old_class);
}

void SetMembers::RemoveThing(ThingId id) {
  ++stats_.set_members.updates_in;
  FELIX_CHECK(id < things_.size() && things_[id].labels != Thing::kAbsent,
              "removed a thing that is not there");
  Thing& thing = things_[id];
  ContributeToClassSets(thing.labels, thing.contribution, false);
  Leave(id);
  index_.ReleaseClass(thing.labels);
  Release(thing.contribution);
  thing = Thing{};
}

// Hears only of matches with things of the class already counted elsewhere: a new class has none
// yet, a dying class has none left, so only new and released selectors move members here.
void SetMembers::OnMatch(SelectorId selector, ClassId labels, bool matches) {
  for (ActiveSet* set : SetsOf(selector)) {
    for (const ThingId thing : ThingsOf(labels)) {
      Contribute(*set, things_[thing].contribution, matches);
    }
  }
}

SetMembers::SetNumber SetMembers::NumberOf(const std::string& set_id) {
  if (const auto found = numbers_.find(set_id); found != numbers_.end()) return *found;
  SetNumber number = 0;
  if (free_sets_.empty()) {
    number = static_cast<SetNumber>(sets_.size());
    sets_.emplace_back();
  } else {
    number = free_sets_.back();
    free_sets_.pop_back();
  }
  sets_[number] = std::make_unique<ActiveSet>();
  sets_[number]->id = set_id;
  sets_[number]->number = number;
  numbers_.insert(number);
  return number;
}

SetMembers::SetNumber SetMembers::Demand(model::IpFamily family, const std::string& set_id,
                                         const SetDefinition& definition) {
  ++stats_.set_members.updates_in;
  const SetNumber number = NumberOf(set_id);
  ActiveSet& set = *sets_[number];
  MarkDirty(set);
  const bool was_idle = set.users[0] + set.users[1] == 0;
  ++set.users[FamilyIndex(family)];
  if (was_idle) Fill(set, definition);
  return number;
}

void SetMembers::Fill(ActiveSet& set, const SetDefinition& definition) {
  set.definition = definition;
  if (!definition.selector.has_value()) {
    for (const model::Cidr& net : definition.literal) {
      Count(set, {.net = net, .protocol = {}, .port = 0}, true);
    }
    return;
  }
  // The selector may serve another set already; then its matches are known and are not told anew.
  const SelectorId selector = index_.AcquireSelector(*definition.selector);
  set.selector = selector;
  if (selector >= sets_of_selector_.size()) sets_of_selector_.resize(selector + 1);
  sets_of_selector_[selector].push_back(&set);
  for (const ClassId labels : index_.ClassesOf(selector)) {
    for (const ThingId thing : ThingsOf(labels)) Contribute(set, things_[thing].contribution, true);
  }
}

void SetMembers::Undemand(model::IpFamily family, SetNumber number) {
  ++stats_.set_members.updates_in;
  FELIX_CHECK(number < sets_.size() && sets_[number] != nullptr &&
                  sets_[number]->users[FamilyIndex(family)] > 0,
              "a set lost more users than it had");
  ActiveSet& set = *sets_[number];
  MarkDirty(set);
  --set.users[FamilyIndex(family)];
  if (set.users[0] + set.users[1] > 0) return;
  // Forget the members, but remember which were there at the last flush: the set may come back
  // before the next one.
  for (const model::IpFamily each : model::kIpFamilies) {
    if (!set.emitted[FamilyIndex(each)]) continue;
    for (const ir::SetMember& member : set.counts.Sorted(each))
      set.touched.try_emplace(member, true);
  }
  set.counts.Clear();
  if (!set.definition.selector.has_value()) return;
  std::vector<ActiveSet*>& users = sets_of_selector_[set.selector];
  users.erase(std::find(users.begin(), users.end(), &set));
  index_.ReleaseSelector(set.selector);
}

void SetMembers::FlushSet(ActiveSet& set, ir::DesiredDelta& delta) {
  for (const model::IpFamily family : model::kIpFamilies) {
    const std::size_t f = FamilyIndex(family);
    const bool wanted = set.users[f] > 0;
    if (wanted && !set.emitted[f]) {
      ir::AddressSet& content = delta.new_sets[{.family = family, .id = set.id}];
      content.kind = set.definition.kind;
      content.members = set.counts.Sorted(family);
    } else if (!wanted && set.emitted[f]) {
      delta.removed_sets.insert({.family = family, .id = set.id});
    } else if (wanted) {
      ir::MemberChange change;
      for (const auto& [member, was_there] : set.touched) {
        if (member.net.family() != family) continue;
        const bool is_there = set.counts.Contains(member);
        if (is_there != was_there) (is_there ? change.added : change.removed).push_back(member);
      }
      std::sort(change.added.begin(), change.added.end());
      std::sort(change.removed.begin(), change.removed.end());
      if (change != ir::MemberChange{}) {
        delta.changed_sets[{.family = family, .id = set.id}] = std::move(change);
      }
    }
    set.emitted[f] = wanted;
  }
  // Clearing would keep the table of a large change and walk it with every small one.
  set.touched = {};
  set.dirty = false;
}

void SetMembers::Flush(ir::DesiredDelta& delta) {
  for (const SetNumber number : dirty_) {
    ++stats_.set_members.recomputed;
    const std::size_t before = SetsNamedIn(delta);
    ActiveSet& set = *sets_[number];
    FlushSet(set, delta);
    ++(SetsNamedIn(delta) == before ? stats_.set_members.suppressed : stats_.set_members.emitted);
    if (set.emitted[0] || set.emitted[1]) continue;
    numbers_.erase(number);
    sets_[number].reset();
    free_sets_.push_back(number);
  }
  dirty_.clear();
}

}  // namespace felix::compiler
