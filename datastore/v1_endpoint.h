// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "datastore/object_reader.h"
#include "model/endpoint.h"
#include "model/labels.h"

namespace felix::datastore {

// Reads a workload endpoint of the older store. An inactive one is administratively down. The
// profiles are in profile_ids or, from older writers, one in profile_id; none is lawful, and then
// nothing is allowed. Address translation (ipv4_nat, ipv6_nat) is checked and otherwise ignored.
// Expects a tree without nulls. What is returned is of use only if no fault was added.
[[nodiscard]] model::WorkloadEndpoint ReadV1WorkloadEndpoint(const Field& object,
                                                             std::string_view orchestrator,
                                                             Faults& faults);

// In profile_ids or, from older writers, in profile_id; at fault if both are there and differ.
[[nodiscard]] std::vector<std::string> ReadV1Profiles(ObjectReader& object);

// The object's members as labels. Keys are what selectors can name; values are any strings.
[[nodiscard]] model::LabelSet ReadV1Labels(ObjectReader& object, std::string_view name);

}  // namespace felix::datastore
