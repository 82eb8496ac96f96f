// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "fmt/format.h"

#include "tests/support/builders.h"
#include "tests/support/random_cluster.h"

namespace felix::testing {
namespace {

constexpr std::size_t kEndpointsPerHost = 100;
constexpr std::size_t kEndpointsPerNamespace = 50;

std::string AppName(std::size_t app) {
  return fmt::format("app-{}", app);
}

std::string NamespaceName(std::size_t number) {
  return fmt::format("ns-{}", number);
}

model::Update MakeEndpoint(std::size_t number, std::size_t local, std::size_t namespaces,
                           std::size_t apps, Random& random) {
  const std::string namespace_name = NamespaceName(random.Below(namespaces));
  model::WorkloadEndpointId id{number < local
                                   ? std::string(kThisHost)
                                   : fmt::format("node-{}", (number - local) / kEndpointsPerHost),
                               "k8s", fmt::format("{}/pod-{}", namespace_name, number), "eth0"};
  model::WorkloadEndpoint endpoint;
  endpoint.interface_name = fmt::format("cali{:011x}", number);
  endpoint.addresses = {model::IpAddress::V4(static_cast<std::uint32_t>(0x0a000000U + number + 1))};
  endpoint.labels =
      model::LabelSet{{"app", AppName(random.Below(apps))},
                      {"projectcalico.org/namespace", namespace_name},
                      {"tier", random.PickOf<const char*>({"front", "back", "data"})}};
  endpoint.profiles = {"kns." + namespace_name};
  if (random.Chance(50)) endpoint.ports = {{"http", model::kTcp, 8080}};
  return {std::move(id), std::move(endpoint)};
}

model::PolicyRule MakeRule(std::size_t apps, Random& random) {
  model::PolicyRule rule = Allow();
  rule.protocol = random.Chance(80) ? model::kTcp : model::kUdp;
  switch (random.Below(4)) {
    case 0:
      rule.source.nets = {model::Cidr(
          model::IpAddress::V4(static_cast<std::uint32_t>(0xac100000U + 256 * random.Below(4096))),
          24)};
      break;
    case 1:
      rule.source.selector = Select(random.Chance(50) ? "tier == 'front'" : "tier == 'back'");
      break;
    default:
      rule.source.selector = Select(fmt::format("app == '{}'", AppName(random.Below(apps))));
  }
  if (random.Chance(20)) {
    rule.destination.ports.names = {"http"};
  } else {
    const auto port = static_cast<std::uint16_t>(random.Between(1, 10000));
    rule.destination.ports.ranges = {{port, port}};
  }
  return rule;
}

model::Update MakePolicy(std::size_t number, std::size_t namespaces, std::size_t apps,
                         Random& random) {
  const std::string app = AppName(random.Below(apps));
  model::Policy policy;
  policy.order = static_cast<double>(random.Between(1, 1000));
  const int rules = random.Between(1, 4);
  for (int i = 0; i < rules; ++i) policy.ingress.push_back(MakeRule(apps, random));
  policy.egress_applies = false;
  if (random.Chance(10)) {
    policy.tier = "security";
    policy.selector = Select(fmt::format("app == '{}'", app));
    policy.ingress.back().action = model::RuleAction::kPass;
    return {GlobalPolicy(fmt::format("policy-{}", number)), std::move(policy)};
  }
  const std::string namespace_name = NamespaceName(random.Below(namespaces));
  policy.selector =
      Select(random.Chance(30) ? fmt::format("projectcalico.org/namespace == '{}'", namespace_name)
                               : fmt::format("app == '{}' && projectcalico.org/namespace == '{}'",
                                             app, namespace_name));
  return {model::PolicyId{model::PolicyKind::kNetworkPolicy, namespace_name,
                          fmt::format("policy-{}", number)},
          std::move(policy)};
}

}  // namespace

std::vector<model::Update> GenerateSnapshot(std::uint64_t seed, std::size_t endpoints,
                                            std::size_t policies, std::size_t local) {
  Random random(seed);
  const std::size_t namespaces = std::max<std::size_t>(1, endpoints / kEndpointsPerNamespace);
  const std::size_t apps = std::max<std::size_t>(4, endpoints / 20);
  std::vector<model::Update> updates;
  updates.reserve(2 + namespaces + endpoints + policies);
  updates.push_back(
      {model::TierId{"security"}, model::Tier{100.0, model::TierDefaultAction::kPass}});
  updates.push_back({model::TierId{"default"}, model::Tier{1e6, model::TierDefaultAction::kDeny}});
  for (std::size_t i = 0; i < namespaces; ++i) {
    model::Profile profile = ProfileOf({Allow()});
    profile.labels_to_apply = {{"pcns.team", fmt::format("team-{}", i % 10)}};
    updates.push_back({model::ProfileId{"kns." + NamespaceName(i)}, std::move(profile)});
  }
  for (std::size_t i = 0; i < policies; ++i) {
    updates.push_back(MakePolicy(i, namespaces, apps, random));
  }
  for (std::size_t i = 0; i < endpoints; ++i) {
    updates.push_back(MakeEndpoint(i, local, namespaces, apps, random));
  }
  return updates;
}

}  // namespace felix::testing
