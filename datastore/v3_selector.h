// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/object_reader.h"
#include "model/selector.h"

namespace felix::datastore {

inline constexpr std::string_view kNamespaceLabel = "projectcalico.org/namespace";
inline constexpr std::string_view kServiceAccountLabel = "projectcalico.org/serviceaccount";
inline constexpr std::string_view kOrchestratorLabel = "projectcalico.org/orchestrator";
inline constexpr std::string_view kNamespaceLabelPrefix = "pcns.";
inline constexpr std::string_view kServiceAccountLabelPrefix = "pcsa.";

// Reads selectors of the v3 API and folds namespaces and service accounts into them, in the very
// text that Calico makes, since the ids of IP sets are made from it. Every part must parse on its
// own: a text that is only sound once it is put between our parentheses could undo them.

// Where global() may stand: it means "not of any namespace" only in a rule's namespaceSelector.
enum class GlobalTerm : std::uint8_t { kAllowed, kRefused, kAlone };

// A selector as it stands in an object, checked. Empty: none, or it is at fault.
[[nodiscard]] std::string ReadSelector(ObjectReader& reader, std::string_view name,
                                       GlobalTerm global);

// What a policy's selector is made of; empty parts ask nothing.
struct PolicySelectorParts {
  std::string namespace_name;  // of a namespaced policy
  std::string selector;
  std::string namespace_selector;  // global policies only
  std::string service_account_selector;
};
// Absent, and a fault, if a part does not parse.
[[nodiscard]] std::optional<model::Selector> ReadPolicySelector(ObjectReader& spec,
                                                                std::string_view namespace_name);
[[nodiscard]] std::string ComposePolicySelector(const PolicySelectorParts& parts);

// What a rule asks of one side by labels.
struct EntitySelectorParts {
  std::string namespace_name;  // of the policy, if it is namespaced
  std::string selector;
  std::string not_selector;
  std::string namespace_selector;
  std::vector<std::string> service_account_names;
  std::string service_account_selector;
};
// The positive selector; empty if there is none.
[[nodiscard]] std::string ComposeEntitySelector(const EntitySelectorParts& parts);

}  // namespace felix::datastore
