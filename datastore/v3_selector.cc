// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_selector.h"

#include <algorithm>

#include "absl/strings/str_replace.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

#include "model/base/check.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

// The parts were parsed when they were read.
std::string Prefixed(std::string_view selector, std::string_view prefix) {
  const absl::StatusOr<model::Selector> parsed = model::Selector::Parse(selector);
  FELIX_CHECK(parsed.ok(), "selector was not checked");
  return parsed->WithLabelPrefix(prefix).text();
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  return absl::StrReplaceAll(ToAbsl(text), {{ToAbsl(from), ToAbsl(to)}});
}

std::string AddCondition(const std::string& current, const std::string& condition) {
  return current.empty() ? condition : fmt::format("({}) && {}", current, condition);
}

std::string NamespaceEquals(std::string_view namespace_name) {
  return fmt::format("{} == '{}'", kNamespaceLabel, namespace_name);
}

std::string Has(std::string_view label) {
  return fmt::format("has({})", label);
}

std::string NamespacePart(const EntitySelectorParts& parts) {
  if (!parts.namespace_selector.empty()) {
    const std::string prefixed = Prefixed(parts.namespace_selector, kNamespaceLabelPrefix);
    return ReplaceAll(ReplaceAll(prefixed, "all()", Has(kNamespaceLabel)), "global()",
                      fmt::format("!{}", Has(kNamespaceLabel)));
  }
  return parts.namespace_name.empty() ? std::string() : NamespaceEquals(parts.namespace_name);
}

std::string ServiceAccountPart(const EntitySelectorParts& parts) {
  std::string names;
  if (!parts.service_account_names.empty()) {
    const std::string text = fmt::format("{} in {{'{}'}}", kServiceAccountLabel,
                                         fmt::join(parts.service_account_names, "', '"));
    const absl::StatusOr<model::Selector> parsed = model::Selector::Parse(text);
    FELIX_CHECK(parsed.ok(), "service account name was not checked");
    names = parsed->text();
  }
  if (parts.service_account_selector.empty()) return names;
  const std::string selector = Prefixed(parts.service_account_selector, kServiceAccountLabelPrefix);
  return names.empty() ? selector : fmt::format("({}) && ({})", selector, names);
}

bool MentionsGlobal(const model::SelectorNode& node) {
  if (node.kind == model::SelectorNode::Kind::kGlobal) return true;
  return std::any_of(node.children.begin(), node.children.end(), MentionsGlobal);
}

}  // namespace

std::string ReadSelector(ObjectReader& reader, std::string_view name, GlobalTerm global) {
  if (reader.IsNull(name)) {
    reader.Fault(name, "is null");
    return {};
  }
  std::string text = reader.StringOrEmpty(name);
  const absl::StatusOr<model::Selector> parsed = model::Selector::Parse(text);
  if (!parsed.ok()) {
    reader.Fault(name,
                 fmt::format("selector does not parse: {}", ToStd(parsed.status().message())));
    return {};
  }
  // Blanks alone are no selector; put between parentheses they would be a syntax error.
  if (text.find_first_not_of(" \t") == std::string::npos) return {};
  if (global != GlobalTerm::kAllowed && MentionsGlobal(parsed->root())) {
    if (global == GlobalTerm::kRefused) {
      reader.Fault(name, "global() is for a rule's namespaceSelector only");
      return {};
    }
    if (parsed->root().kind != model::SelectorNode::Kind::kGlobal) {
      reader.Fault(name, "global() combined with other terms");
      return {};
    }
  }
  return text;
}

std::optional<model::Selector> ReadPolicySelector(ObjectReader& spec,
                                                  std::string_view namespace_name) {
  const std::size_t faults_before = spec.faults().count();
  PolicySelectorParts parts;
  parts.namespace_name = namespace_name;
  const GlobalTerm global = namespace_name.empty() ? GlobalTerm::kAllowed : GlobalTerm::kRefused;
  parts.selector = ReadSelector(spec, "selector", global);
  parts.service_account_selector = ReadSelector(spec, "serviceAccountSelector", global);
  const std::string namespace_selector = ReadSelector(spec, "namespaceSelector", global);
  if (namespace_name.empty()) {
    parts.namespace_selector = namespace_selector;
  } else if (!namespace_selector.empty()) {
    spec.Fault("namespaceSelector", "not allowed in a namespaced policy");
  }
  if (spec.faults().count() != faults_before) return std::nullopt;

  absl::StatusOr<model::Selector> selector = model::Selector::Parse(ComposePolicySelector(parts));
  if (selector.ok()) return *std::move(selector);
  spec.Fault("selector", fmt::format("selector does not parse once combined: {}",
                                     ToStd(selector.status().message())));
  return std::nullopt;
}

std::string ComposePolicySelector(const PolicySelectorParts& parts) {
  std::string text = parts.selector;
  if (!parts.namespace_name.empty()) {
    text = AddCondition(text, NamespaceEquals(parts.namespace_name));
  }
  if (!parts.namespace_selector.empty()) {
    text = AddCondition(text, Prefixed(parts.namespace_selector, kNamespaceLabelPrefix));
    text = ReplaceAll(text, "all()", Has(kNamespaceLabel));
  }
  if (!parts.service_account_selector.empty()) {
    text = AddCondition(text, Prefixed(parts.service_account_selector, kServiceAccountLabelPrefix));
    if (parts.namespace_name.empty()) text = ReplaceAll(text, "all()", Has(kServiceAccountLabel));
  }
  return text;
}

std::string ComposeEntitySelector(const EntitySelectorParts& parts) {
  const std::string namespaces = NamespacePart(parts);
  const std::string accounts = ServiceAccountPart(parts);
  std::string base = parts.selector;
  if (!accounts.empty()) {
    base = base.empty() ? accounts : fmt::format("({}) && ({})", accounts, base);
  }
  const bool namespaced = !namespaces.empty() && !(base.empty() && parts.not_selector.empty() &&
                                                   parts.namespace_selector.empty());
  if (!namespaced) return base;
  return base.empty() ? namespaces : fmt::format("({}) && ({})", namespaces, base);
}

}  // namespace felix::datastore
