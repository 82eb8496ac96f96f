// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "compiler/graph.h"
#include "compiler/options.h"
#include "felix/json_line.h"

namespace felix {

// Which values of ChainLayout would do for this host, whichever is in force.
struct LayoutFit {
  // What the containers of this host need.
  struct Need {
    std::array<std::size_t, 2> lists = {};  // distinct lists of policies and profiles, by direction
    // Containers with ChainLayout=Shared that numbers do not suffice for; and these together with
    // those that have chains of their own for other reasons.
    std::size_t without_number = 0;
    std::size_t with_own_chains = 0;
  };

  compiler::ChainLayout layout = compiler::ChainLayout::kPerContainer;  // as configured
  std::uint32_t mark_mask = 0;
  std::uint32_t numbers = 0;  // for lists of each direction; 0: the mask has too few bits
  std::optional<Need> need;   // if the datastore was read

  [[nodiscard]] bool SharedFits() const {
    return numbers != 0 && need.has_value() && need->without_number == 0;
  }
};

[[nodiscard]] LayoutFit FitOf(const compiler::Options& options);
// With the need. Compiles what the graph knows for ChainLayout=Shared, if it is not.
[[nodiscard]] LayoutFit FitOf(const compiler::Graph& graph);

// One line on the numbers, and two more if the need is known.
[[nodiscard]] std::string LayoutText(const LayoutFit& fit);
// The value: {"chain_layout": "PerContainer", "mark_mask": 4294901760, "shared_numbers": 1024},
// and, with the need, "ingress_lists", "egress_lists", "shared_fits", "containers_without_number"
// and "containers_with_own_chains".
void WriteLayout(const LayoutFit& fit, JsonLine& json);

}  // namespace felix
