// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/judge.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace felix::replay {
namespace {

using ir::Direction;

constexpr double kLast = std::numeric_limits<double>::infinity();
constexpr model::Protocol kIpInIp{4};

template <typename AnyPolicy>
bool Applies(const AnyPolicy& policy, Direction direction) {
  return direction == Direction::kIngress ? policy.ingress_applies : policy.egress_applies;
}

template <typename RuleOwner>
const std::vector<model::PolicyRule>& RulesOf(const RuleOwner& owner, Direction direction) {
  return direction == Direction::kIngress ? owner.ingress : owner.egress;
}

// Tiers that exist before those that do not, ordered ones before the rest, then by name.
auto TierRank(const model::Store& store, const std::string& name) {
  const auto tier = store.tiers().find(model::TierId{name});
  const bool missing = tier == store.tiers().end();
  const bool unordered = missing || !tier->second.order.has_value();
  return std::make_tuple(missing, unordered, unordered ? 0.0 : *tier->second.order, name);
}

bool MayHaveSource(const model::WorkloadEndpoint& endpoint, const model::IpAddress& source) {
  const auto& prefixes = endpoint.allow_spoofed_source_prefixes;
  return std::find(endpoint.addresses.begin(), endpoint.addresses.end(), source) !=
             endpoint.addresses.end() ||
         std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const model::Cidr& net) { return net.Contains(source); });
}

SideDecision Deny(std::string reason) {
  return {false, std::move(reason), std::nullopt};
}

}  // namespace

// One question on its way through a list.
struct Judge::Asked {
  const List& list;
  const compiler::Options& options;
  const Flow& flow;
  const AddressInfo& source;
  const AddressInfo& destination;
  std::vector<PolicyNote>* notes;
};

Judge::Judge(model::Store store, MakeOptions make_options)
    : store_(std::move(store)),
      make_options_(std::move(make_options)),
      policies_(store_.policies().ToMap()) {
  book_ = std::make_unique<AddressBook>(
      store_,
      [this](const std::string& host) -> const compiler::Options& { return OptionsOf(host); });
  for (const auto& [id, endpoint] : store_.host_endpoints()) hosts_with_endpoints_.insert(id.host);
}

Judge::~Judge() = default;

bool Judge::LeavesOutHostEndpoints(std::span<const Workload* const> workloads) const {
  if (hosts_with_endpoints_.empty()) return false;
  return std::any_of(workloads.begin(), workloads.end(), [this](const Workload* workload) {
    return workload != nullptr && hosts_with_endpoints_.contains(workload->id.host);
  });
}

const compiler::Options& Judge::OptionsOf(const std::string& host) const {
  const auto known = options_.find(host);
  if (known != options_.end()) return known->second;
  // Most hosts have no words of their own, and theirs differ by the name alone.
  static constexpr const char* kAnyHost = "";
  const bool own = store_.configs().contains(model::ConfigId{host});
  if (!own && host != kAnyHost) {
    compiler::Options options = OptionsOf(kAnyHost);
    options.hostname = host;
    return options_.emplace(host, std::move(options)).first->second;
  }
  return options_.emplace(host, make_options_(host)).first->second;
}

