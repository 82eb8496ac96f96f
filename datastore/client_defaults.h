// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"
#include "model/update.h"

namespace felix::datastore {

// What the clients of Calico's API fill in when they write an object. A directory of files stands
// in for those clients, so its source applies the same; a reader of objects that a client wrote
// must not.

// Who wrote an object: a person, for whom the defaults are filled in, or one of those clients.
enum class Author : std::uint8_t { kPerson, kClient };

struct PolicyTypes {
  bool ingress = true;
  bool egress = true;
  bool operator==(const PolicyTypes&) const = default;
};
// Of a policy that names no types: ingress, unless it has egress rules only; egress if it has any.
[[nodiscard]] PolicyTypes DefaultPolicyTypes(bool has_ingress_rules, bool has_egress_rules);

inline constexpr std::string_view kDefaultTier = "default";
inline constexpr double kDefaultTierOrder = 1'000'000;
inline constexpr std::string_view kDefaultAllowProfile = "projectcalico-default-allow";

// The objects that exist although nobody wrote them: the three tiers default, kube-admin and
// kube-baseline, and the profile projectcalico-default-allow. In key order.
[[nodiscard]] std::vector<model::Update> BuiltInResources();

// Labels of a workload endpoint by which it is known to belong to a namespace, a service account
// and an orchestrator. They are the system's: whatever the object says of them, or of labels that
// only a namespace or service account may pass on (pcns., pcsa.), is dropped.
void ForceEndpointLabels(model::LabelSet& labels, std::string_view namespace_name,
                         std::string_view orchestrator, std::string_view service_account);
// The same for network sets, which belong to a namespace (empty: to none) but to no account.
void ForceNetworkSetLabels(model::LabelSet& labels, std::string_view namespace_name);
// Profiles pass on pcns. and pcsa. labels, but never the system's own three.
void ForceProfileLabels(model::LabelSet& labels);

}  // namespace felix::datastore
