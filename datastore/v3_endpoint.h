// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

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

// A list of profile names, in order.
[[nodiscard]] std::vector<std::string> ReadProfileNames(ObjectReader& spec, std::string_view name);

}  // namespace felix::datastore
