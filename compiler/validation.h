// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "compiler/options.h"
#include "model/endpoint.h"

namespace felix::compiler {

// Why an endpoint that is valid as an object counts as absent under these options; empty if it does
// not. A workload must not claim a host's interface, and source spoofing must be allowed here
// before anybody may ask for it.
[[nodiscard]] std::string WhyAbsent(const model::WorkloadEndpointId& id,
                                    const model::WorkloadEndpoint& endpoint,
                                    const Options& options);

}  // namespace felix::compiler
