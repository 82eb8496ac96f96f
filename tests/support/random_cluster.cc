// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_cluster.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "fmt/format.h"

#include "model/base/overloaded.h"
#include "tests/support/builders.h"
#include "tests/support/random_resources.h"

namespace felix::testing {
namespace {

int BreadthOf(ClusterSize size) {
  switch (size) {
    case ClusterSize::kTiny:
      return 3;
    case ClusterSize::kSmall:
      return 6;
    case ClusterSize::kMedium:
      return 12;
  }
  return 6;
}

template <typename Map, typename Id>
auto Find(const Map& map, const Id& id) {
  const auto entry = map.find(id);
  return entry == map.end() ? std::nullopt : std::optional(entry->second);
}

bool IsNamespaced(model::PolicyKind kind) {
  return kind != model::PolicyKind::kGlobalNetworkPolicy &&
         kind != model::PolicyKind::kStagedGlobalNetworkPolicy;
}

// An update of an endpoint mostly touches one part of it and leaves the rest as it was.
model::WorkloadEndpoint Touched(model::WorkloadEndpoint endpoint,
                                const model::WorkloadEndpoint& fresh, Random& random) {
  switch (random.Below(8)) {
    case 0:
      endpoint.admin_up = !endpoint.admin_up;
      break;
    case 1:
      endpoint.interface_name = fresh.interface_name;
      break;
    case 2:
      endpoint.addresses = fresh.addresses;
      break;
    case 3:
      endpoint.profiles = fresh.profiles;
      break;
    case 4:
      endpoint.ports = fresh.ports;
      break;
    case 5:
      endpoint.nat_mappings = fresh.nat_mappings;
      break;
    default:
      endpoint.labels = fresh.labels;
  }
  return endpoint;
}

model::HostEndpoint Touched(model::HostEndpoint endpoint, const model::HostEndpoint& fresh,
                            Random& random) {
  switch (random.Below(5)) {
    case 0:
      endpoint.interface_name = fresh.interface_name;
      break;
    case 1:
      endpoint.expected_addresses = fresh.expected_addresses;
      break;
    case 2:
      endpoint.profiles = fresh.profiles;
      break;
    case 3:
      endpoint.ports = fresh.ports;
      break;
    default:
      endpoint.labels = fresh.labels;
  }
  return endpoint;
}

model::Policy Touched(model::Policy policy, const model::Policy& fresh, Random& random) {
  switch (random.Below(8)) {
    case 0:
      policy.tier = fresh.tier;
      break;
    case 1:
      policy.order = fresh.order;
      break;
    case 2:
      policy.selector = fresh.selector;
      break;
    case 3:
      policy.ingress = fresh.ingress;
      break;
    case 4:
      policy.egress = fresh.egress;
      break;
    case 5:
      break;
    case 6:
      policy.ingress_applies = fresh.ingress_applies;
      policy.egress_applies = fresh.egress_applies;
      break;
    default:
      policy.do_not_track = fresh.do_not_track;
      policy.pre_dnat = fresh.pre_dnat;
      policy.apply_on_forward = fresh.apply_on_forward;
  }
  return policy;
}

model::Profile Touched(model::Profile profile, const model::Profile& fresh, Random& random) {
  switch (random.Below(3)) {
    case 0:
      profile.labels_to_apply = fresh.labels_to_apply;
      break;
    case 1:
      profile.ingress = fresh.ingress;
      break;
    default:
      profile.egress = fresh.egress;
  }
  return profile;
}

}  // namespace

RandomCluster::RandomCluster(std::uint64_t seed, ClusterSize size) : random_(seed), size_(size) {}

model::Key RandomCluster::PickKey() {
  using model::PolicyKind;
  const int breadth = BreadthOf(size_);
  const auto letter = [&] {
    return std::string(1, static_cast<char>('a' + random_.Between(0, breadth - 1)));
  };
  const std::size_t kind = random_.Below(100);
  if (kind < 38) {
    std::string host(kThisHost);
    if (random_.Chance(35)) host = "host-" + letter();
    if (kind < 28) return EndpointId(letter(), host);
    return model::HostEndpointId{std::move(host), letter()};
  }
  if (kind < 70) {
    const auto policy_kind = random_.PickOf(
        {PolicyKind::kGlobalNetworkPolicy, PolicyKind::kGlobalNetworkPolicy,
         PolicyKind::kGlobalNetworkPolicy, PolicyKind::kNetworkPolicy, PolicyKind::kNetworkPolicy,
         PolicyKind::kStagedGlobalNetworkPolicy, PolicyKind::kStagedNetworkPolicy,
         PolicyKind::kStagedKubernetesNetworkPolicy});
    std::string name = letter();
    return model::PolicyId{
        policy_kind, IsNamespaced(policy_kind) ? random_.PickOf<const char*>({"n1", "n2"}) : "",
        std::move(name)};
  }
  RandomResources resources(random_, breadth);
  if (kind < 76) return model::InterfaceId{resources.HostInterfaceName()};
  if (kind < 82) return model::TierId{resources.TierName()};
  if (kind < 91) return model::ProfileId{resources.ProfileName()};
  std::string name = letter();
  if (kind >= 98) return model::NodeId{name};
  if (kind >= 95) return model::IpPoolId{name};
  return model::NetworkSetId{random_.Chance(50) ? "" : "n1", std::move(name)};
}

std::optional<model::Resource> RandomCluster::Change(const model::Key& key) {
  if (random_.Chance(22)) return std::nullopt;
  RandomResources resources(random_, BreadthOf(size_));
  const bool touch = random_.Chance(60);
  return std::visit(
      Overloaded{
          [&](const model::WorkloadEndpointId& id) -> model::Resource {
            model::WorkloadEndpoint fresh = resources.Endpoint(id.host == kThisHost);
            const auto present = Find(store_.endpoints(), id);
            return touch && present ? Touched(*present, fresh, random_) : fresh;
          },
          [&](const model::PolicyId& id) -> model::Resource {
            if (random_.Chance(8)) return resources.BrokenPolicy();
            model::Policy fresh = resources.Policy(IsNamespaced(id.kind));
            const auto present = Find(store_.policies(), id);
            return touch && present ? Touched(*present, fresh, random_) : fresh;
          },
          [&](const model::TierId&) -> model::Resource { return resources.Tier(); },
          [&](const model::ProfileId& id) -> model::Resource {
            model::Profile fresh = resources.Profile();
            const auto present = Find(store_.profiles(), id);
            return touch && present ? Touched(*present, fresh, random_) : fresh;
          },
          [&](const model::NetworkSetId&) -> model::Resource { return resources.NetworkSet(); },
          [&](const model::ConfigId&) -> model::Resource { return model::ConfigParameters{}; },
          [&](const model::IpPoolId&) -> model::Resource { return resources.IpPool(); },
          [&](const model::NodeId&) -> model::Resource { return resources.Node(); },
          [&](const model::HostEndpointId& id) -> model::Resource {
            model::HostEndpoint fresh = resources.HostEndpoint();
            const auto present = Find(store_.host_endpoints(), id);
            return touch && present ? Touched(*present, fresh, random_) : fresh;
          },
          [&](const model::InterfaceId&) -> model::Resource { return resources.Interface(); },
      },
      key);
}

std::vector<model::Update> RandomCluster::Mutate() {
  std::vector<model::Update> updates;
  // The first batch is a cluster, so that short histories are worth something too.
  const int count = store_.size() == 0 ? 4 * BreadthOf(size_) : random_.Between(1, 4);
  for (int i = 0; i < count; ++i) {
    const model::Key key = PickKey();
    const bool taken = std::any_of(updates.begin(), updates.end(),
                                   [&](const model::Update& u) { return u.key == key; });
    if (taken) continue;
    updates.push_back(model::Update{key, Change(key)});
    store_.Set(updates.back());
  }
  return updates;
}

namespace {

std::vector<model::FailsafePort> RandomFailsafePorts(Random& random) {
  std::vector<model::FailsafePort> ports;
  for (int i = random.Between(0, 3); i > 0; --i) {
    model::FailsafePort& port = ports.emplace_back();
    port.protocol = random.PickOf({model::kTcp, model::kUdp, model::kSctp});
    port.port = random.PickOf<std::uint16_t>({53, 80, 443, 65535});
    if (random.Chance(50)) continue;
    port.net = *model::Cidr::Parse(random.PickOf<const char*>(
        {"10.0.0.0/29", "10.0.0.3/32", "0.0.0.0/0", "fd00::/125", "::/0"}));
  }
  return ports;
}

}  // namespace

compiler::Options RandomOptions(std::uint64_t seed) {
  using namespace compiler;
  Random random(seed);
  Options options = OptionsOfThisHost();
  if (random.Chance(50)) options.interface_prefixes = {"cali", "tap"};
  options.ipv6_support = !random.Chance(5);
  if (random.Chance(25)) options.insert_mode = InsertMode::kAppend;
  if (random.Chance(25)) options.filter_allow_action = AllowAction::kReturn;
  if (random.Chance(25)) options.filter_deny_action = DenyAction::kReject;
  options.endpoint_to_host_action =
      random.PickOf({EndpointToHostAction::kDrop, EndpointToHostAction::kReturn,
                     EndpointToHostAction::kAccept, EndpointToHostAction::kAccept});
  if (random.Chance(50)) options.invalid_policy_action = InvalidPolicyAction::kDrop;
  if (random.Chance(25)) options.mark_mask = 0x00000f00;
  options.disable_conntrack_invalid_check = random.Chance(25);
  options.allow_vxlan_from_workloads = random.Chance(25);
  options.allow_ipip_from_workloads = random.Chance(25);
  if (random.Chance(25)) options.vxlan_port = 53;
  options.workload_source_spoofing = random.Chance(40);
  if (random.Chance(25)) options.nat_outgoing_interface_filter = "eth+";
  if (random.Chance(50)) {
    options.nat_outgoing_exclusions = NatOutgoingExclusions::kIpPoolsAndHostIps;
  }
  if (random.Chance(25)) options.nat_port_range = model::PortRange{.first = 32768, .last = 65535};
  if (random.Chance(25)) options.nat_outgoing_address = *model::IpAddress::Parse("192.0.2.250");
  options.floating_ips_enabled = random.Chance(50);
  if (random.Chance(25)) options.mangle_allow_action = AllowAction::kReturn;
  if (random.Chance(60)) options.failsafe_inbound = RandomFailsafePorts(random);
  if (random.Chance(60)) options.failsafe_outbound = RandomFailsafePorts(random);
  if (random.Chance(50)) {
    options.chain_layout = ChainLayout::kShared;
    // Also so few bits that not every shape gets a number, and bits that are not side by side.
    options.mark_mask =
        random.PickOf({0xffff0000U, 0xffff0000U, 0x0001ff00U, 0x00007f00U, 0x5555aaaaU});
  }
  return options;
}

}  // namespace felix::testing
