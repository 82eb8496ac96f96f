// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/host_renderer.h"
#include "compiler/options.h"
#include "compiler/shape.h"
#include "model/store.h"

// Who is subject to what, found by looking through the whole store each time: the reference for
// what the passes keep up to date.
namespace felix::reference {

// Own labels, then those of the profiles.
[[nodiscard]] model::LabelSet Effective(const model::Store& store, model::LabelSet labels,
                                        const std::vector<std::string>& profiles);

// All policies in force for anybody, those that stand in for broken ones included.
[[nodiscard]] std::map<model::PolicyId, model::Policy> PoliciesInForce(
    const model::Store& store, const compiler::Options& options);

// What an endpoint with these own labels and profiles is subject to.
[[nodiscard]] compiler::Shape ShapeOf(const model::Store& store, const compiler::Options& options,
                                      const model::LabelSet& own_labels,
                                      const std::vector<std::string>& profiles,
                                      compiler::ShapeKind kind, compiler::Direction direction);

// The interfaces of the host with their host endpoints.
[[nodiscard]] compiler::HostLayout LayoutOf(const model::Store& store,
                                            const compiler::Options& options);

}  // namespace felix::reference
