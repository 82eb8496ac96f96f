// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/desired_state.h"
#include "compiler/ir/rule.h"
#include "model/address.h"

namespace felix::testing {

// A rule, what iptables-save prints of it behind `-A <chain> `, and the table and base chain that a
// kernel takes it in.
struct RuleSample {
  std::string name;
  ir::Rule rule;
  std::string saved;
  ir::Table table = ir::Table::kFilter;
  ir::BaseChain base = ir::BaseChain::kForward;
};

// Sets that samples name: networks, and triples of address, protocol and port.
inline constexpr char kNetSet[] = "nets";
inline constexpr char kPortSet[] = "ports";
// What the kernel calls them.
std::string SampleSetName(model::IpFamily family, const std::string& id);
// The chain that samples jump to.
inline constexpr char kSampleTarget[] = "cali-target";

// Every match, plain and negated, and every target of a family. Conditions are in the order in
// which the codec gives them back.
std::vector<RuleSample> RuleSamples(model::IpFamily family);

}  // namespace felix::testing
