// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"

#include "compiler/set_members.h"
#include "model/endpoint.h"
#include "model/labels.h"
#include "model/update.h"

namespace felix::compiler {

// Everything that has labels and addresses: the cluster's workload endpoints and network sets.
// Works out effective labels (own ones, then those of the listed profiles in order) and keeps
// SetMembers informed of them. Owns the numbers by which SetMembers knows things.
class Things {
 public:
  using ThingKey = std::variant<model::WorkloadEndpointId, model::NetworkSetId>;

  explicit Things(SetMembers& members) : members_(members) {}

  void SetEndpoint(const model::WorkloadEndpointId& id, const model::WorkloadEndpoint& endpoint);
  void SetNetworkSet(const model::NetworkSetId& id, const model::NetworkSet& set);
  void Remove(const ThingKey& key);  // of a thing that may not be there

  // Labels that the profile gives to what lists it; empty if it is gone. Returns the endpoints
  // whose effective labels may have changed.
  std::vector<model::WorkloadEndpointId> SetProfileLabels(const std::string& profile,
                                                          const model::LabelSet& labels);

  [[nodiscard]] const model::LabelSet& EffectiveLabels(const ThingKey& key) const;

 private:
  struct Thing {
    ThingKey key;
    model::LabelSet own;
    std::vector<std::string> profiles;
    model::LabelSet effective;
    SetMembers::Contribution contribution;
  };

  struct KeyHash {  // this abseil does not hash std::variant
    std::size_t operator()(const ThingKey& key) const {
      return std::visit([](const auto& id) { return absl::HashOf(id); }, key);
    }
  };

  void Set(ThingKey key, model::LabelSet own, std::vector<std::string> profiles,
           SetMembers::Contribution contribution);
  [[nodiscard]] model::LabelSet Inherit(const Thing& thing) const;
  void Publish(SetMembers::ThingId id);

  SetMembers& members_;
  std::vector<Thing> things_;
  std::vector<SetMembers::ThingId> free_;
  absl::flat_hash_map<ThingKey, SetMembers::ThingId, KeyHash> ids_;
  absl::flat_hash_map<std::string, absl::btree_set<SetMembers::ThingId>> things_of_profile_;
  absl::flat_hash_map<std::string, model::LabelSet> profile_labels_;
};

}  // namespace felix::compiler
