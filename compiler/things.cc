// SPDX-License-Identifier: Apache-2.0
#include "compiler/things.h"

#include <algorithm>
#include <utility>

#include "compiler/fault.h"
#include "model/base/check.h"

namespace felix::compiler {

void Things::SetEndpoint(const model::WorkloadEndpointId& id,
                         const model::WorkloadEndpoint& endpoint) {
  SetMembers::Contribution contribution;
  for (const model::IpAddress& address : endpoint.addresses) {
    contribution.nets.push_back(model::Cidr::Host(address));
  }
  contribution.ports = endpoint.ports;
  Set(id, endpoint.labels, endpoint.profiles, std::move(contribution));
}

void Things::SetNetworkSet(const model::NetworkSetId& id, const model::NetworkSet& set) {
  Set(id, set.labels, set.profiles, {.nets = set.nets, .ports = {}});
}

void Things::Set(ThingKey key, model::LabelSet own, std::vector<std::string> profiles,
                 SetMembers::Contribution contribution) {
  SetMembers::ThingId id = 0;
  if (const auto found = ids_.find(key); found != ids_.end()) {
    id = found->second;
    for (const std::string& profile : things_[id].profiles) things_of_profile_[profile].erase(id);
  } else if (!free_.empty()) {
    id = free_.back();
    free_.pop_back();
  } else {
    id = static_cast<SetMembers::ThingId>(things_.size());
    things_.emplace_back();
  }
  ids_.emplace(key, id);
  if (IsPlanted(Fault::kLastProfileWins)) std::reverse(profiles.begin(), profiles.end());
  for (const std::string& profile : profiles) things_of_profile_[profile].insert(id);
  things_[id] = {.key = std::move(key),
                 .own = std::move(own),
                 .profiles = std::move(profiles),
                 .effective = {},
                 .contribution = std::move(contribution)};
  Publish(id);
}

void Things::Remove(const ThingKey& key) {
  const auto found = ids_.find(key);
  if (found == ids_.end()) return;
  const SetMembers::ThingId id = found->second;
  ids_.erase(found);
  members_.RemoveThing(id);
  for (const std::string& profile : things_[id].profiles) {
    const auto things = things_of_profile_.find(profile);
    if (things == things_of_profile_.end()) continue;
    things->second.erase(id);
    if (things->second.empty()) things_of_profile_.erase(things);
  }
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
  const auto things = things_of_profile_.find(profile);
  if (same || things == things_of_profile_.end()) return affected;
  for (const SetMembers::ThingId id : things->second) {
    Publish(id);
    if (const auto* endpoint = std::get_if<model::WorkloadEndpointId>(&things_[id].key)) {
      affected.push_back(*endpoint);
    }
  }
  return affected;
}

model::LabelSet Things::Inherit(const Thing& thing) const {
  model::LabelSet labels = thing.own;
  for (const std::string& profile : thing.profiles) {
    const auto found = profile_labels_.find(profile);
    if (found != profile_labels_.end()) labels.Inherit(found->second);
  }
  return labels;
}

void Things::Publish(SetMembers::ThingId id) {
  Thing& thing = things_[id];
  thing.effective = Inherit(thing);
  members_.SetThing(id, thing.effective, thing.contribution);
}

const model::LabelSet& Things::EffectiveLabels(const ThingKey& key) const {
  const auto found = ids_.find(key);
  FELIX_CHECK(found != ids_.end(), "asked for the labels of a thing that is not there");
  return things_[found->second].effective;
}

}  // namespace felix::compiler
