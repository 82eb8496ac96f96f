// SPDX-License-Identifier: Apache-2.0
#include "compiler/validation.h"

#include "fmt/format.h"
#include "fmt/ranges.h"

#include "compiler/chain_renderer.h"
#include "compiler/fault.h"

namespace felix::compiler {

std::string WhyAbsent(const model::WorkloadEndpointId& id, const model::WorkloadEndpoint& endpoint,
                      const Options& options) {
  if (!endpoint.allow_spoofed_source_prefixes.empty() && !options.workload_source_spoofing &&
      !IsPlanted(Fault::kSpoofingNeedsNoPermission)) {
    return "it asks for spoofed source prefixes and WorkloadSourceSpoofing is not Any";
  }
  if (id.host == options.hostname && !IsWorkloadInterface(endpoint.interface_name, options)) {
    return fmt::format("its interface {} does not begin with a workload prefix ({})",
                       endpoint.interface_name, fmt::join(options.interface_prefixes, ", "));
  }
  return "";
}

}  // namespace felix::compiler
