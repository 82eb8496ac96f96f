// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "datastore/object_reader.h"
#include "model/endpoint.h"
#include "model/policy.h"

namespace felix::datastore {

// The small kinds of the older store. All expect trees without nulls; what they return is of use
// only if no fault was added.

// Its end denies, as all tiers' did.
[[nodiscard]] model::Tier ReadV1Tier(const Field& object, Faults& faults);

[[nodiscard]] model::NetworkSet ReadV1NetworkSet(const Field& object,
                                                 const std::string& namespace_name, Faults& faults);

// A profile is three keys. Each of these fills what its key says of the profile: its rules, its
// labels, or its tags, which are labels with an empty value.
[[nodiscard]] model::Profile ReadV1ProfileRules(const Field& object, Faults& faults);
[[nodiscard]] model::Profile ReadV1ProfileLabels(const Field& object, Faults& faults);
[[nodiscard]] model::Profile ReadV1ProfileTags(const Field& object, Faults& faults);

// What the keys of one profile say together. A label shadows a tag of its name.
[[nodiscard]] model::Profile MergeV1Profile(const model::Profile& rules,
                                            const model::Profile& labels,
                                            const model::Profile& tags);

}  // namespace felix::datastore
