// SPDX-License-Identifier: Apache-2.0
#include "tests/support/builders.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

#include "model/base/check.h"

namespace felix::testing {
namespace {

template <typename T>
T OrDie(absl::StatusOr<T> value, std::string_view text) {
  FELIX_CHECK(value.ok(), fmt::format("'{}' does not parse: {}", text, value.status().ToString()));
  return *std::move(value);
}

}  // namespace

compiler::Options OptionsOfThisHost(compiler::ChainLayout layout) {
  compiler::Options options;
  options.chain_layout = layout;
  options.hostname = kThisHost;
  return options;
}

model::IpAddress Address(std::string_view text) {
  return OrDie(model::IpAddress::Parse(text), text);
}

model::Cidr Net(std::string_view text) {
  return OrDie(model::Cidr::Parse(text), text);
}

std::vector<model::Cidr> Nets(std::initializer_list<std::string_view> texts) {
  std::vector<model::Cidr> nets;
  for (const std::string_view text : texts) nets.push_back(Net(text));
  return nets;
}

model::Selector Select(std::string_view text) {
  return OrDie(model::Selector::Parse(text), text);
}

model::WorkloadEndpointId EndpointId(std::string_view name, std::string_view host) {
  return {std::string(host), "k8s", fmt::format("default/{}", name), "eth0"};
}

model::WorkloadEndpoint Endpoint(std::string_view interface_name,
                                 std::initializer_list<std::string_view> addresses,
                                 model::LabelSet labels, std::vector<std::string> profiles) {
  model::WorkloadEndpoint endpoint;
  endpoint.interface_name = interface_name;
  for (const std::string_view text : addresses) endpoint.addresses.push_back(Address(text));
  std::sort(endpoint.addresses.begin(), endpoint.addresses.end());
  endpoint.labels = std::move(labels);
  endpoint.profiles = std::move(profiles);
  return endpoint;
}

model::PolicyRule Rule(model::RuleAction action) {
  model::PolicyRule rule;
  rule.action = action;
  return rule;
}

model::PolicyRule Allow() {
  return Rule(model::RuleAction::kAllow);
}
model::PolicyRule Deny() {
  return Rule(model::RuleAction::kDeny);
}
model::PolicyRule Pass() {
  return Rule(model::RuleAction::kPass);
}

model::PolicyId GlobalPolicy(std::string_view name) {
  return {model::PolicyKind::kGlobalNetworkPolicy, "", std::string(name)};
}

model::Policy PolicyOf(std::string_view selector, std::vector<model::PolicyRule> rules,
                       std::string_view tier) {
  model::Policy policy;
  policy.tier = tier;
  policy.selector = Select(selector);
  policy.ingress = rules;
  policy.egress = std::move(rules);
  return policy;
}

model::Profile ProfileOf(std::vector<model::PolicyRule> rules) {
  model::Profile profile;
  profile.ingress = rules;
  profile.egress = std::move(rules);
  return profile;
}

StoreBuilder& StoreBuilder::Add(model::Key key, model::Resource value) {
  store_.Set(model::Update{std::move(key), std::move(value)});
  return *this;
}

StoreBuilder& StoreBuilder::Remove(model::Key key) {
  store_.Set(model::Update{std::move(key), std::nullopt});
  return *this;
}

}  // namespace felix::testing
