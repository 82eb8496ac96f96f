// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/action.h"
#include "iptables/encoded_rule.h"
#include "iptables/entry_bytes.h"
#include "model/address.h"
#include "model/port.h"

// Targets: verdicts and jumps (the standard target), MARK 2, LOG 0, REJECT 0, NFLOG 0, CT 2, SET 3,
// and those of nat_codec.h.
namespace felix::iptables {

// ACCEPT, DROP, QUEUE, RETURN.
bool IsVerdict(std::string_view target);

// A standard target that bears the name of a verdict or chain, for libiptc to put the number in.
void AppendStandardTarget(std::string_view name, std::string& entry);

// Appends to the bytes and says in `rule` what the target is; `protocol` is what the rule requires.
// kInvalidArgument as for Encode.
absl::Status AppendTarget(const ir::Action& action, std::optional<model::Protocol> protocol,
                          model::IpFamily family, const SetIndexResolver& index_of,
                          EncodedRule& rule);

// How much of the target's data is the rule's; behind it the kernel keeps its own books.
std::size_t PublicTargetSize(const Extension& target);

absl::StatusOr<ir::Action> DecodeTarget(const Extension& target, const EncodedRule& rule,
                                        bool is_goto, model::IpFamily family,
                                        const SetIdResolver& id_of);

}  // namespace felix::iptables
