// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include "compiler/options.h"
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

  // Only with ChainLayout=Shared, else zero.
  std::uint32_t refused = 0;  // denied in the mangle table; the filter table refuses it
  std::uint32_t known = 0;    // address and interface belong together: the shape's number counts
  std::uint32_t shape = 0;    // all other bits of the mask: the number of a shape

  static constexpr int BitsNeeded(ChainLayout layout) {
    return layout == ChainLayout::kShared ? 7 : 4;
  }

  [[nodiscard]] std::uint32_t verdict() const { return accept | pass; }
  [[nodiscard]] std::uint32_t all() const {
    return accept | pass | exempt | scratch | refused | known | shape;
  }
  // What an element of a set tells of a packet.
  [[nodiscard]] std::uint32_t element() const { return known | shape; }
  // How many shapes of one direction can have a number.
  [[nodiscard]] std::uint32_t shape_count() const {
    return shape == 0 ? 0 : std::uint32_t{1} << static_cast<unsigned>(std::popcount(shape));
  }
  // The number, its lowest bit in the lowest bit of `shape`.
  [[nodiscard]] std::uint32_t ShapeBits(std::uint32_t number) const {
    std::uint32_t bits = 0;
    for (std::uint32_t rest = shape; rest != 0; rest &= rest - 1, number >>= 1U) {
      if ((number & 1U) != 0) bits |= rest & (~rest + 1);
    }
    return bits;
  }

  // The inverse.
  [[nodiscard]] std::uint32_t ShapeNumber(std::uint32_t mark) const {
    std::uint32_t number = 0;
    std::uint32_t next = 1;
    for (std::uint32_t rest = shape; rest != 0; rest &= rest - 1, next <<= 1U) {
      if ((mark & rest & (~rest + 1)) != 0) number |= next;
    }
    return number;
  }

  static Marks FromMask(std::uint32_t mask, ChainLayout layout = ChainLayout::kPerContainer) {
    FELIX_CHECK(std::popcount(mask) >= BitsNeeded(layout), "the mark mask has too few bits");
    Marks marks;
    const auto take = [&mask](std::uint32_t& bit) {
      bit = mask & (~mask + 1);  // lowest set bit
      mask &= mask - 1;
    };
    for (std::uint32_t* bit : {&marks.accept, &marks.pass, &marks.exempt, &marks.scratch}) {
      take(*bit);
    }
    if (layout == ChainLayout::kPerContainer) return marks;
    take(marks.refused);
    take(marks.known);
    marks.shape = mask;
    return marks;
  }
};

}  // namespace felix::compiler
