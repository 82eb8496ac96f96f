// SPDX-License-Identifier: Apache-2.0
#include "compiler/things.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "compiler/fault.h"
#include "model/base/check.h"
#include "model/packed.h"

namespace felix::compiler {
namespace {

std::vector<model::Cidr> HostNets(const std::vector<model::IpAddress>& addresses) {
  std::vector<model::Cidr> nets;
  nets.reserve(addresses.size());
  for (const model::IpAddress& address : addresses) nets.push_back(model::Cidr::Host(address));
  return nets;
}

}  // namespace

Things::ThingId& Things::SlotOf(IdByNumber& ids, std::uint32_t number) {
  if (number >= ids.size()) ids.resize(number + 1, kNone);
  return ids[number];
}

void Things::SetEndpoint(EndpointNumber number, const model::WorkloadEndpoint& endpoint) {
  ThingId& id = SlotOf(endpoints_, number);
  Set(id, endpoint.labels, endpoint.profiles, HostNets(endpoint.addresses), endpoint.ports);
  things_[id].endpoint = number;
}

void Things::SetHostEndpoint(const model::HostEndpointId& id, const model::HostEndpoint& endpoint) {
  std::vector<model::Cidr> nets = HostNets(endpoint.expected_addresses);
  if (IsPlanted(Fault::kHostAddressesNotInSets)) nets.clear();
  SetOther(id, endpoint.labels, endpoint.profiles, nets, endpoint.ports);
}

void Things::SetNetworkSet(const model::NetworkSetId& id, const model::NetworkSet& set) {
  SetOther(id, set.labels, set.profiles, set.nets, {});
}

void Things::SetOther(const OtherKey& key, const model::LabelSet& own,
                      const std::vector<std::string>& profiles,
                      const std::vector<model::Cidr>& nets,
                      const std::vector<model::NamedPort>& ports) {
  Set(SlotOf(others_, other_numbers_.Take(PackedKey(key)).first), own, profiles, nets, ports);
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
  lists_[found->second].things.Insert(id);
  things_[id].list = found->second;
}

void Things::Leave(ThingId id) {
  const ListId list = things_[id].list;
  lists_[list].things.Erase(id);
  if (!lists_[list].things.empty()) return;
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

std::string_view Things::PackedKey(const OtherKey& key) const {
  key_.assign(1, static_cast<char>(key.index()));
  std::visit([&](const auto& id) { model::AppendKey(id, key_); }, key);
  return key_;
}

void Things::Set(ThingId& id, const model::LabelSet& own, const std::vector<std::string>& profiles,
                 const std::vector<model::Cidr>& nets, const std::vector<model::NamedPort>& ports) {
  if (id == kNone) {
    if (free_things_.empty()) {
      id = static_cast<ThingId>(things_.size());
      things_.emplace_back();
    } else {
      id = free_things_.back();
      free_things_.pop_back();
    }
    Join(id, profiles);
  } else if (lists_[things_[id].list].names != profiles) {
    Leave(id);
    Join(id, profiles);
  }
  things_[id].own = own;
  members_.SetThing(id, Inherit(things_[id]), nets, ports);
}

void Things::RemoveThing(ThingId& id) {
  members_.RemoveThing(id);
  Leave(id);
  things_[id] = Thing{};
  free_things_.push_back(id);
  id = kNone;
}

void Things::RemoveEndpoint(EndpointNumber number) {
  ThingId& id = SlotOf(endpoints_, number);
  if (id != kNone) RemoveThing(id);
}

void Things::Remove(const OtherKey& key) {
  const std::optional<KeyNumbers::Number> number = other_numbers_.Find(PackedKey(key));
  if (!number.has_value()) return;
  RemoveThing(others_[*number]);
  other_numbers_.Release(*number);
}

std::vector<Things::EndpointNumber> Things::SetProfileLabels(const std::string& profile,
                                                             const model::LabelSet& labels) {
  model::LabelSet& current = profile_labels_[profile];
  const bool same = current == labels;
  current = labels;
  if (labels.empty()) profile_labels_.erase(profile);
  std::vector<EndpointNumber> affected;
  const auto lists = lists_of_profile_.find(profile);
  if (same || lists == lists_of_profile_.end()) return affected;
  for (const ListId list : lists->second) {
    for (const ThingId id : lists_[list].things) {
      members_.SetLabels(id, Inherit(things_[id]));
      if (things_[id].endpoint != kNone) affected.push_back(things_[id].endpoint);
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

const model::LabelSet& Things::LabelsOfEndpoint(EndpointNumber number) const {
  FELIX_CHECK(number < endpoints_.size() && endpoints_[number] != kNone,
              "asked for the labels of an endpoint that is not there");
  return members_.LabelsOf(endpoints_[number]);
}

const model::LabelSet& Things::LabelsOf(const OtherKey& key) const {
  const std::optional<KeyNumbers::Number> number = other_numbers_.Find(PackedKey(key));
  FELIX_CHECK(number.has_value(), "asked for the labels of a thing that is not there");
  return members_.LabelsOf(others_[*number]);
}

}  // namespace felix::compiler
