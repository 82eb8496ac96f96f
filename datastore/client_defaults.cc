// SPDX-License-Identifier: Apache-2.0
#include "datastore/client_defaults.h"

#include "datastore/v3_selector.h"

namespace felix::datastore {
namespace {

void DropInheritedOnly(model::LabelSet& labels) {
  std::vector<std::string> dropped;
  for (const auto& [key, value] : labels) {
    if (key.starts_with(kNamespaceLabelPrefix) || key.starts_with(kServiceAccountLabelPrefix)) {
      dropped.emplace_back(key);
    }
  }
  for (const std::string& key : dropped) labels.Erase(key);
}

void Force(model::LabelSet& labels, std::string_view key, std::string_view value) {
  if (value.empty()) {
    labels.Erase(key);
  } else {
    labels.Set(key, value);
  }
}

}  // namespace

PolicyTypes DefaultPolicyTypes(bool has_ingress_rules, bool has_egress_rules) {
  return {has_ingress_rules || !has_egress_rules, has_egress_rules};
}

std::vector<model::Update> BuiltInResources() {
  using model::Tier;
  using model::TierDefaultAction;
  model::PolicyRule allow;
  allow.action = model::RuleAction::kAllow;
  model::Profile default_allow;
  default_allow.ingress.push_back(allow);
  default_allow.egress.push_back(allow);
  return {
      {model::TierId{std::string(kDefaultTier)}, Tier{kDefaultTierOrder, TierDefaultAction::kDeny}},
      {model::TierId{"kube-admin"}, Tier{1'000, TierDefaultAction::kPass}},
      {model::TierId{"kube-baseline"}, Tier{10'000'000, TierDefaultAction::kPass}},
      {model::ProfileId{std::string(kDefaultAllowProfile)}, default_allow},
  };
}

void ForceEndpointLabels(model::LabelSet& labels, std::string_view namespace_name,
                         std::string_view orchestrator, std::string_view service_account) {
  DropInheritedOnly(labels);
  Force(labels, kNamespaceLabel, namespace_name);
  Force(labels, kOrchestratorLabel, orchestrator);
  Force(labels, kServiceAccountLabel, service_account);
}

void ForceNetworkSetLabels(model::LabelSet& labels, std::string_view namespace_name) {
  DropInheritedOnly(labels);
  Force(labels, kNamespaceLabel, namespace_name);
  Force(labels, kServiceAccountLabel, "");
}

void ForceProfileLabels(model::LabelSet& labels) {
  for (const std::string_view key : {kNamespaceLabel, kServiceAccountLabel, kOrchestratorLabel}) {
    labels.Erase(key);
  }
}

}  // namespace felix::datastore
