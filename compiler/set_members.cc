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

}  // namespace

void SetMembers::Count(ActiveSet& set, const ir::SetMember& member, bool add) {
  std::uint32_t& count = set.counts[member];
  const bool was_there = count > 0;
  if (!add && IsPlanted(Fault::kMemberGoesWithAnyContributor)) count = 1;
  FELIX_CHECK(add || was_there, "a set member lost more contributors than it had");
  count += add ? 1U : ~0U;
  const bool is_there = count > 0;
  if (!is_there) set.counts.erase(member);
  if (was_there == is_there) return;
  ++stats_.members_changed;
  set.touched.try_emplace(member, was_there);
}

void SetMembers::Contribute(ActiveSet& set, const Contribution& contribution, bool add) {
  if (set.definition.kind == ir::SetKind::kNet) {
    for (const model::Cidr& net : contribution.nets) {
      Count(set, {.net = net, .protocol = {}, .port = 0}, add);
    }
    return;
  }
  for (const model::NamedPort& port : contribution.ports) {
    if (!PortMatches(set.definition, port)) continue;
    for (const model::Cidr& net : contribution.nets) {
      Count(set, {.net = net, .protocol = port.protocol, .port = port.port}, add);
    }
  }
}

void SetMembers::ContributeToClassSets(const Thing& thing, bool add) {
  for (const SelectorId selector : index_.SelectorsOf(thing.labels)) {
    const auto found = sets_of_selector_.find(selector);
    if (found == sets_of_selector_.end()) continue;
    for (const std::string& set_id : found->second) {
      Contribute(sets_[set_id], thing.contribution, add);
      dirty_.insert(set_id);
    }
  }
}

void SetMembers::SetThing(ThingId id, const model::LabelSet& labels, Contribution contribution) {
  // The new class and contribution come before the old ones go, so that nothing flaps and a class
  // that stays in use keeps its matches.
  const ClassId new_class = index_.AcquireClass(labels);
  Thing thing{.labels = new_class, .contribution = std::move(contribution)};
  const auto found = things_.find(id);
  if (found != things_.end() &&
      (found->second.labels == new_class || IsPlanted(Fault::kStaleClassOnLabelChange)) &&
      found->second.contribution == thing.contribution) {
    index_.ReleaseClass(new_class);
    return;
  }
  ContributeToClassSets(thing, true);
  if (found != things_.end()) {
    Thing old = std::exchange(found->second, std::move(thing));
    ContributeToClassSets(old, false);
    if (old.labels != new_class) {
      things_of_class_[old.labels].erase(id);
      things_of_class_[new_class].insert(id);
    }
    index_.ReleaseClass(old.labels);
  } else {
    things_.emplace(id, std::move(thing));
    things_of_class_[new_class].insert(id);
  }
}

void SetMembers::RemoveThing(ThingId id) {
  const auto found = things_.find(id);
  FELIX_CHECK(found != things_.end(), "removed a thing that is not there");
  const Thing thing = std::move(found->second);
  things_.erase(found);
  ContributeToClassSets(thing, false);
  const auto members = things_of_class_.find(thing.labels);
  members->second.erase(id);
  if (members->second.empty()) things_of_class_.erase(members);
  index_.ReleaseClass(thing.labels);
}

// Hears only of matches with things of the class already counted elsewhere: a new class has none
// yet, a dying class has none left, so only new and released selectors move members here.
void SetMembers::OnMatch(SelectorId selector, ClassId labels, bool matches) {
  const auto sets = sets_of_selector_.find(selector);
  const auto things = things_of_class_.find(labels);
  if (sets == sets_of_selector_.end() || things == things_of_class_.end()) return;
  for (const std::string& set_id : sets->second) {
    for (const ThingId thing : things->second) {
      Contribute(sets_[set_id], things_[thing].contribution, matches);
    }
    dirty_.insert(set_id);
  }
}

void SetMembers::Demand(model::IpFamily family, const std::string& set_id,
                        const SetDefinition& definition) {
  const auto [it, is_new] = sets_.try_emplace(set_id);
  dirty_.insert(set_id);
  const bool was_idle = it->second.users[0] + it->second.users[1] == 0;
  ++it->second.users[FamilyIndex(family)];
  if (!was_idle) return;
  ActiveSet& set = it->second;
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
  sets_of_selector_[selector].insert(set_id);
  for (const ClassId labels : index_.ClassesOf(selector)) {
    const auto things = things_of_class_.find(labels);
    if (things == things_of_class_.end()) continue;
    for (const ThingId thing : things->second) {
      Contribute(sets_[set_id], things_[thing].contribution, true);
    }
  }
}

void SetMembers::Undemand(model::IpFamily family, const std::string& set_id) {
  const auto found = sets_.find(set_id);
  FELIX_CHECK(found != sets_.end() && found->second.users[FamilyIndex(family)] > 0,
              "a set lost more users than it had");
  ActiveSet& set = found->second;
  dirty_.insert(set_id);
  --set.users[FamilyIndex(family)];
  if (set.users[0] + set.users[1] > 0) return;
  // Forget the members, but remember which were there at the last flush: the set may come back
  // before the next one.
  for (const auto& [member, count] : set.counts) set.touched.try_emplace(member, true);
  set.counts.clear();
  if (!set.definition.selector.has_value()) return;
  const SelectorId selector = set.selector;
  const auto sets = sets_of_selector_.find(selector);
  sets->second.erase(set_id);
  if (sets->second.empty()) sets_of_selector_.erase(sets);
  index_.ReleaseSelector(selector);
}

void SetMembers::FlushSet(const std::string& id, ActiveSet& set, ir::DesiredDelta& delta) {
  for (const model::IpFamily family : model::kIpFamilies) {
    const std::size_t f = FamilyIndex(family);
    const ir::SetKey key{.family = family, .id = id};
    const bool wanted = set.users[f] > 0;
    if (wanted && !set.emitted[f]) {
      ir::AddressSet& content = delta.new_sets[key];
      content.kind = set.definition.kind;
      for (const auto& [member, count] : set.counts) {
        if (member.net.family() == family) content.members.insert(member);
      }
    } else if (!wanted && set.emitted[f]) {
      delta.removed_sets.insert(key);
    } else if (wanted) {
      ir::MemberChange change;
      for (const auto& [member, was_there] : set.touched) {
        const bool is_there = set.counts.contains(member);
        if (member.net.family() != family || is_there == was_there) continue;
        (is_there ? change.added : change.removed).push_back(member);
      }
      std::sort(change.added.begin(), change.added.end());
      std::sort(change.removed.begin(), change.removed.end());
      if (change != ir::MemberChange{}) delta.changed_sets[key] = std::move(change);
    }
    set.emitted[f] = wanted;
  }
  set.touched.clear();
}

void SetMembers::Flush(ir::DesiredDelta& delta) {
  for (const std::string& id : dirty_) {
    const auto found = sets_.find(id);
    FlushSet(id, found->second, delta);
    if (!found->second.emitted[0] && !found->second.emitted[1]) sets_.erase(found);
  }
  dirty_.clear();
}

}  // namespace felix::compiler
