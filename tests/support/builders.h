// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/options.h"
#include "model/store.h"
#include "model/update.h"

// Resources in one line each, for tests. Texts that do not parse end the process: they are mistakes
// of the test.
namespace felix::testing {

inline constexpr std::string_view kThisHost = "host-a";
[[nodiscard]] compiler::Options OptionsOfThisHost(
    compiler::ChainLayout layout = compiler::ChainLayout::kPerContainer);

[[nodiscard]] model::IpAddress Address(std::string_view text);
[[nodiscard]] model::Cidr Net(std::string_view text);
[[nodiscard]] std::vector<model::Cidr> Nets(std::initializer_list<std::string_view> texts);
[[nodiscard]] model::Selector Select(std::string_view text);

// `host`/k8s/default/`name`/eth0
[[nodiscard]] model::WorkloadEndpointId EndpointId(std::string_view name,
                                                   std::string_view host = kThisHost);
// Addresses of both families; sorted here.
[[nodiscard]] model::WorkloadEndpoint Endpoint(std::string_view interface_name,
                                               std::initializer_list<std::string_view> addresses,
                                               model::LabelSet labels = {},
                                               std::vector<std::string> profiles = {});

[[nodiscard]] model::PolicyRule Rule(model::RuleAction action);
[[nodiscard]] model::PolicyRule Allow();
[[nodiscard]] model::PolicyRule Deny();
[[nodiscard]] model::PolicyRule Pass();

[[nodiscard]] model::PolicyId GlobalPolicy(std::string_view name);
// A policy for both directions with the same rules in each.
[[nodiscard]] model::Policy PolicyOf(std::string_view selector,
                                     std::vector<model::PolicyRule> rules,
                                     std::string_view tier = "default");
[[nodiscard]] model::Profile ProfileOf(std::vector<model::PolicyRule> rules);

// A store filled in one expression. Later values of a key replace earlier ones.
class StoreBuilder {
 public:
  StoreBuilder& Add(model::Key key, model::Resource value);
  StoreBuilder& Remove(model::Key key);
  [[nodiscard]] const model::Store& store() const { return store_; }

 private:
  model::Store store_;
};

}  // namespace felix::testing
