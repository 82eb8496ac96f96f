// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "compiler/id_set.h"
#include "compiler/key_numbers.h"
#include "compiler/set_members.h"
#include "model/endpoint.h"
#include "model/host_endpoint.h"
#include "model/labels.h"
#include "model/update.h"

namespace felix::compiler {

// Everything that has labels and addresses: the cluster's workload and host endpoints and network
// sets.
// Works out effective labels (own ones, then those of the listed profiles in order) and keeps
// SetMembers informed of them. Owns the numbers by which SetMembers knows things. Workload
// endpoints, of which there are many, it knows by their number in the store.
class Things {
 public:
  using EndpointNumber = std::uint32_t;
  using OtherKey = std::variant<model::NetworkSetId, model::HostEndpointId>;

  explicit Things(SetMembers& members) : members_(members) {}
  Things(const Things&) = delete;
  Things& operator=(const Things&) = delete;

  void SetEndpoint(EndpointNumber number, const model::WorkloadEndpoint& endpoint);
  void SetHostEndpoint(const model::HostEndpointId& id, const model::HostEndpoint& endpoint);
  void SetNetworkSet(const model::NetworkSetId& id, const model::NetworkSet& set);
  // Of things that may not be there. An endpoint's number may be another's afterwards.
  void RemoveEndpoint(EndpointNumber number);
  void Remove(const OtherKey& key);

  // Labels that the profile gives to what lists it; empty if it is gone. Returns the workloads
  // whose effective labels may have changed.
  std::vector<EndpointNumber> SetProfileLabels(const std::string& profile,
                                               const model::LabelSet& labels);

  [[nodiscard]] const model::LabelSet& LabelsOfEndpoint(EndpointNumber number) const;
  [[nodiscard]] const model::LabelSet& LabelsOf(const OtherKey& key) const;

 private:
  using ThingId = SetMembers::ThingId;
  using ListId = std::uint32_t;
  // A list of profiles that things share.
  struct ProfileList {
    std::vector<std::string> names;
    IdSet things;
  };
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Thing {
    model::LabelSet own;
    ListId list = kNone;              // none: nothing has this id
    EndpointNumber endpoint = kNone;  // none: another kind of thing
  };
  using IdByNumber = std::vector<ThingId>;

  // The key as bytes behind one that says its kind, in a buffer that the next call overwrites.
  [[nodiscard]] std::string_view PackedKey(const OtherKey& key) const;
  // The place for the id of that number.
  static ThingId& SlotOf(IdByNumber& ids, std::uint32_t number);
  void SetOther(const OtherKey& key, const model::LabelSet& own,
                const std::vector<std::string>& profiles, const std::vector<model::Cidr>& nets,
                const std::vector<model::NamedPort>& ports);
  void Set(ThingId& id, const model::LabelSet& own, const std::vector<std::string>& profiles,
           const std::vector<model::Cidr>& nets, const std::vector<model::NamedPort>& ports);
  void RemoveThing(ThingId& id);
  [[nodiscard]] model::LabelSet Inherit(const Thing& thing) const;
  void Join(ThingId id, const std::vector<std::string>& profiles);
  void Leave(ThingId id);

  SetMembers& members_;
  IdByNumber endpoints_;
  KeyNumbers other_numbers_;
  IdByNumber others_;
  std::vector<Thing> things_;  // by id
  std::vector<ThingId> free_things_;
  std::vector<ProfileList> lists_;
  std::vector<ListId> free_lists_;
  absl::flat_hash_map<std::vector<std::string>, ListId> list_ids_;
  absl::flat_hash_map<std::string, std::vector<ListId>> lists_of_profile_;
  absl::flat_hash_map<std::string, model::LabelSet> profile_labels_;
  mutable std::string key_;  // kept for its memory
};

}  // namespace felix::compiler
