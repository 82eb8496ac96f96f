// SPDX-License-Identifier: Apache-2.0
#include "tests/reference/opinion.h"

#include <optional>

#include "fmt/format.h"

#include "tests/reference/rule_meaning.h"

namespace felix::reference {
namespace {

using Says = Opinion::Says;
using testing::Packet;

std::optional<model::RuleAction> FirstMatch(const ClusterView& cluster,
                                            const std::vector<model::PolicyRule>& rules,
                                            const Packet& packet) {
  for (const model::PolicyRule& rule : rules) {
    if (rule.action != model::RuleAction::kLog && Matches(cluster, rule, packet)) {
      return rule.action;
    }
  }
  return std::nullopt;
}

template <typename RuleOwner>
const std::vector<model::PolicyRule>& RulesOf(const RuleOwner& owner, Direction direction) {
  return direction == Direction::kIngress ? owner.ingress : owner.egress;
}

}  // namespace

Opinion AskTiers(const ClusterView& cluster, const std::vector<AppliedTier>& tiers,
                 Direction direction, const Packet& packet) {
  for (const AppliedTier& tier : tiers) {
    std::optional<model::RuleAction> decision;
    std::string decided_by;
    for (const AppliedPolicy& applied : tier.policies) {
      decided_by = applied.id.ToString();
      if (applied.policy == nullptr) return {Says::kDeny, fmt::format("broken {}", decided_by)};
      decision = FirstMatch(cluster, RulesOf(*applied.policy, direction), packet);
      if (decision.has_value()) break;
    }
    if (decision == model::RuleAction::kAllow) return {Says::kAllow, decided_by};
    if (decision == model::RuleAction::kDeny) return {Says::kDeny, decided_by};
    if (!decision.has_value() && tier.denies_at_end) {
      return {Says::kDeny, fmt::format("end of tier {}", tier.name)};
    }
  }
  return {Says::kSilent, "no tier decides"};
}

Opinion AskProfiles(const ClusterView& cluster, const std::vector<std::string>& profiles,
                    Direction direction, const Packet& packet) {
  for (const std::string& name : profiles) {
    const model::Profile* profile = cluster.FindProfile(name);
    if (profile == nullptr) return {Says::kDeny, fmt::format("unknown profile/{}", name)};
    const auto action = FirstMatch(cluster, RulesOf(*profile, direction), packet);
    if (action == model::RuleAction::kAllow) return {Says::kAllow, fmt::format("profile/{}", name)};
    if (action == model::RuleAction::kDeny) return {Says::kDeny, fmt::format("profile/{}", name)};
  }
  return {Says::kDeny, "no profile allows it"};
}

Opinion AskAll(const ClusterView& cluster, const std::vector<AppliedTier>& tiers,
               const std::vector<std::string>& profiles, Direction direction,
               const Packet& packet) {
  Opinion opinion = AskTiers(cluster, tiers, direction, packet);
  if (opinion.says != Says::kSilent) return opinion;
  return AskProfiles(cluster, profiles, direction, packet);
}

}  // namespace felix::reference