std::vector<Judge::AppliedTier> Judge::TiersOf(std::uint32_t label_class, Direction direction,
                                               bool broken_deny) const {
  std::map<std::string, std::vector<AppliedPolicy>> by_tier;
  for (const auto& [id, policy] : policies_) {
    if (model::IsStaged(id.kind) || policy.do_not_track || policy.pre_dnat) continue;
    if (!Applies(policy, direction)) continue;
    if (!policy.selector.Matches(book_->label_classes()[label_class])) continue;
    by_tier[policy.tier].push_back({id, policy.order.value_or(kLast), &policy});
  }
  for (const auto& [id, broken] : store_.broken_policies()) {
    if (!broken_deny || model::IsStaged(id.kind) || !broken.selector) continue;
    if (!Applies(broken, direction)) continue;
    if (!broken.selector->Matches(book_->label_classes()[label_class])) continue;
    by_tier[broken.tier].push_back({id, broken.order.value_or(kLast), nullptr});
  }
  const auto rank = [](const AppliedPolicy& p) {
    return std::make_pair(p.order, fmt::format("{}/{}/{}", p.id.name, p.id.namespace_name,
                                               model::KindName(p.id.kind)));
  };
  std::vector<AppliedTier> tiers;
  for (auto& [name, policies] : by_tier) {
    std::sort(policies.begin(), policies.end(),
              [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    const auto tier = store_.tiers().find(model::TierId{name});
    const bool passes = tier != store_.tiers().end() &&
                        tier->second.default_action == model::TierDefaultAction::kPass;
    tiers.push_back({name, !passes, std::move(policies)});
  }
  std::sort(tiers.begin(), tiers.end(), [this](const AppliedTier& a, const AppliedTier& b) {
    return TierRank(store_, a.name) < TierRank(store_, b.name);
  });
  return tiers;
}

std::uint32_t Judge::ListOf(const Workload& workload, Direction direction) const {
  const bool broken_deny =
      OptionsOf(workload.id.host).invalid_policy_action == compiler::InvalidPolicyAction::kDrop;
  const bool ingress = direction == Direction::kIngress;
  // Profiles are told apart by a character that no name holds.
  std::string key = fmt::format("{} {} {} {}", workload.label_class, ingress, broken_deny,
                                fmt::join(workload.endpoint.profiles, " "));
  const auto known = list_numbers_.find(key);
  if (known != list_numbers_.end()) return known->second;
  const auto number = static_cast<std::uint32_t>(lists_.size());
  lists_.push_back({direction, TiersOf(workload.label_class, direction, broken_deny),
                    workload.endpoint.profiles});
  list_numbers_.emplace(std::move(key), number);
  return number;
}

std::optional<model::RuleAction> Judge::FirstMatch(const Asked& asked,
                                                   const std::vector<model::PolicyRule>& rules,
                                                   std::string_view tier, const std::string& owner,
                                                   SideDecision& decision) const {
  PolicyNote note{std::string(tier), owner, {}, ""};
  std::optional<model::RuleAction> action;
  for (std::size_t i = 0; i < rules.size() && !action; ++i) {
    const model::PolicyRule& rule = rules[i];
    const bool explain = asked.notes != nullptr;
    if (rule.action == model::RuleAction::kLog && !explain) continue;
    std::string why;
    const bool matches = RuleMatches(*book_, asked.options, rule, asked.flow, asked.source,
                                     asked.destination, explain ? &why : nullptr);
    if (explain) note.rules.push_back({static_cast<int>(i), Summary(rule), matches, why});
    if (!matches || rule.action == model::RuleAction::kLog) continue;
    action = rule.action;
    decision.decided_by = ir::Provenance{owner, asked.list.direction, static_cast<int>(i)};
  }
  if (asked.notes != nullptr) asked.notes->push_back(std::move(note));
  return action;
}

bool Judge::AskTiers(const Asked& asked, SideDecision& decision) const {
  for (const AppliedTier& tier : asked.list.tiers) {
    std::optional<model::RuleAction> action;
    std::string owner;
    for (const AppliedPolicy& applied : tier.policies) {
      owner = applied.id.ToString();
      if (applied.policy == nullptr) {
        decision = Deny(fmt::format("{} cannot be read", owner));
        if (asked.notes != nullptr) asked.notes->push_back({tier.name, owner, {}, decision.reason});
        return true;
      }
      action = FirstMatch(asked, RulesOf(*applied.policy, asked.list.direction), tier.name, owner,
                          decision);
      if (action) break;
    }
    if (action == model::RuleAction::kPass) continue;
    if (action) {
      decision.allowed = *action == model::RuleAction::kAllow;
      decision.reason = owner;
      return true;
    }
    if (tier.denies_at_end) decision = Deny(fmt::format("end of tier {}", tier.name));
    if (asked.notes != nullptr && !asked.notes->empty()) {
      asked.notes->back().end =
          fmt::format("end of tier {}: {}", tier.name, tier.denies_at_end ? "Deny" : "Pass");
    }
    if (tier.denies_at_end) return true;
  }
  return false;
}

void Judge::AskProfiles(const Asked& asked, SideDecision& decision) const {
  for (const std::string& name : asked.list.profiles) {
    const std::string owner = fmt::format("profile/{}", name);
    const auto profile = book_->profiles().find(model::ProfileId{name});
    if (profile == book_->profiles().end()) {
      decision = Deny(fmt::format("{} is missing", owner));
      if (asked.notes != nullptr) asked.notes->push_back({"", owner, {}, "missing: Deny"});
      return;
    }
    const auto action =
        FirstMatch(asked, RulesOf(profile->second, asked.list.direction), "", owner, decision);
    if (action == model::RuleAction::kAllow || action == model::RuleAction::kDeny) {
      decision.allowed = *action == model::RuleAction::kAllow;
      decision.reason = owner;
      return;
    }
  }
  decision = Deny("no profile allows it");
}

SideDecision Judge::AskList(std::uint32_t list, const std::string& host, const Flow& flow,
                            const AddressInfo& source, const AddressInfo& destination,
                            std::vector<PolicyNote>* notes) const {
  const Asked asked{lists_[list], OptionsOf(host), flow, source, destination, notes};
  SideDecision decision;
  if (!AskTiers(asked, decision)) {
    decision = {};
    AskProfiles(asked, decision);
  }
  return decision;
}

std::optional<SideDecision> Judge::JudgeEnd(const FlowEnds& ends, const Flow& flow,
                                            Direction direction) const {
  const bool egress = direction == Direction::kEgress;
  const Workload* const workload = egress ? ends.from : ends.to;
  if (workload == nullptr) return SideDecision{true, "not a workload", std::nullopt};
  const compiler::Options& options = OptionsOf(workload->id.host);
  if (ends.source.address.family() == model::IpFamily::kV6 && !options.ipv6_support) {
    return SideDecision{true, "IPv6 is off on this host", std::nullopt};
  }
  if (!workload->out_of_force.empty()) return Deny(workload->out_of_force);
  if (!workload->endpoint.admin_up) return Deny("endpoint is down");
  if (!egress) return std::nullopt;
  if (!MayHaveSource(workload->endpoint, ends.source.address)) return Deny("not its own address");
  if (flow.protocol == model::kUdp && flow.destination_port == options.vxlan_port &&
      !options.allow_vxlan_from_workloads) {
    return Deny("VXLAN from a workload");
  }
  if (flow.protocol == kIpInIp && !options.allow_ipip_from_workloads) {
    return Deny("IP in IP from a workload");
  }
  return std::nullopt;
}

SideDecision Judge::AskEgress(const FlowEnds& ends, const Flow& flow,
                              std::vector<PolicyNote>* notes) const {
  if (const auto settled = JudgeEnd(ends, flow, Direction::kEgress)) return *settled;
  return AskList(ListOf(*ends.from, Direction::kEgress), ends.from->id.host, flow, ends.source,
                 ends.destination, notes);
}

SideDecision Judge::AskIngress(const FlowEnds& ends, const Flow& flow,
                               std::vector<PolicyNote>* notes) const {
  if (const auto settled = JudgeEnd(ends, flow, Direction::kIngress)) return *settled;
  return AskList(ListOf(*ends.to, Direction::kIngress), ends.to->id.host, flow, ends.source,
                 ends.destination, notes);
}

const std::pair<const model::PolicyId, model::Policy>* Judge::FindPolicy(
    const std::string& text) const {
  const auto found = std::find_if(policies_.begin(), policies_.end(), [&](const auto& entry) {
    return entry.first.ToString() == text;
  });
  return found == policies_.end() ? nullptr : &*found;
}

void Judge::ForEachRule(std::uint32_t list,
                        const std::function<void(const model::PolicyRule&)>& visit) const {
  const List& asked = lists_[list];
  for (const AppliedTier& tier : asked.tiers) {
    for (const AppliedPolicy& applied : tier.policies) {
      if (applied.policy == nullptr) continue;
      for (const model::PolicyRule& rule : RulesOf(*applied.policy, asked.direction)) visit(rule);
    }
  }
  for (const std::string& name : asked.profiles) {
    const auto profile = book_->profiles().find(model::ProfileId{name});
    if (profile == book_->profiles().end()) continue;
    for (const model::PolicyRule& rule : RulesOf(profile->second, asked.direction)) visit(rule);
  }
}

Judge JudgeOf(const Cluster& cluster) {
  return Judge(cluster.MakeStore(),
               [&cluster](const std::string& host) { return cluster.ConfigOf(host).compiler; });
}

}  // namespace felix::replay
