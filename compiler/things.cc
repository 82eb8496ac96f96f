// SPDX-License-Identifier: Apache-2.0
#include "compiler/things.h"

#include <algorithm>
#include <utility>

#include "compiler/fault.h"
#include "model/base/check.h"

namespace felix::compiler {
namespace {

std::vector<model::Cidr> HostNets(const std::vector<model::IpAddress>& addresses) {
  std::vector<model::Cidr> nets;
  nets.reserve(addresses.size());
  for (const model::IpAddress& address : addresses) nets.push_back(model::Cidr::Host(address));
  return nets;
}

}  // namespace

void Things::SetEndpoint(const model::WorkloadEndpointId& id,
                         const model::WorkloadEndpoint& endpoint) {
  Set(id, endpoint.labels, endpoint.profiles, HostNets(endpoint.addresses), endpoint.ports);
}

void Things::SetHostEndpoint(const model::HostEndpointId& id, const model::HostEndpoint& endpoint) {
  std::vector<model::Cidr> nets = HostNets(endpoint.expected_addresses);
  if (IsPlanted(Fault::kHostAddressesNotInSets)) nets.clear();
  Set(id, endpoint.labels, endpoint.profiles, nets, endpoint.ports);
}

void Things::SetNetworkSet(const model::NetworkSetId& id, const model::NetworkSet& set) {
  Set(id, set.labels, set.profiles, set.nets, {});
}

void Things::Join(ThingId id, const std::vector<std::string>& profiles) {
  const auto [found, is_new] = list_ids_.try_emplace(profiles, 0);
  if (is_new) {
    if (free_lists_.empty()) {
      found->second = static_cast<ListId>(lists_.size());
      lists_.emplace_back();
    } else {
      found->second = free_lists_.back();
      free_lists_.pop_back();
    }
    lists_[found->second].names = profiles;
    // A name that occurs twice files the list twice, and Leave takes both away.
    for (const std::string& name : profiles) lists_of_profile_[name].push_back(found->second);
  }
  std::vector<ThingId>& things = lists_[found->second].things;
  things_[id].list = found->second;
  things_[id].place = static_cast<std::uint32_t>(things.size());
  things.push_back(id);
}

void Things::Leave(ThingId id) {
  const ListId list = things_[id].list;
  std::vector<ThingId>& things = lists_[list].things;
  const std::uint32_t place = things_[id].place;
  things[place] = things.back();
  things_[things[place]].place = place;
  things.pop_back();
  if (!things.empty()) return;
  for (const std::string& name : lists_[list].names) {
    const auto lists = lists_of_profile_.find(name);
    if (lists == lists_of_profile_.end()) continue;
    auto& ids = lists->second;
    ids.erase(std::remove(ids.begin(), ids.end(), list), ids.end());
    if (ids.empty()) lists_of_profile_.erase(lists);
  }
  list_ids_.erase(lists_[list].names);
  lists_[list] = ProfileList{};
  free_lists_.push_back(list);
}

void Things::Set(ThingKey key, const model::LabelSet& own, const std::vector<std::string>& profiles,
                 const std::vector<model::Cidr>& nets, const std::vector<model::NamedPort>& ports) {
  ThingId id = 0;
  if (const auto found = ids_.find(key); found != ids_.end()) {
    id = *found;
    if (lists_[things_[id].list].names != profiles) {
      Leave(id);
      Join(id, profiles);
    }
  } else {
    if (free_.empty()) {
      id = static_cast<ThingId>(things_.size());
      things_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    things_[id].key = std::move(key);
    ids_.insert(id);
    Join(id, profiles);
  }
  things_[id].own = own;
  members_.SetThing(id, Inherit(things_[id]), nets, ports);
}

void Things::Remove(const ThingKey& key) {
  const auto found = ids_.find(key);
  if (found == ids_.end()) return;
  const ThingId id = *found;
  ids_.erase(found);
  members_.RemoveThing(id);
  Leave(id);
  things_[id] = Thing{};
  free_.push_back(id);
}

std::vector<model::WorkloadEndpointId> Things::SetProfileLabels(const std::string& profile,
                                                                const model::LabelSet& labels) {
  model::LabelSet& current = profile_labels_[profile];
  const bool same = current == labels;
  current = labels;
  if (labels.empty()) profile_labels_.erase(profile);
  std::vector<model::WorkloadEndpointId> affected;
  const auto lists = lists_of_profile_.find(profile);
  if (same || lists == lists_of_profile_.end()) return affected;
  for (const ListId list : lists->second) {
    for (const ThingId id : lists_[list].things) {
      members_.SetLabels(id, Inherit(things_[id]));
      if (const auto* endpoint = std::get_if<model::WorkloadEndpointId>(&things_[id].key)) {
        affected.push_back(*endpoint);
      }
    }
  }
  return affected;
}

model::LabelSet Things::Inherit(const Thing& thing) const {
  model::LabelSet labels = thing.own;
  std::vector<std::string> reversed;
  if (IsPlanted(Fault::kLastProfileWins)) {
    reversed.assign(lists_[thing.list].names.rbegin(), lists_[thing.list].names.rend());
  }
  for (const std::string& profile : reversed.empty() ? lists_[thing.list].names : reversed) {
    const auto found = profile_labels_.find(profile);
    if (found != profile_labels_.end()) labels.Inherit(found->second);
  }
  return labels;
}

const model::LabelSet& Things::EffectiveLabels(const ThingKey& key) const {
  const auto found = ids_.find(key);
  FELIX_CHECK(found != ids_.end(), "asked for the labels of a thing that is not there");
  return members_.LabelsOf(*found);
}

}  // namespace felix::compiler
