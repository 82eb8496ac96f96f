// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_cluster.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"

#include "datastore/client_defaults.h"
#include "datastore/names.h"
#include "datastore/v3_rule.h"
#include "datastore/v3_selector.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

// "10.0.0.0/16" and nothing less exact.
std::optional<model::Cidr> ParseExact(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const absl::StatusOr<model::Cidr> cidr = model::Cidr::Parse(text);
  const absl::StatusOr<model::IpAddress> address = model::IpAddress::Parse(text.substr(0, slash));
  if (!cidr.ok() || !address.ok() || cidr->address() != *address) return std::nullopt;
  return *cidr;
}

// An address, or an address with the length of its network.
std::optional<model::IpAddress> ParseHostAddress(std::string_view text) {
  const absl::StatusOr<model::IpAddress> address =
      model::IpAddress::Parse(text.substr(0, text.find('/')));
  if (!address.ok() || !model::Cidr::Parse(text).ok()) return std::nullopt;
  return *address;
}

class NodeAddresses {
 public:
  void Offer(const model::IpAddress& address) {
    for (const model::IpAddress& taken : addresses_) {
      if (taken.family() == address.family()) return;
    }
    addresses_.push_back(address);
  }
  [[nodiscard]] std::vector<model::IpAddress> Sorted() && {
    std::sort(addresses_.begin(), addresses_.end());
    return std::move(addresses_);
  }

 private:
  std::vector<model::IpAddress> addresses_;
};

void OfferBgpAddresses(ObjectReader& spec, NodeAddresses& addresses) {
  const std::optional<Field> field = spec.Find("bgp");
  if (!field) return;
  ObjectReader bgp(*field, spec.faults());
  for (const auto& [name, family] : {std::pair{"ipv4Address", model::IpFamily::kV4},
                                     std::pair{"ipv6Address", model::IpFamily::kV6}}) {
    const std::string text = bgp.StringOrEmpty(name);
    if (text.empty()) continue;
    const std::optional<model::IpAddress> address = ParseHostAddress(text);
    if (address && address->family() == family) {
      addresses.Offer(*address);
    } else {
      bgp.Fault(name,
                fmt::format("'{}' is not an address of IPv{}", text, static_cast<int>(family)));
    }
  }
  bgp.RefuseMisspelt();
}

void CheckOneOf(ObjectReader& spec, std::string_view name,
                std::initializer_list<std::string_view> values) {
  const std::string text = spec.StringOrEmpty(name);
  if (text.empty() || std::find(values.begin(), values.end(), text) != values.end()) return;
  spec.Fault(name, fmt::format("'{}' is none of {}", text, fmt::join(values, ", ")));
}

void CheckSelector(ObjectReader& spec, std::string_view name) {
  const absl::StatusOr<model::Selector> selector = model::Selector::Parse(spec.StringOrEmpty(name));
  if (selector.ok()) return;
  spec.Fault(name, fmt::format("selector does not parse: {}", ToStd(selector.status().message())));
}

void CheckBlockSize(ObjectReader& spec, model::IpFamily family) {
  const bool v4 = family == model::IpFamily::kV4;
  const std::int64_t least = v4 ? 20 : 116;
  const std::int64_t most = v4 ? 32 : 128;
  const std::optional<std::int64_t> size = spec.Integer("blockSize", 0, most);
  // The clients write 0 for what nobody asked for.
  if (!size || *size == 0 || *size >= least) return;
  spec.Fault("blockSize", fmt::format("{} is not in {}..{}", *size, least, most));
}

// What address management makes of a pool is not for us, but a pool that is not valid is not one.
void CheckAddressManagement(ObjectReader& spec, model::IpFamily family) {
  CheckOneOf(spec, "vxlanMode", {"Never", "Always", "CrossSubnet"});
  CheckOneOf(spec, "ipipMode", {"Never", "Always", "CrossSubnet"});
  CheckOneOf(spec, "assignmentMode", {"Automatic", "Manual"});
  CheckBlockSize(spec, family);
  CheckSelector(spec, "nodeSelector");
  CheckSelector(spec, "namespaceSelector");
  static_cast<void>(spec.BooleanOrFalse("disabled"));
  static_cast<void>(spec.BooleanOrFalse("disableBGPExport"));
}

}  // namespace

model::Tier ReadTierSpec(const Field& field, Author author, Faults& faults, Faults& remarks) {
  ObjectReader spec(field, faults);
  model::Tier tier;
  tier.order = spec.Number("order");
  if (!tier.order && author == Author::kPerson) tier.order = kDefaultTierOrder;
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

model::IpPool ReadIpPoolSpec(const Field& field, Faults& faults) {
  ObjectReader spec(field, faults);
  model::IpPool pool;
  const std::string text = spec.StringOrEmpty("cidr");
  if (const std::optional<model::Cidr> cidr = ParseExact(text)) {
    pool.cidr = *cidr;
  } else {
    spec.Fault("cidr", text.empty() ? "missing"
                                    : fmt::format("'{}' is not a network without host bits", text));
  }
  pool.nat_outgoing = spec.BooleanOrFalse("natOutgoing");
  pool.nat_outgoing = spec.BooleanOrFalse("nat-outgoing") || pool.nat_outgoing;
  const std::vector<std::string> uses = spec.Strings("allowedUses");
  for (const std::string& use : uses) {
    if (use != "Workload" && use != "Tunnel" && use != "LoadBalancer") {
      spec.Fault("allowedUses",
                 fmt::format("'{}' is none of Workload, Tunnel and LoadBalancer", use));
    }
  }
  pool.load_balancer_only =
      !uses.empty() && std::all_of(uses.begin(), uses.end(),
                                   [](const std::string& use) { return use == "LoadBalancer"; });
  CheckAddressManagement(spec, pool.cidr.family());
  spec.RefuseMisspelt();
  return pool;
}

model::Node ReadNodeSpec(const Field& field, Faults& faults) {
  ObjectReader spec(field, faults);
  NodeAddresses addresses;
  OfferBgpAddresses(spec, addresses);
  std::vector<model::IpAddress> external;
  for (const Field& element : spec.List("addresses")) {
    ObjectReader entry(element, faults);
    const std::string type = entry.StringOrEmpty("type");
    const std::string text = entry.StringOrEmpty("address");
    const std::optional<model::IpAddress> address = ParseHostAddress(text);
    // Other types are names, or say again what BGP says.
    if (type == "InternalIP" || type == "ExternalIP") {
      if (!address) {
        entry.Fault("address", fmt::format("'{}' is not an address", text));
      } else if (type == "InternalIP") {
        addresses.Offer(*address);
      } else {
        external.push_back(*address);
      }
    }
    entry.RefuseMisspelt();
  }
  for (const model::IpAddress& address : external) addresses.Offer(address);
  spec.RefuseMisspelt();
  return model::Node{.addresses = std::move(addresses).Sorted()};
}

}  // namespace felix::datastore
