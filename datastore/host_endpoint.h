// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "datastore/object_reader.h"
#include "model/host_endpoint.h"
#include "model/labels.h"

namespace felix::datastore {

// Host endpoints of both stores, by one set of rules: each names its interface ("*": all of them),
// or the addresses by which the host shall find it, or both. An address that cannot be read is a
// fault of the whole object: without it, another interface could be meant. What the functions
// return is of use only if no fault was added.

// The host to which the spec of a v3 HostEndpoint belongs; empty, and a fault, if it names none.
[[nodiscard]] std::string ReadHostOfEndpoint(const Field& spec, Faults& faults);
[[nodiscard]] model::HostEndpoint ReadHostEndpointSpec(const Field& spec,
                                                       const model::LabelSet& labels,
                                                       Faults& faults);

// A value below /calico/v1/host/<host>/endpoint. Expects a tree without nulls.
[[nodiscard]] model::HostEndpoint ReadV1HostEndpoint(const Field& object, Faults& faults);

}  // namespace felix::datastore
