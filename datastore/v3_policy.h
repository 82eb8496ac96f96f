// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "datastore/client_defaults.h"
#include "datastore/object_reader.h"
#include "model/policy.h"

namespace felix::datastore {

// Those parts of a policy that decide what it covers, each absent if this version of the object
// does not say it legibly.
struct PolicyParts {
  std::optional<std::string> tier;
  std::optional<std::optional<double>> order;
  std::optional<model::Selector> selector;
  std::optional<PolicyTypes> types;

  bool operator==(const PolicyParts&) const = default;
};

// Gives the policy the parts, if all of them could be read.
void TakeParts(const PolicyParts& parts, model::Policy& policy);

struct ReadPolicyResult {
  model::Policy policy;  // of use only if no fault was added
  PolicyParts parts;     // whatever could be read, also beside faults
};

// Reads the spec of a NetworkPolicy (in that namespace) or GlobalNetworkPolicy (namespace empty).
[[nodiscard]] ReadPolicyResult ReadPolicySpec(const Field& spec, const std::string& namespace_name,
                                              Author author, Faults& faults);

// The directions that the list names; neither if there is no list.
[[nodiscard]] PolicyTypes ReadListedTypes(ObjectReader& spec, std::string_view name);

}  // namespace felix::datastore
