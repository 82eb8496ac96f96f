// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "compiler/ir/desired_state.h"
#include "model/address.h"

namespace felix::iptables {

// What the sets of rules are called in the kernel.
using SetNamer = std::function<std::string(const ir::SetKey&)>;

// One rule as iptables-restore reads it behind the name of its chain.
[[nodiscard]] std::string RestoreRule(const ir::Rule& rule, model::IpFamily family,
                                      const SetNamer& name_of);

// All tables of one family as iptables-legacy-restore reads them: with --noflush it adds ours to
// what is there, without it replaces the tables that it names. Base chains get rules and no
// policies. What becomes of a table that was empty is what the engine makes of it.
[[nodiscard]] std::string RestoreText(const ir::DesiredState& state, model::IpFamily family,
                                      const SetNamer& name_of);

}  // namespace felix::iptables
