// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "datastore/client_defaults.h"
#include "datastore/object_reader.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/policy.h"

namespace felix::datastore {

// The small kinds. What the functions return is of use only if no fault was added.

// A default action that is not known is Deny, and a remark: the tier stays where it is in the
// order.
[[nodiscard]] model::Tier ReadTierSpec(const Field& spec, Author author, Faults& faults,
                                       Faults& remarks);

[[nodiscard]] model::Profile ReadProfileSpec(const Field& spec, Faults& faults);

// A net that cannot be read is a fault of the whole set: the set may be what a rule denies.
[[nodiscard]] model::NetworkSet ReadNetworkSetSpec(const Field& spec,
                                                   const std::string& namespace_name,
                                                   const model::LabelSet& labels, Faults& faults);

// Also the older spelling nat-outgoing. The range must be exact: no host bits.
[[nodiscard]] model::IpPool ReadIpPoolSpec(const Field& spec, Faults& faults);

// The address of each family by which the cluster knows the host: that of BGP, else the first
// internal one, else the first external one.
[[nodiscard]] model::Node ReadNodeSpec(const Field& spec, Faults& faults);

}  // namespace felix::datastore
