// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_endpoint.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "fmt/format.h"

#include "datastore/client_defaults.h"
#include "datastore/v3_endpoint.h"

namespace felix::datastore {
namespace {

bool ReadState(ObjectReader& object) {
  const std::string state = object.StringOrEmpty("state");
  if (state.empty()) {
    object.Fault("state", "missing");
  } else if (state != "active" && state != "inactive") {
    object.Fault("state", fmt::format("'{}' is neither active nor inactive", state));
  }
  return state == "active";
}

void ReadFamily(ObjectReader& object, std::string_view name, model::IpFamily family,
                std::vector<model::IpAddress>& addresses) {
  for (const model::IpAddress& address : ReadAddresses(object, name)) {
    if (address.family() != family) {
      object.Fault(name, fmt::format("{} is not an IPv{} address", address.ToString(),
                                     static_cast<int>(family)));
    }
    addresses.push_back(address);
  }
}

std::optional<model::IpAddress> ReadMappedAddress(ObjectReader& mapping, std::string_view name,
                                                  model::IpFamily family) {
  const std::string text = mapping.StringOrEmpty(name);
  const absl::StatusOr<model::IpAddress> address = model::IpAddress::Parse(text);
  if (!address.ok()) {
    mapping.Fault(name, text.empty() ? "missing" : fmt::format("'{}' is not an address", text));
  } else if (address->family() != family) {
    mapping.Fault(name, fmt::format("{} is not an IPv{} address", text, static_cast<int>(family)));
  } else {
    return *address;
  }
  return std::nullopt;
}

void ReadNatMappings(ObjectReader& object, std::string_view name, model::IpFamily family,
                     model::WorkloadEndpoint& endpoint) {
  const std::vector<model::IpAddress>& own = endpoint.addresses;
  for (const Field& element : object.List(name)) {
    ObjectReader mapping(element, object.faults());
    const auto internal = ReadMappedAddress(mapping, "int_ip", family);
    const auto external = ReadMappedAddress(mapping, "ext_ip", family);
    if (!internal || !external) continue;
    if (!std::binary_search(own.begin(), own.end(), *internal)) {
      mapping.Fault("int_ip", fmt::format("{} is not the endpoint's", internal->ToString()));
      continue;
    }
    endpoint.nat_mappings.push_back({.internal = *internal, .external = *external});
  }
}

bool IsLabelKey(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '/' ||
           c == '-';
  });
}

}  // namespace

std::vector<std::string> ReadV1Profiles(ObjectReader& object) {
  std::vector<std::string> profiles = ReadProfileNames(object, "profile_ids");
  const std::optional<std::string> single = object.String("profile_id");
  if (!single) return profiles;
  if (!object.Find("profile_ids")) {
    if (const auto problem = CheckProfileName(*single)) object.Fault("profile_id", *problem);
    return {*single};
  }
  if (profiles != std::vector<std::string>{*single}) {
    object.Fault("profile_id", fmt::format("'{}', but profile_ids says otherwise", *single));
  }
  return profiles;
}

model::LabelSet ReadV1Labels(ObjectReader& object, std::string_view name) {
  std::vector<model::LabelSet::Entry> labels = object.StringMap(name);
  for (const auto& [key, value] : labels) {
    if (!IsLabelKey(key)) object.Fault(name, fmt::format("'{}' is not a label's key", key));
  }
  return model::LabelSet(std::move(labels));
}

model::WorkloadEndpoint ReadV1WorkloadEndpoint(const Field& field, std::string_view orchestrator,
                                               Faults& faults) {
  ObjectReader object(field, faults);
  model::WorkloadEndpoint endpoint;
  endpoint.admin_up = ReadState(object);
  endpoint.interface_name = ReadInterfaceName(object, "name");
  CheckMacAddress(object, "mac");
  ReadFamily(object, "ipv4_nets", model::IpFamily::kV4, endpoint.addresses);
  ReadFamily(object, "ipv6_nets", model::IpFamily::kV6, endpoint.addresses);
  std::sort(endpoint.addresses.begin(), endpoint.addresses.end());
  ReadNatMappings(object, "ipv4_nat", model::IpFamily::kV4, endpoint);
  ReadNatMappings(object, "ipv6_nat", model::IpFamily::kV6, endpoint);
  CheckGateway(object, "ipv4_gateway", model::IpFamily::kV4);
  CheckGateway(object, "ipv6_gateway", model::IpFamily::kV6);
  endpoint.profiles = ReadV1Profiles(object);
  endpoint.ports = ReadNamedPorts(object, "ports");
  endpoint.labels = ReadV1Labels(object, "labels");
  ForceEndpointLabels(endpoint.labels, "", orchestrator, "");
  object.RefuseMisspelt();
  return endpoint;
}

}  // namespace felix::datastore
