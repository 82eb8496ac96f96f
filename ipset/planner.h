// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"

#include "compiler/ir/address_set.h"
#include "ipset/kernel_sets.h"
#include "model/address.h"

namespace felix::ipset {

// A hash:net set refuses prefix length 0, so /0 becomes its two halves. What the kernel should hold
// for the set: sorted, without repetition, correct beside explicit /1 members.
[[nodiscard]] std::vector<ir::SetMember> KernelMembers(const ir::AddressSet& set);
// The same for one member of a set of that kind: itself, or two halves.
[[nodiscard]] std::vector<ir::SetMember> KernelMembers(ir::SetKind kind,
                                                       const ir::SetMember& member);
// True if the kernel should hold `kernel_member` for the set.
[[nodiscard]] bool IsWanted(const ir::AddressSet& set, const ir::SetMember& kernel_member);

// A set as it should be in the kernel.
struct Target {
  std::string name;
  model::IpFamily family = model::IpFamily::kV4;
  std::uint32_t max_members = 0;
  const ir::AddressSet* desired = nullptr;
};

enum class Presence : std::uint8_t {
  kMissing,
  kMatching,   // right parameters; the members may differ
  kUnfit,      // right type and family, but other parameters or members we cannot name
  kOtherType,  // the kernel will not swap it with a set of ours
};

// What is known of a set in the kernel, as its distance from the target.
struct Actual {
  Presence presence = Presence::kMissing;
  // Only for kMatching: members there, members to come, members to go.
  std::size_t size = 0;
  absl::btree_set<ir::SetMember> to_add;
  absl::btree_set<ir::SetMember> to_remove;
};

[[nodiscard]] Actual Compare(const std::optional<SetContent>& content, const Target& target);

// Whether superfluous members go at once, or stay until the rules have changed too.
enum class Removals : std::uint8_t { kNow, kLater };

// The operations that lead from what is to what should be. While they run, no rule sees a set that
// is less than it was and than it will be: a new set is filled before anything can name it; members
// are added before others are removed; a replacement is filled under a temporary name and swapped
// in. Nothing is ever flushed.
//
// Which way: a change of a member costs the kernel some 0.3 µs, whichever way it gets there; a
// replacement writes every member of the new set, and some 15 µs for creation, swap and
// destruction, and both sets are in memory for a while. So the difference is written unless more
// than 1000 members change and those are more than half of the set (of the larger of old and new).
// From there on the costs are alike, and rules see the replacement as one step. A set that only
// grows is never replaced.
struct SetPlan {
  std::vector<Operation> operations;
  std::string temporary;         // the temporary name if the plan uses one; gone at its end
  bool rebuilds = false;         // creates or replaces the whole set
  bool leaves_removals = false;  // superfluous members stay, because Removals::kLater

  [[nodiscard]] bool empty() const { return operations.empty(); }
};

// `temporary` must be the name of no set. With Removals::kLater a set is still replaced at once if
// its parameters are wrong, or if old and new members together would not fit into it.
[[nodiscard]] SetPlan Plan(const Target& target, const Actual& actual, Removals removals,
                           const std::string& temporary);

// Buckets for a set of that many members.
[[nodiscard]] std::uint32_t HashSize(std::size_t members);

}  // namespace felix::ipset
