// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include "model/base/check.h"

namespace felix::compiler {

// The packet mark bits of the engine, taken from the configured mask from its lowest bit upwards.
// They live only while a packet passes our chains and are cleared where it enters them.
struct Marks {
  std::uint32_t accept = 0;  // a policy or profile accepted the packet in this direction
  std::uint32_t pass = 0;    // a policy passed the packet on to the next tier
  std::uint32_t exempt = 0;  // policy need not be asked: established, or neighbour discovery
  // One condition of a rule that needs more than one kernel rule. Before the endpoint's chain: this
  // is neighbour discovery, which need not come from an address of the endpoint.
  std::uint32_t scratch = 0;

  static constexpr int kBits = 4;

  [[nodiscard]] std::uint32_t verdict() const { return accept | pass; }
  [[nodiscard]] std::uint32_t all() const { return accept | pass | exempt | scratch; }

  static Marks FromMask(std::uint32_t mask) {
    FELIX_CHECK(std::popcount(mask) >= kBits, "the mark mask has too few bits");
    Marks marks;
    for (std::uint32_t* bit : {&marks.accept, &marks.pass, &marks.exempt, &marks.scratch}) {
      *bit = mask & (~mask + 1);  // lowest set bit
      mask &= mask - 1;
    }
    return marks;
  }
};

}  // namespace felix::compiler
