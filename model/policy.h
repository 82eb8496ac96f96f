// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/rule.h"
#include "model/selector.h"

namespace felix::model {

enum class PolicyKind : std::uint8_t {
  kNetworkPolicy,
  kGlobalNetworkPolicy,
  kStagedNetworkPolicy,
  kStagedGlobalNetworkPolicy,
  kStagedKubernetesNetworkPolicy,
};

// "NetworkPolicy" etc., as the API spells it; part of Calico's tie-break string.
[[nodiscard]] std::string_view KindName(PolicyKind kind);
// np, gnp, snp, sgnp, sknp: as chain names spell it.
[[nodiscard]] std::string_view ShortKindName(PolicyKind kind);
// Staged kinds have no effect on traffic.
[[nodiscard]] bool IsStaged(PolicyKind kind);

struct PolicyId {
  PolicyKind kind = PolicyKind::kGlobalNetworkPolicy;
  std::string namespace_name;  // empty for global kinds
  std::string name;

  // `<short kind>/<name>` or `<short kind>/<namespace>/<name>`.
  [[nodiscard]] std::string ToString() const;
  friend auto operator<=>(const PolicyId&, const PolicyId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const PolicyId& p) {
    return H::combine(std::move(h), p.kind, p.namespace_name, p.name);
  }
};

// A policy whose selector is final (namespace, service accounts folded in).
struct Policy {
  std::string tier = "default";
  std::optional<double> order;  // absent sorts last
  Selector selector;
  bool ingress_applies = true;
  bool egress_applies = true;
  std::vector<PolicyRule> ingress;
  std::vector<PolicyRule> egress;
  bool do_not_track = false;
  bool pre_dnat = false;
  bool apply_on_forward = false;
  bool assume_needed_on_every_node = false;

  bool operator==(const Policy&) const = default;
};

// What is known of a policy that failed validation: enough to deny in its tier what it last
// covered, if the operator asked for that (InvalidPolicyAction=Drop). The parts are the last that
// could be read, from this version of the object or an earlier one; without a selector nothing is
// known of what it covered.
struct BrokenPolicy {
  std::string tier = "default";
  std::optional<double> order;
  std::optional<Selector> selector;
  bool ingress_applies = true;
  bool egress_applies = true;

  bool operator==(const BrokenPolicy&) const = default;
};

enum class TierDefaultAction : std::uint8_t { kDeny, kPass };

struct Tier {
  std::optional<double> order;  // absent sorts last
  TierDefaultAction default_action = TierDefaultAction::kDeny;

  bool operator==(const Tier&) const = default;
};

// Rules for the endpoints that list it, and labels they inherit from it.
struct Profile {
  LabelSet labels_to_apply;
  std::vector<PolicyRule> ingress;
  std::vector<PolicyRule> egress;

  bool operator==(const Profile&) const = default;
};

}  // namespace felix::model
