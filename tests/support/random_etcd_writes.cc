// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_etcd_writes.h"

#include "fmt/format.h"

namespace felix {
namespace {

std::string Key(std::string_view rest) {
  return fmt::format("{}{}", kResourcePrefix, rest);
}

std::string Resource(std::string_view kind, std::string_view metadata, std::string_view spec) {
  return fmt::format(R"({{"kind":"{}","apiVersion":"projectcalico.org/v3",)"
                     R"("metadata":{{{},"uid":"c7a1","creationTimestamp":"2024-05-01T10:00:00Z"}},)"
                     R"("spec":{{{}}}}})",
                     kind, metadata, spec);
}

EtcdWrite NetworkSetWrite(int number, std::string_view role, int net) {
  const std::string name = fmt::format("set-{}", number);
  return {Key("globalnetworksets/" + name),
          Resource("GlobalNetworkSet",
                   fmt::format(R"("name":"{}","labels":{{"role":"{}"}})", name, role),
                   fmt::format(R"("nets":["172.16.{}.0/24","fd02:{}::/64"])", net, net))};
}

EtcdWrite TierWrite(int number, int order) {
  const std::string name = fmt::format("tier-{}", number);
  return {Key("tiers/" + name), Resource("Tier", fmt::format(R"("name":"{}")", name),
                                         fmt::format(R"("order":{})", order))};
}

}  // namespace

EtcdWrite EndpointWrite(std::string_view node, int number, std::string_view role,
                        std::string_view address) {
  std::string escaped;  // a dash of the node's name is doubled
  for (const char c : node) escaped += c == '-' ? "--" : std::string(1, c);
  const std::string name = fmt::format("{}-cni-c{}-eth0", escaped, number);
  return {Key("workloadendpoints/default/" + name),
          Resource("WorkloadEndpoint",
                   fmt::format(R"("name":"{}","namespace":"default","labels":{{"role":"{}",)"
                               R"("projectcalico.org/namespace":"default",)"
                               R"("projectcalico.org/orchestrator":"cni"}})",
                               name, role),
                   fmt::format(R"("node":"{}","orchestrator":"cni","containerID":"c{}",)"
                               R"("endpoint":"eth0","interfaceName":"cali{}",)"
                               R"("ipNetworks":["{}/32"])",
                               node, number, number, address))};
}

EtcdWrite PolicyWrite(std::string_view name, std::string_view role, int port) {
  return {Key(fmt::format("globalnetworkpolicies/default.{}", name)),
          Resource("GlobalNetworkPolicy", fmt::format(R"("name":"default.{}")", name),
                   fmt::format(R"("tier":"default","order":100,"selector":"role == '{0}'",)"
                               R"("types":["Ingress","Egress"],)"
                               R"("ingress":[{{"action":"Allow","protocol":"UDP",)"
                               R"("source":{{"selector":"role == '{0}'"}},)"
                               R"("destination":{{"ports":[{1}]}}}}],)"
                               R"("egress":[{{"action":"Allow","source":{{}},)"
                               R"("destination":{{}}}}])",
                               role, port))};
}

EtcdWrite RandomEtcdWrite(testing::Random& random) {
  const std::string role = random.PickOf({"a", "b", "c"});
  EtcdWrite write;
  switch (random.Below(5)) {
    case 0:
    case 1: {
      const int number = random.Between(10, 40);
      write = EndpointWrite(number < 16 ? "node-1" : "node-2", number, role,
                            fmt::format("10.66.{}.{}", random.Between(0, 3), number));
      if (random.Chance(5)) write.value = "{\"kind\":";
      break;
    }
    case 2:
      write = PolicyWrite(fmt::format("p{}", random.Below(6)), role, random.Between(1000, 1010));
      break;
    case 3:
      write = NetworkSetWrite(random.Between(0, 4), role, random.Between(0, 9));
      break;
    default:
      write = TierWrite(random.Between(0, 2), random.Between(1, 1000));
  }
  if (random.Chance(20)) write.value.reset();
  return write;
}

}  // namespace felix
