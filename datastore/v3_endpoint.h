// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/names.h"
#include "datastore/object_reader.h"
#include "model/endpoint.h"

namespace felix::datastore {

// Reads the spec of a WorkloadEndpoint of that name, namespace and labels. The name is the
// authority: a spec that disagrees with one of its parts is at fault. What is returned is of use
// only if no fault was added.
[[nodiscard]] model::WorkloadEndpoint ReadWorkloadEndpointSpec(const Field& spec,
                                                               const WorkloadEndpointName& name,
                                                               const std::string& namespace_name,
                                                               const model::LabelSet& labels,
                                                               Faults& faults);

// What the older endpoints share with these. Each field by the name it has there; at fault unless
// it is absent or sound.

// Must be there.
[[nodiscard]] std::string ReadInterfaceName(ObjectReader& spec, std::string_view field);
// Single addresses, with or without /32 or /128; sorted and unique.
[[nodiscard]] std::vector<model::IpAddress> ReadAddresses(ObjectReader& spec,
                                                          std::string_view name);
void CheckGateway(ObjectReader& spec, std::string_view name, model::IpFamily family);
void CheckMacAddress(ObjectReader& spec, std::string_view name);
[[nodiscard]] std::vector<model::NamedPort> ReadNamedPorts(ObjectReader& spec,
                                                           std::string_view list);

// A list of profile names, in order.
[[nodiscard]] std::vector<std::string> ReadProfileNames(ObjectReader& spec, std::string_view name);

}  // namespace felix::datastore
