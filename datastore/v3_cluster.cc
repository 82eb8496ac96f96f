// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_cluster.h"

#include "fmt/format.h"

#include "datastore/client_defaults.h"
#include "datastore/names.h"
#include "datastore/v3_rule.h"
#include "datastore/v3_selector.h"

namespace felix::datastore {

model::Tier ReadTierSpec(const Field& field, Faults& faults, Faults& remarks) {
  ObjectReader spec(field, faults);
  model::Tier tier;
  tier.order = spec.Number("order").value_or(kDefaultTierOrder);
  const std::string action = spec.StringOrEmpty("defaultAction");
  if (action == "Pass") {
    tier.default_action = model::TierDefaultAction::kPass;
  } else if (!action.empty() && action != "Deny") {
    const std::optional<Field> at = spec.Find("defaultAction");
    remarks.Add(*at->node, at->path,
                fmt::format("'{}' is neither Deny nor Pass, taken for Deny", action));
  }
  spec.RefuseMisspelt();
  return tier;
}

model::Profile ReadProfileSpec(const Field& field, Faults& faults) {
  ObjectReader spec(field, faults);
  model::Profile profile;
  const RuleOwner owner{"", true};
  profile.ingress = ReadRules(spec, "ingress", owner);
  profile.egress = ReadRules(spec, "egress", owner);
  std::vector<model::LabelSet::Entry> labels = spec.StringMap("labelsToApply");
  for (const auto& [key, value] : labels) {
    std::optional<std::string> problem = CheckLabelKey(key);
    if (!problem) problem = CheckLabelValue(value);
    if (problem) spec.Fault("labelsToApply", fmt::format("'{}': {}", key, *problem));
  }
  profile.labels_to_apply = model::LabelSet(std::move(labels));
  ForceProfileLabels(profile.labels_to_apply);
  spec.RefuseUnknown();
  return profile;
}

model::NetworkSet ReadNetworkSetSpec(const Field& field, const std::string& namespace_name,
                                     const model::LabelSet& labels, Faults& faults) {
  ObjectReader spec(field, faults);
  model::NetworkSet set;
  for (const Field& element : spec.List("nets")) {
    const std::optional<std::string> text = ReadString(element, faults);
    if (!text) continue;
    const absl::StatusOr<model::Cidr> cidr = model::Cidr::Parse(*text);
    if (cidr.ok()) {
      set.nets.push_back(*cidr);
    } else {
      faults.Add(*element.node, element.path,
                 fmt::format("'{}' is not an address or a network", *text));
    }
  }
  set.labels = labels;
  ForceNetworkSetLabels(set.labels, namespace_name);
  if (!namespace_name.empty()) set.profiles.push_back(fmt::format("kns.{}", namespace_name));
  spec.RefuseMisspelt();
  return set;
}

}  // namespace felix::datastore
