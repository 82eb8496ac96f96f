// SPDX-License-Identifier: Apache-2.0
#include "tests/support/shapes.h"

#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "fmt/format.h"

#include "tests/support/builders.h"

namespace felix::testing {
namespace {

constexpr std::size_t kEndpointsPerHost = 100;
constexpr const char* kNamespaceLabel = "projectcalico.org/namespace";

model::Update MakeEndpoint(std::size_t number, std::size_t local, const std::string& namespace_name,
                           model::LabelSet labels) {
  const std::string host = number < local
                               ? std::string(kThisHost)
                               : fmt::format("node-{}", (number - local) / kEndpointsPerHost);
  model::WorkloadEndpoint endpoint;
  endpoint.interface_name = fmt::format("cali{:011x}", number);
  endpoint.addresses = {model::IpAddress::V4(static_cast<std::uint32_t>(0x0a000001U + number))};
  endpoint.labels = std::move(labels);
  return {model::WorkloadEndpointId{host, "k8s", fmt::format("{}/pod-{}", namespace_name, number),
                                    "eth0"},
          std::move(endpoint)};
}

model::PolicyRule AllowFrom(model::Selector selector, std::uint16_t port) {
  model::PolicyRule rule = Allow();
  rule.protocol = model::kTcp;
  rule.source.selector = std::move(selector);
  rule.destination.ports.ranges = {{port, port}};
  return rule;
}

model::Update MakePolicy(std::size_t number, model::Selector selector,
                         std::vector<model::PolicyRule> rules) {
  model::Policy policy;
  policy.selector = std::move(selector);
  policy.ingress = std::move(rules);
  policy.egress_applies = false;
  return {GlobalPolicy(fmt::format("policy-{}", number)), std::move(policy)};
}

model::Update DefaultTier() {
  return {model::TierId{"default"}, model::Tier{1e6, model::TierDefaultAction::kDeny}};
}

}  // namespace

std::vector<model::Update> TaggedPolicies(std::size_t endpoints, std::size_t policies,
                                          std::size_t local) {
  std::vector<model::Update> updates = {DefaultTier()};
  for (std::size_t i = 0; i < endpoints; ++i) {
    model::LabelSet::Entry marker{"marker", "yes"};
    std::vector<model::LabelSet::Entry> labels = {std::move(marker)};
    for (std::size_t n = 10; n <= 100000; n *= 10) {
      labels.emplace_back(fmt::format("one-in-{}", n), fmt::format("{}", i % n));
    }
    updates.push_back(MakeEndpoint(i, local, "default", model::LabelSet(std::move(labels))));
  }
  absl::flat_hash_map<std::string, model::Selector> selectors;
  const auto select = [&](std::size_t n, std::size_t value) {
    std::string text = fmt::format("one-in-{} == '{}'", n, value % n);
    const auto found = selectors.find(text);
    return found != selectors.end() ? found->second : selectors[text] = Select(text);
  };
  for (std::size_t i = 0; i < policies; ++i) {
    std::vector<model::PolicyRule> rules;
    for (std::size_t rule = 0; rule < 5; ++rule) {
      const auto port = static_cast<std::uint16_t>(1 + (i * 5 + rule) % 60000);
      rules.push_back(AllowFrom(select(rule == 0 ? 1000 : 10000, i * 7 + rule * 13), port));
    }
    updates.push_back(MakePolicy(i, select(1000, i), std::move(rules)));
  }
  return updates;
}

std::vector<model::Update> IsolatedNamespaces(std::size_t namespaces, std::size_t endpoints_each,
                                              std::size_t policies_each, std::size_t local) {
  std::vector<model::Update> updates = {DefaultTier()};
  for (std::size_t ns = 0; ns < namespaces; ++ns) {
    const std::string name = fmt::format("ns-{}", ns);
    std::vector<model::LabelSet::Entry> labels = {{kNamespaceLabel, name}};
    for (int i = 1; i < 15; ++i) {
      labels.emplace_back(fmt::format("label-{}", i), fmt::format("value-{}", i));
    }
    const model::LabelSet set(std::move(labels));
    for (std::size_t i = 0; i < endpoints_each; ++i) {
      updates.push_back(MakeEndpoint(ns * endpoints_each + i, local, name, set));
    }
    const model::Selector selector = Select(fmt::format("{} == '{}'", kNamespaceLabel, name));
    for (std::size_t i = 0; i < policies_each; ++i) {
      updates.push_back(MakePolicy(ns * policies_each + i, selector,
                                   {AllowFrom(selector, static_cast<std::uint16_t>(80 + i))}));
    }
  }
  return updates;
}

std::vector<model::Update> AllMatchAll(std::size_t endpoints, std::size_t policies,
                                       std::size_t local) {
  std::vector<model::Update> updates = {DefaultTier()};
  const model::LabelSet labels = {{kNamespaceLabel, "default"}, {"app", "one"}};
  for (std::size_t i = 0; i < endpoints; ++i) {
    updates.push_back(MakeEndpoint(i, local, "default", labels));
  }
  const model::Selector everybody = Select("projectcalico.org/namespace == 'default'");
  for (std::size_t i = 0; i < policies; ++i) {
    updates.push_back(MakePolicy(i, everybody, {AllowFrom(everybody, 80)}));
  }
  return updates;
}

std::vector<model::Update> NetworkSets(std::size_t sets, std::size_t local) {
  std::vector<model::Update> updates = {DefaultTier()};
  for (std::size_t i = 0; i < local; ++i) {
    updates.push_back(MakeEndpoint(i, local, "default", {{"app", "one"}}));
  }
  const model::Selector everybody = Select("app == 'one'");
  std::uint32_t next = 0x14000000;
  for (std::size_t i = 0; i < sets; ++i) {
    model::NetworkSet set;
    for (std::size_t net = 0; net < 1 + i % 223; ++net, next += 256) {
      set.nets.emplace_back(model::IpAddress::V4(next), 24);
    }
    set.labels = {{"net", fmt::format("{}", i)}};
    updates.push_back({model::NetworkSetId{"", fmt::format("net-{}", i)}, std::move(set)});
    updates.push_back(
        MakePolicy(i, everybody, {AllowFrom(Select(fmt::format("net == '{}'", i)), 443)}));
  }
  return updates;
}

}  // namespace felix::testing
