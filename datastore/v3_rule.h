// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/object_reader.h"
#include "model/rule.h"

namespace felix::datastore {

// Whose rules are read: a namespaced policy's rules see its own namespace only.
struct RuleOwner {
  std::string namespace_name;  // empty for global policies and profiles
  bool is_profile = false;     // profiles have no tiers to pass on to
};

// Reads a list of v3 rules into their final meaning. A rule that cannot be read or enforced exactly
// is a fault of the object as a whole and never rendered without the part at fault: that includes
// fields that are not known or null, since each field of a rule is a condition. What is returned is
// of use only if no fault was added.
[[nodiscard]] std::vector<model::PolicyRule> ReadRules(ObjectReader& spec, std::string_view name,
                                                       const RuleOwner& owner);

}  // namespace felix::datastore
