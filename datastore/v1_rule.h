// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "datastore/object_reader.h"
#include "datastore/v3_rule.h"
#include "model/rule.h"

namespace felix::datastore {

// Reads a list of rules as the older store has them, flat and with negations spelled by a leading
// '!', into their final meaning. What this cannot read or enforce is a fault of the whole object,
// as in v3; a missing action is Allow. A tag asks for an endpoint that has the label of that name,
// whatever its value, since tags are inherited as labels. The prefix of a log message is ignored.
// Expects a tree without nulls.
[[nodiscard]] std::vector<model::PolicyRule> ReadV1Rules(ObjectReader& object,
                                                         std::string_view name,
                                                         const RuleOwner& owner);

}  // namespace felix::datastore
