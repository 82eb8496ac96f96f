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

// The parts of an entity that the older objects share. Networks are added to `nets` too.
[[nodiscard]] std::vector<model::Cidr> ReadNets(const std::vector<Field>& fields, Faults& faults,
                                                std::vector<EntityNet>& nets);
// A network of all addresses is at fault: without it nothing is left to match.
[[nodiscard]] std::vector<model::Cidr> ReadNotNets(const std::vector<Field>& fields, Faults& faults,
                                                   std::vector<EntityNet>& nets);
// Numeric ports need a protocol that has ports; names do not, but none that has no ports.
[[nodiscard]] model::PortMatch ReadPorts(ObjectReader& entity, std::string_view name,
                                         const std::optional<model::Protocol>& protocol);

}  // namespace felix::datastore
