// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_policy.h"

#include "fmt/format.h"

#include "datastore/v1_rule.h"
#include "datastore/v3_selector.h"

namespace felix::datastore {
namespace {

constexpr std::string_view kStagedPrefix = "staged:";
constexpr std::string_view kKubernetesPrefix = "knp.default.";

bool CutPrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<model::Selector> ReadFinalSelector(ObjectReader& object) {
  const std::size_t before = object.faults().count();
  if (!object.Find("selector")) {
    object.Fault("selector", "missing");
    return std::nullopt;
  }
  const std::string text = ReadSelector(object, "selector", GlobalTerm::kAllowed);
  const absl::StatusOr<model::Selector> selector = model::Selector::Parse(text);
  if (object.faults().count() != before || !selector.ok()) return std::nullopt;
  return *selector;
}

// Absent if the field is at fault.
std::optional<PolicyTypes> ReadTypes(ObjectReader& object, bool pre_dnat) {
  const std::size_t before = object.faults().count();
  PolicyTypes types = ReadListedTypes(object, "types");
  if (object.faults().count() != before) return std::nullopt;
  if (types.ingress || types.egress) return types;
  return PolicyTypes{true, !pre_dnat};
}

void ReadHostOptions(ObjectReader& object, model::Policy& policy) {
  // One release called it by the name that the v3 API has for it.
  const bool untracked = object.BooleanOrFalse("untracked");
  const bool do_not_track = object.BooleanOrFalse("doNotTrack");
  policy.do_not_track = untracked || do_not_track;
  policy.pre_dnat = object.BooleanOrFalse("pre_dnat");
  if (policy.do_not_track && policy.pre_dnat) {
    object.Fault("pre_dnat", fmt::format("excludes {}", untracked ? "untracked" : "doNotTrack"));
  }
  // The option is younger than the other two, which imply it.
  policy.apply_on_forward =
      object.BooleanOrFalse("apply_on_forward") || policy.do_not_track || policy.pre_dnat;
}

}  // namespace

model::PolicyId V1PolicyId(std::string_view name) {
  bool staged = CutPrefix(name, kStagedPrefix);
  model::PolicyId id;
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) {
    id.kind = staged ? model::PolicyKind::kStagedGlobalNetworkPolicy
                     : model::PolicyKind::kGlobalNetworkPolicy;
    id.name = name;
    return id;
  }
  id.namespace_name = name.substr(0, slash);
  name.remove_prefix(slash + 1);
  staged = CutPrefix(name, kStagedPrefix) || staged;
  id.kind = !staged ? model::PolicyKind::kNetworkPolicy
            : name.starts_with(kKubernetesPrefix)
                ? model::PolicyKind::kStagedKubernetesNetworkPolicy
                : model::PolicyKind::kStagedNetworkPolicy;
  id.name = name;
  return id;
}

std::optional<std::optional<double>> ReadV1Order(ObjectReader& object) {
  const std::optional<Field> field = object.Find("order");
  if (!field) return std::optional<double>();
  if (field->node->kind() == DocumentNode::Kind::kString) {
    if (field->node->string() == "default") return std::optional<double>();
    object.Fault("order",
                 fmt::format("'{}' is neither a number nor default", field->node->string()));
    return std::nullopt;
  }
  const std::size_t before = object.faults().count();
  const std::optional<double> order = object.Number("order");
  if (object.faults().count() != before) return std::nullopt;
  return order;
}

ReadPolicyResult ReadV1Policy(const Field& field, const std::string& tier, Faults& faults) {
  ObjectReader object(field, faults);
  ReadPolicyResult result;
  model::Policy& policy = result.policy;
  PolicyParts& parts = result.parts;
  parts.tier = tier;
  ReadHostOptions(object, policy);
  // What is no object at all reads as empty, which says nothing of order or types.
  if (field.node->kind() == DocumentNode::Kind::kObject) {
    parts.order = ReadV1Order(object);
    parts.selector = ReadFinalSelector(object);
    parts.types = ReadTypes(object, policy.pre_dnat);
  }
  const RuleOwner owner{"", false};
  policy.ingress = ReadV1Rules(object, "inbound_rules", owner);
  policy.egress = ReadV1Rules(object, "outbound_rules", owner);
  if (policy.pre_dnat && ((parts.types && parts.types->egress) || !policy.egress.empty())) {
    object.Fault(policy.egress.empty() ? "types" : "outbound_rules",
                 "a policy before DNAT has no egress");
  }
  object.RefuseUnknown();
  TakeParts(parts, policy);
  return result;
}

}  // namespace felix::datastore
