// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/rule.h"
#include "iptables/encoded_rule.h"
#include "model/address.h"

// Between rules and the bytes that legacy x_tables holds. One rule has one encoding, and what
// comes back from the kernel for it, put through Normalise, is that encoding again; so rules are
// compared without text, comments or hashes. Provenance is not kept. Conditions that a head can say
// (interfaces, addresses, protocol) come before extensions whatever their order was.
namespace felix::iptables {

// kInvalidArgument for what the kernel could not hold or would refuse: more than 15 port slots,
// ports or an ICMP type without the protocol that has them, two conditions on one head field, chain
// names above 28 bytes, log prefixes above 29 (LOG) or 63 (NFLOG) bytes or with control characters,
// log levels above 7, limits beyond the kernel's counters, translations to the other family or of
// ports without a protocol that has them.
// Errors of the resolver pass through.
absl::StatusOr<EncodedRule> Encode(const ir::Rule& rule, model::IpFamily family,
                                   const SetIndexResolver& index_of);

// The same for a rule in a chain of everybody's. It gets a tag unless it goes to a chain of ours.
absl::StatusOr<EncodedRule> EncodeHookRule(const ir::Rule& rule, model::IpFamily family,
                                           const SetIndexResolver& index_of);

// The rule that these bytes say; kInvalidArgument for rules that Encode cannot have made. Tags are
// left out.
absl::StatusOr<ir::Rule> Decode(const EncodedRule& rule, model::IpFamily family,
                                const SetIdResolver& id_of);

// The normal form of an entry from the kernel. `target` is the name that libiptc gives: for a jump
// the kernel's bytes hold an offset instead. kInvalidArgument if sizes do not fit together.
absl::StatusOr<EncodedRule> Normalise(std::string_view entry, std::string_view target,
                                      model::IpFamily family);

// True for names that only chains of ours bear.
bool IsOurChainName(std::string_view name);

}  // namespace felix::iptables
