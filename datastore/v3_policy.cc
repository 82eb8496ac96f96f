// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_policy.h"

#include "absl/strings/match.h"
#include "fmt/format.h"

#include "datastore/names.h"
#include "datastore/v3_rule.h"
#include "datastore/v3_selector.h"

namespace felix::datastore {
namespace {

std::optional<std::string> ReadTier(ObjectReader& spec) {
  const std::size_t before = spec.faults().count();
  std::string tier = spec.StringOrEmpty("tier");
  if (tier.empty()) tier = kDefaultTier;
  if (const auto problem = CheckTierName(tier)) spec.Fault("tier", *problem);
  if (spec.faults().count() != before) return std::nullopt;
  return tier;
}

std::optional<std::optional<double>> ReadOrder(ObjectReader& spec) {
  const std::size_t before = spec.faults().count();
  const std::optional<double> order = spec.Number("order");
  if (spec.faults().count() != before) return std::nullopt;
  return order;
}

// Absent if the field is at fault. Types that a person leaves out are told by the rules there are.
std::optional<PolicyTypes> ReadTypes(ObjectReader& spec, Author author) {
  const std::size_t before = spec.faults().count();
  PolicyTypes types = ReadListedTypes(spec, "types");
  if (!types.ingress && !types.egress) {
    types = author == Author::kClient
                ? PolicyTypes{}
                : DefaultPolicyTypes(!spec.List("ingress").empty(), !spec.List("egress").empty());
  }
  if (spec.faults().count() != before) return std::nullopt;
  return types;
}

void ReadHostOptions(ObjectReader& spec, bool namespaced, model::Policy& policy) {
  policy.do_not_track = spec.BooleanOrFalse("doNotTrack");
  policy.pre_dnat = spec.BooleanOrFalse("preDNAT");
  policy.apply_on_forward = spec.BooleanOrFalse("applyOnForward");
  const std::pair<std::string_view, bool> options[] = {{"doNotTrack", policy.do_not_track},
                                                       {"preDNAT", policy.pre_dnat},
                                                       {"applyOnForward", policy.apply_on_forward}};
  for (const auto& [name, set] : options) {
    if (namespaced && set) spec.Fault(name, "not allowed in a namespaced policy");
  }
  if (policy.do_not_track && policy.pre_dnat) {
    spec.Fault("preDNAT", "excludes doNotTrack");
  }
  if (!policy.apply_on_forward) {
    if (policy.do_not_track) spec.Fault("doNotTrack", "needs applyOnForward");
    if (policy.pre_dnat) spec.Fault("preDNAT", "needs applyOnForward");
  }
}

void ReadPerformanceHints(ObjectReader& spec, model::Policy& policy) {
  for (const Field& hint : spec.List("performanceHints")) {
    const std::optional<std::string> text = ReadString(hint, spec.faults());
    if (!text) continue;
    if (*text == "AssumeNeededOnEveryNode") {
      policy.assume_needed_on_every_node = true;
    } else {
      spec.faults().Add(*hint.node, hint.path, fmt::format("unknown hint '{}'", *text));
    }
  }
}

}  // namespace

void TakeParts(const PolicyParts& parts, model::Policy& policy) {
  if (!parts.tier || !parts.order || !parts.selector || !parts.types) return;
  policy.tier = *parts.tier;
  policy.order = *parts.order;
  policy.selector = *parts.selector;
  policy.ingress_applies = parts.types->ingress;
  policy.egress_applies = parts.types->egress;
}

PolicyTypes ReadListedTypes(ObjectReader& spec, std::string_view name) {
  PolicyTypes types{false, false};
  for (const Field& element : spec.List(name)) {
    const std::optional<std::string> text = ReadString(element, spec.faults());
    if (!text) continue;
    const bool ingress = absl::EqualsIgnoreCase(*text, "Ingress");
    if (!ingress && !absl::EqualsIgnoreCase(*text, "Egress")) {
      spec.faults().Add(*element.node, element.path,
                        fmt::format("'{}' is neither Ingress nor Egress", *text));
      continue;
    }
    bool& direction = ingress ? types.ingress : types.egress;
    if (direction) spec.faults().Add(*element.node, element.path, "listed twice");
    direction = true;
  }
  return types;
}

ReadPolicyResult ReadPolicySpec(const Field& field, const std::string& namespace_name,
                                Author author, Faults& faults) {
  ObjectReader spec(field, faults);
  ReadPolicyResult result;
  PolicyParts& parts = result.parts;
  // A spec that is no object at all reads as empty, which would cover everything.
  if (faults.empty() || field.node->kind() == DocumentNode::Kind::kObject) {
    parts.tier = ReadTier(spec);
    parts.order = ReadOrder(spec);
    parts.selector = ReadPolicySelector(spec, namespace_name);
    parts.types = ReadTypes(spec, author);
  }

  model::Policy& policy = result.policy;
  const RuleOwner owner{namespace_name, false};
  policy.ingress = ReadRules(spec, "ingress", owner);
  policy.egress = ReadRules(spec, "egress", owner);
  ReadHostOptions(spec, !namespace_name.empty(), policy);
  ReadPerformanceHints(spec, policy);
  if (policy.pre_dnat && ((parts.types && parts.types->egress) || !policy.egress.empty())) {
    spec.Fault(policy.egress.empty() ? "types" : "egress", "a preDNAT policy has no egress");
  }
  spec.RefuseUnknown();
  TakeParts(parts, policy);
  return result;
}

}  // namespace felix::datastore
