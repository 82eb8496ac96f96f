// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/match.h"
#include "iptables/encoded_rule.h"
#include "iptables/entry_bytes.h"
#include "model/address.h"

// Matches that are extensions: multiport 1, set 4, icmp 0, icmp6 0, conntrack 3, mark 1, addrtype
// 1, rpfilter 0, limit 0. Layouts are those of <linux/netfilter/xt_*.h>.
namespace felix::iptables {

// The protocol that all packets of such a rule have, if the rule says one.
std::optional<model::Protocol> RequiredProtocol(const std::vector<ir::Match>& matches);

// Appends the extension of `match`, which must not be a header match. kInvalidArgument if the
// kernel could not hold it or would refuse it beside `protocol`; the resolver's errors pass
// through.
absl::Status AppendMatch(const ir::Match& match, std::optional<model::Protocol> protocol,
                         model::IpFamily family, const SetIndexResolver& index_of,
                         std::string& entry);
void AppendTag(std::string& entry);

// Nothing for a comment; kInvalidArgument for extensions and options that are never ours.
absl::StatusOr<std::optional<ir::Match>> DecodeMatch(const Extension& match, model::IpFamily family,
                                                     const SetIdResolver& id_of);
bool IsTag(const Extension& match);

// How much of the match's data is the rule's; behind it the kernel keeps its own books.
std::size_t PublicMatchSize(const Extension& match);

}  // namespace felix::iptables
