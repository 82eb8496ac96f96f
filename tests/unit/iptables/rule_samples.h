// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/rule.h"
#include "model/address.h"

namespace felix::testing {

// A rule, and what iptables-save prints of it behind `-A <chain> `.
struct RuleSample {
  std::string name;
  ir::Rule rule;
  std::string saved;
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
