// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace felix::datastore {

// What names the Calico API allows; the rules are those of its clients' validation. Each Check
// returns what is wrong with the text, lower case, or nothing.

// One label of a DNS name: [a-z0-9]([-a-z0-9]*[a-z0-9])?, at most 63 characters.
[[nodiscard]] bool IsDnsLabel(std::string_view text);
// DNS labels joined by dots, at most 253 characters; the labels' own length does not matter.
[[nodiscard]] bool IsDnsName(std::string_view text);

[[nodiscard]] std::optional<std::string> CheckResourceName(std::string_view name);
// Profiles also bear the names of networks and groups: [a-zA-Z0-9_.-]{1,253}.
[[nodiscard]] std::optional<std::string> CheckProfileName(std::string_view name);
[[nodiscard]] std::optional<std::string> CheckNamespace(std::string_view name);
[[nodiscard]] std::optional<std::string> CheckTierName(std::string_view name);
// Policies: one or two labels, or the longer names that the controllers give to policies which they
// copy from Kubernetes (knp.default.x, ossg.default.x, and global: kcnp.<tier>.x).
[[nodiscard]] std::optional<std::string> CheckPolicyName(std::string_view name, bool global);

// Kubernetes' qualified name: [dns-name/]name, the name at most 63 of [-A-Za-z0-9_.] with
// alphanumeric edges.
[[nodiscard]] std::optional<std::string> CheckLabelKey(std::string_view key);
// At most 63 of the same alphabet; may be empty.
[[nodiscard]] std::optional<std::string> CheckLabelValue(std::string_view value);

// What the kernel takes for an interface and Calico for an endpoint's: [a-zA-Z0-9_.-]{1,15}, and
// not the names that a path would swallow.
[[nodiscard]] bool IsInterfaceName(std::string_view name);
// The forms of Go's net.ParseMAC for 6, 8 and 20 bytes: pairs by colon or dash, or fours by dot.
[[nodiscard]] bool IsMacAddress(std::string_view text);

// A WorkloadEndpoint's name, taken apart: node-orchestrator-X-endpoint, where a dash inside a part
// is doubled. Absent if it does not have exactly four parts, or one of them is empty or begins or
// ends with a dash.
struct WorkloadEndpointName {
  std::string node;
  std::string orchestrator;
  std::string workload;
  std::string endpoint;
};
[[nodiscard]] std::optional<WorkloadEndpointName> ParseWorkloadEndpointName(std::string_view name);

}  // namespace felix::datastore
