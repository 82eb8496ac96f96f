// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/object_reader.h"
#include "model/rule.h"

namespace felix::datastore {

struct EntityContext {
  std::string namespace_name;  // of the policy, if it is namespaced
  std::optional<model::Protocol> protocol;
};

// A network that a rule names, and where; for checks across the two sides of a rule.
struct EntityNet {
  model::Cidr cidr;
  Field field;
};

// Reads the source or destination of a v3 rule: networks with their host bits cleared, ports split
// into ranges and names, selectors with namespaces and service accounts folded in. Adds to `nets`
// every network it read. What is returned is of use only if no fault was added.
[[nodiscard]] model::EntityMatch ReadEntity(ObjectReader& rule, std::string_view name,
                                            const EntityContext& context,
                                            std::vector<EntityNet>& nets);

}  // namespace felix::datastore
