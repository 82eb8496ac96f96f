// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "datastore/object_reader.h"
#include "datastore/v3_policy.h"
#include "model/policy.h"

namespace felix::datastore {

// The identity of the policy that the older store calls by this name. A bare name is a
// GlobalNetworkPolicy; "<namespace>/<name>" is a NetworkPolicy, one with the prefix "staged:" is
// staged, and a staged one whose name then begins with "knp.default." is a
// StagedKubernetesNetworkPolicy.
[[nodiscard]] model::PolicyId V1PolicyId(std::string_view name);

// Reads a policy of the older store in that tier. Its selector is final as it stands. Without types
// it has both, but a policy before DNAT has no egress. Expects a tree without nulls.
[[nodiscard]] ReadPolicyResult ReadV1Policy(const Field& object, const std::string& tier,
                                            Faults& faults);

// A number, or "default" or nothing for the last place. Absent if it is at fault.
[[nodiscard]] std::optional<std::optional<double>> ReadV1Order(ObjectReader& object);

}  // namespace felix::datastore
