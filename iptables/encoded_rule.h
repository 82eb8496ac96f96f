// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "compiler/ir/address_set.h"

namespace felix::iptables {

// One rule as the kernel knows it, in normal form: the bytes of an `ipt_entry` or `ip6t_entry` with
// its matches and its target, counters and everything private to the kernel zeroed, and the name of
// the target where libiptc wants it on insertion. Two rules are the same rule exactly if these
// values are equal. `target` is a verdict (ACCEPT, DROP, QUEUE, RETURN), a chain or an extension;
// empty for a rule that only counts.
struct EncodedRule {
  std::string bytes;
  std::string target;
  bool is_jump = false;  // `target` is a chain, reached by jump or by goto
  // Carries the comment by which rules of ours in foreign chains are known that jump to no chain
  // of ours.
  bool is_tagged = false;

  bool operator==(const EncodedRule&) const = default;
};

// The comment of tagged rules. Any comment of the prefix and an id ([A-Za-z0-9_-]) is a tag, so
// that hooks of other implementations of the same agent are known too.
inline constexpr std::string_view kTagPrefix = "cali:";
inline constexpr std::string_view kTag = "cali:hook";

// The kernel's number of a set. It changes when a set is destroyed and made again, but not when two
// sets are swapped. kNotFound if there is no such set.
using SetIndexResolver = std::function<absl::StatusOr<std::uint16_t>(const ir::SetKey&)>;
// The way back: the id of a set from its number.
using SetIdResolver = std::function<absl::StatusOr<std::string>(std::uint16_t)>;

}  // namespace felix::iptables
