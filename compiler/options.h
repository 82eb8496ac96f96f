// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/match.h"

namespace felix::compiler {

enum class AllowAction : std::uint8_t { kAccept, kReturn };
enum class DenyAction : std::uint8_t { kDrop, kReject };
enum class EndpointToHostAction : std::uint8_t { kDrop, kReturn, kAccept };
enum class InsertMode : std::uint8_t { kInsert, kAppend };
enum class InvalidPolicyAction : std::uint8_t { kIgnore, kDrop };

// What configuration means to the compiler. Immutable for the life of a Graph; a change of any of
// it is a new Graph over the same Store.
struct Options {
  std::string hostname;
  std::vector<std::string> interface_prefixes = {"cali"};
  bool ipv6_support = true;
  InsertMode insert_mode = InsertMode::kInsert;
  AllowAction filter_allow_action = AllowAction::kAccept;
  DenyAction filter_deny_action = DenyAction::kDrop;
  EndpointToHostAction endpoint_to_host_action = EndpointToHostAction::kDrop;
  InvalidPolicyAction invalid_policy_action = InvalidPolicyAction::kIgnore;
  std::uint32_t mark_mask = 0xffff0000;  // bits we may use; at least four are needed
  bool disable_conntrack_invalid_check = false;
  bool allow_vxlan_from_workloads = false;
  bool allow_ipip_from_workloads = false;
  std::uint16_t vxlan_port = 4789;
  bool workload_source_spoofing = false;  // WorkloadSourceSpoofing=Any
  // Of rules that log. %t is the tier, %k the short kind (pro for profiles), %n the name, %p the
  // namespace and the name.
  std::string log_prefix = "calico-packet";
  std::optional<ir::LimitMatch> log_limit;  // of each rule that logs

  bool operator==(const Options&) const = default;
};

}  // namespace felix::compiler
