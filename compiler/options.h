// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/match.h"
#include "model/address.h"
#include "model/host_endpoint.h"
#include "model/port.h"

namespace felix::compiler {

// How packets get from the kernel's chains to the policies of a container: by chains and rules of
// its own, or by elements of a set that tell which shared chain is meant (shared_layout.h).
enum class ChainLayout : std::uint8_t { kPerContainer, kShared };
enum class AllowAction : std::uint8_t { kAccept, kReturn };
enum class DenyAction : std::uint8_t { kDrop, kReject };
enum class EndpointToHostAction : std::uint8_t { kDrop, kReturn, kAccept };
enum class InsertMode : std::uint8_t { kInsert, kAppend };
enum class InvalidPolicyAction : std::uint8_t { kIgnore, kDrop };
enum class NatOutgoingExclusions : std::uint8_t { kIpPoolsOnly, kIpPoolsAndHostIps };

// What configuration means to the compiler. Immutable for the life of a Graph; a change of any of
// it is a new Graph over the same Store.
struct Options {
  std::string hostname;
  std::vector<std::string> interface_prefixes = {"cali"};
  bool ipv6_support = true;
  ChainLayout chain_layout = ChainLayout::kPerContainer;
  InsertMode insert_mode = InsertMode::kInsert;
  AllowAction filter_allow_action = AllowAction::kAccept;
  DenyAction filter_deny_action = DenyAction::kDrop;
  EndpointToHostAction endpoint_to_host_action = EndpointToHostAction::kDrop;
  InvalidPolicyAction invalid_policy_action = InvalidPolicyAction::kIgnore;
  // Bits we may use; at least Marks::BitsNeeded(chain_layout).
  std::uint32_t mark_mask = 0xffff0000;
  bool disable_conntrack_invalid_check = false;
  bool allow_vxlan_from_workloads = false;
  bool allow_ipip_from_workloads = false;
  std::uint16_t vxlan_port = 4789;
  std::vector<model::FailsafePort> failsafe_inbound;   // of the host; always open to peers
  std::vector<model::FailsafePort> failsafe_outbound;  // of peers; always open to the host
  AllowAction mangle_allow_action = AllowAction::kAccept;
  bool workload_source_spoofing = false;  // WorkloadSourceSpoofing=Any
  // Of rules that log. %t is the tier, %k the short kind (pro for profiles), %n the name, %p the
  // namespace and the name.
  std::string log_prefix = "calico-packet";
  std::optional<ir::LimitMatch> log_limit;  // of each rule that logs
  // Of connections that leave the pools. An interface's name, or a prefix and "+".
  std::string nat_outgoing_interface_filter;
  NatOutgoingExclusions nat_outgoing_exclusions = NatOutgoingExclusions::kIpPoolsOnly;
  std::optional<model::PortRange> nat_port_range;        // TCP and UDP; the rest has its own ways
  std::optional<model::IpAddress> nat_outgoing_address;  // absent: the outgoing interface's
  bool floating_ips_enabled = false;  // those of OpenStack's endpoints always hold

  bool operator==(const Options&) const = default;
};

}  // namespace felix::compiler
