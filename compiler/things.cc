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

constexpr char kWorkload = 0;  // as Things::ThingKey counts its kinds

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

std::string_view Things::PackedKey(const ThingKey& key) const {
  key_.assign(1, static_cast<char>(key.index()));
  std::visit([&](const auto& id) { model::AppendKey(id, key_); }, key);
  return key_;
}

void Things::Set(const ThingKey& key, const model::LabelSet& own,
                 const std::vector<std::string>& profiles, const std::vector<model::Cidr>& nets,
                 const std::vector<model::NamedPort>& ports) {
  const auto [id, is_new] = ids_.Take(PackedKey(key));
  if (is_new) {
    if (id >= things_.size()) things_.resize(id + 1);
    Join(id, profiles);
  } else if (lists_[things_[id].list].names != profiles) {
    Leave(id);
    Join(id, profiles);
  }
  things_[id].own = own;
  members_.SetThing(id, Inherit(things_[id]), nets, ports);
}

void Things::Remove(const ThingKey& key) {
  const std::optional<ThingId> id = ids_.Find(PackedKey(key));
  if (!id.has_value()) return;
  members_.RemoveThing(*id);
  Leave(*id);
  things_[*id] = Thing{};
  ids_.Release(*id);
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
      const std::string_view packed = ids_.KeyOf(id);
      if (packed.front() != kWorkload) continue;
      model::ReadKey(packed.substr(1), affected.emplace_back());
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
  const std::optional<ThingId> id = ids_.Find(PackedKey(key));
  FELIX_CHECK(id.has_value(), "asked for the labels of a thing that is not there");
  return members_.LabelsOf(*id);
}

}  // namespace felix::compiler
