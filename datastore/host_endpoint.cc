// SPDX-License-Identifier: Apache-2.0
#include "datastore/host_endpoint.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "fmt/format.h"

#include "datastore/names.h"
#include "datastore/v1_endpoint.h"
#include "datastore/v3_endpoint.h"

namespace felix::datastore {
namespace {

std::string ReadOptionalInterface(ObjectReader& object, std::string_view field) {
  std::string name = object.StringOrEmpty(field);
  if (!name.empty() && name != "*" && !IsInterfaceName(name)) {
    object.Fault(field, fmt::format("'{}' is neither an interface's name nor *", name));
  }
  return name;
}

// Addresses of any family, or of the one.
void ReadExpected(ObjectReader& object, std::string_view field,
                  std::optional<model::IpFamily> family, model::HostEndpoint& endpoint) {
  for (const Field& element : object.List(field)) {
    const std::optional<std::string> text = ReadString(element, object.faults());
    if (!text) continue;
    const absl::StatusOr<model::IpAddress> address = model::IpAddress::Parse(*text);
    if (!address.ok()) {
      object.faults().Add(*element.node, element.path,
                          fmt::format("'{}' is not an address", *text));
    } else if (family.has_value() && address->family() != *family) {
      object.faults().Add(
          *element.node, element.path,
          fmt::format("'{}' is not an IPv{} address", *text, static_cast<int>(*family)));
    } else {
      endpoint.expected_addresses.push_back(*address);
    }
  }
}

void Finish(ObjectReader& object, std::string_view interface_field, model::HostEndpoint& endpoint) {
  std::vector<model::IpAddress>& addresses = endpoint.expected_addresses;
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  if (endpoint.interface_name.empty() && addresses.empty() && object.faults().empty()) {
    object.Fault(interface_field, "missing, and no expected address says which interface it is");
  }
  object.RefuseMisspelt();
}

}  // namespace

std::string ReadHostOfEndpoint(const Field& field, Faults& faults) {
  ObjectReader spec(field, faults);
  const std::string host = spec.StringOrEmpty("node");
  if (host.empty()) {
    spec.Fault("node", "missing");
    return host;
  }
  if (const auto problem = CheckProfileName(host)) {
    spec.Fault("node", *problem);
    return std::string();
  }
  return host;
}

model::HostEndpoint ReadHostEndpointSpec(const Field& field, const model::LabelSet& labels,
                                         Faults& faults) {
  ObjectReader spec(field, faults);
  static_cast<void>(spec.StringOrEmpty("node"));
  model::HostEndpoint endpoint;
  endpoint.interface_name = ReadOptionalInterface(spec, "interfaceName");
  ReadExpected(spec, "expectedIPs", std::nullopt, endpoint);
  endpoint.profiles = ReadProfileNames(spec, "profiles");
  endpoint.ports = ReadNamedPorts(spec, "ports");
  endpoint.labels = labels;
  Finish(spec, "interfaceName", endpoint);
  return endpoint;
}

model::HostEndpoint ReadV1HostEndpoint(const Field& field, Faults& faults) {
  ObjectReader object(field, faults);
  model::HostEndpoint endpoint;
  endpoint.interface_name = ReadOptionalInterface(object, "name");
  ReadExpected(object, "expected_ipv4_addrs", model::IpFamily::kV4, endpoint);
  ReadExpected(object, "expected_ipv6_addrs", model::IpFamily::kV6, endpoint);
  endpoint.profiles = ReadV1Profiles(object);
  endpoint.ports = ReadNamedPorts(object, "ports");
  endpoint.labels = ReadV1Labels(object, "labels");
  Finish(object, "name", endpoint);
  return endpoint;
}

}  // namespace felix::datastore
