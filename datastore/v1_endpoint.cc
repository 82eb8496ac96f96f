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

void CheckNat(ObjectReader& object, std::string_view name,
              const std::vector<model::IpAddress>& addresses) {
  for (const Field& element : object.List(name)) {
    ObjectReader nat(element, object.faults());
    for (const std::string_view end : {"int_ip", "ext_ip"}) {
      const absl::StatusOr<model::IpAddress> address =
          model::IpAddress::Parse(nat.StringOrEmpty(end));
      if (!address.ok()) {
        nat.Fault(end, "missing or not an address");
      } else if (end == "int_ip" &&
                 !std::binary_search(addresses.begin(), addresses.end(), *address)) {
        nat.Fault(end, fmt::format("{} is not the endpoint's", address->ToString()));
      }
    }
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
  CheckNat(object, "ipv4_nat", endpoint.addresses);
  CheckNat(object, "ipv6_nat", endpoint.addresses);
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
