// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "model/update.h"

// Clusters of the shapes that other policy engines publish figures for. Sizes are exact, contents a
// function of the sizes alone. The host of the compiler is kThisHost and has `local` endpoints.
namespace felix::testing {

// Endpoints carry labels one-in-10 … one-in-100000 and a marker; each policy selects one of them
// and has five rules that select others. The first update to arrive are the endpoints.
[[nodiscard]] std::vector<model::Update> TaggedPolicies(std::size_t endpoints, std::size_t policies,
                                                        std::size_t local);

// Namespaces that only talk within themselves: in each, `endpoints_each` endpoints of 15 labels and
// `policies_each` policies.
[[nodiscard]] std::vector<model::Update> IsolatedNamespaces(std::size_t namespaces,
                                                            std::size_t endpoints_each,
                                                            std::size_t policies_each,
                                                            std::size_t local);

// One namespace where each policy selects every endpoint and lets in every endpoint.
[[nodiscard]] std::vector<model::Update> AllMatchAll(std::size_t endpoints, std::size_t policies,
                                                     std::size_t local);

// Network sets of 1, 2, … 223 nets in turn (112 in the mean), each named by a policy of its own
// that selects all local endpoints.
[[nodiscard]] std::vector<model::Update> NetworkSets(std::size_t sets, std::size_t local);

}  // namespace felix::testing
