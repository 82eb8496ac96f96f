// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "compiler/ir/desired_state.h"
#include "tests/support/packet.h"

namespace felix::testing {

// What became of a packet, and how.
struct Trace {
  Verdict verdict = Verdict::kContinue;  // never kNotOurs
  int rules_visited = 0;
  ir::Provenance decided_by;             // of the rule that accepted or denied; empty if none did
  std::vector<ir::Action> translations;  // of addresses, in the order of the packet's way
};

// Sends one packet through the rules as a kernel that holds nothing but them would: the tables in
// the order of the packet's way, our first and our last rules of each base chain, and the exact
// meaning of jump, goto and return. An accept ends its table only, so the verdict is that of the
// filter table unless another one drops. Reaching the end of the filter table's base chain is
// kContinue. The nat table is asked for new packets only, and a packet's redirection happens behind
// our rules there, unless one of them has translated the destination; later tables see the
// translated addresses, and what a masquerade makes of the source nobody knows. A limit always
// holds, as it does for the first packet.
//
// Ends the process where a kernel would refuse the rules: a jump to a chain or a match on a set
// that is not there, a set of the wrong kind, ports or an ICMP type without their protocol, too
// many ports, a loop.
[[nodiscard]] Trace Interpret(const ir::DesiredState& state, const Packet& packet);
[[nodiscard]] Verdict Run(const ir::DesiredState& state, const Packet& packet);

// Whether all matches of one rule hold; the packet counts with its mark and interfaces as given.
[[nodiscard]] bool RuleMatches(const ir::DesiredState& state, const ir::Rule& rule,
                               const Packet& packet);

}  // namespace felix::testing
