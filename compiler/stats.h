// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace felix::compiler {

// The work of one pass. What a unit of work is differs from pass to pass and is said in
// docs/life-of-an-update.md; the four words mean the same everywhere.
struct PassStats {
  std::uint64_t updates_in = 0;  // times that the pass was told something
  std::uint64_t recomputed = 0;  // units worked out anew
  std::uint64_t emitted = 0;     // units whose outcome went on to the next pass
  std::uint64_t suppressed = 0;  // units that ended here, since they made no difference
  bool operator==(const PassStats&) const = default;
};

// How an answer came about, counted since the graph was made. Tests assert these, so that a lost
// optimisation fails like a wrong result. Rebuilding for other options goes on counting.
struct Stats {
  PassStats store;
  PassStats label_index;
  PassStats set_members;
  PassStats policy_resolver;
  PassStats local_endpoints;
  PassStats host_endpoints;
  PassStats active_rules;
  PassStats emitter;
  PassStats pools;

  // Parts of the above.
  std::uint64_t policies_rendered = 0;  // active_rules: rule lists of policies and profiles
  std::uint64_t shapes_rendered = 0;    // active_rules: the rest
  std::uint64_t dispatch_rendered = 0;  // local_endpoints, beside its interfaces
  std::uint64_t members_changed = 0;    // set_members: before cancelling out
  std::uint64_t rebuilds = 0;
};

// The passes by name, in the order of the flow.
inline constexpr std::array<std::pair<std::string_view, PassStats Stats::*>, 9> kPasses = {{
    {"store", &Stats::store},
    {"label_index", &Stats::label_index},
    {"set_members", &Stats::set_members},
    {"policy_resolver", &Stats::policy_resolver},
    {"local_endpoints", &Stats::local_endpoints},
    {"host_endpoints", &Stats::host_endpoints},
    {"active_rules", &Stats::active_rules},
    {"emitter", &Stats::emitter},
    {"pools", &Stats::pools},
}};

}  // namespace felix::compiler
