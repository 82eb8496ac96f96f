// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "compiler/ir/action.h"
#include "iptables/entry_bytes.h"
#include "model/address.h"
#include "model/port.h"

// Translations of addresses. Which revision and which of the kernel's three structs
// (<linux/netfilter/nf_nat.h>) a target takes is a matter of history: MASQUERADE 0 and SNAT 0 with
// nf_nat_ipv4_multi_range_compat in IPv4, MASQUERADE 0 and SNAT 1 with nf_nat_range in IPv6, DNAT 2
// with nf_nat_range2 in both. These are the ones that iptables writes.
namespace felix::iptables {

struct NatTarget {
  std::string_view name;
  std::uint8_t revision = 0;
  std::string data;
};

// kInvalidArgument for an address of the other family, reversed ports, and ports in a rule whose
// `protocol` has none.
absl::StatusOr<NatTarget> EncodeNat(const ir::Masquerade& nat,
                                    std::optional<model::Protocol> protocol,
                                    model::IpFamily family);
absl::StatusOr<NatTarget> EncodeNat(const ir::SourceNat& nat,
                                    std::optional<model::Protocol> protocol,
                                    model::IpFamily family);
absl::StatusOr<NatTarget> EncodeNat(const ir::DestinationNat& nat,
                                    std::optional<model::Protocol> protocol,
                                    model::IpFamily family);

bool IsNat(const Extension& target);
// kInvalidArgument for revisions and options that are never ours.
absl::StatusOr<ir::Action> DecodeNat(const Extension& target, model::IpFamily family);

}  // namespace felix::iptables
