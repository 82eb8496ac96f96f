// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_endpoint.h"

#include <algorithm>

#include "fmt/format.h"

#include "datastore/client_defaults.h"

namespace felix::datastore {
namespace {

void MustAgree(ObjectReader& spec, std::string_view name, std::string_view value,
               std::string_view in_name) {
  if (value == in_name) return;
  spec.Fault(name, value.empty() ? fmt::format("missing, but the name says '{}'", in_name)
                                 : fmt::format("'{}', but the name says '{}'", value, in_name));
}

void CheckAgainstName(ObjectReader& spec, const WorkloadEndpointName& name) {
  MustAgree(spec, "node", spec.StringOrEmpty("node"), name.node);
  const std::string orchestrator = spec.StringOrEmpty("orchestrator");
  MustAgree(spec, "orchestrator", orchestrator, name.orchestrator);
  MustAgree(spec, "endpoint", spec.StringOrEmpty("endpoint"), name.endpoint);
  const std::string pod = spec.StringOrEmpty("pod");
  const std::string container = spec.StringOrEmpty("containerID");
  const std::string workload = spec.StringOrEmpty("workload");
  if (orchestrator == "k8s") {
    MustAgree(spec, "pod", pod, name.workload);
  } else if (orchestrator == "cni") {
    MustAgree(spec, "containerID", container, name.workload);
  } else if (orchestrator == "libnetwork") {
    MustAgree(spec, "orchestrator", "libnetwork", name.workload);
  } else {
    MustAgree(spec, "workload", workload, name.workload);
  }
  const bool well_formed =
      container.empty() || (container.front() != '-' && container.back() != '-' &&
                            std::all_of(container.begin(), container.end(), [](char c) {
                              return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                     (c >= '0' && c <= '9') || c == '-';
                            }));
  if (!well_formed) spec.Fault("containerID", "not letters, digits and inner dashes");
}

std::optional<model::Protocol> ReadPortProtocol(ObjectReader& port) {
  const std::string text = port.StringOrEmpty("protocol");
  const absl::StatusOr<model::Protocol> protocol = model::Protocol::Parse(text);
  const bool is_name = !text.empty() && (text[0] < '0' || text[0] > '9');
  if (protocol.ok() && is_name && protocol->HasPorts()) return *protocol;
  port.Fault("protocol",
             text.empty() ? "missing" : fmt::format("'{}' is none of TCP, UDP and SCTP", text));
  return std::nullopt;
}

std::vector<model::Cidr> ReadSpoofPrefixes(ObjectReader& spec) {
  std::vector<model::Cidr> prefixes;
  for (const Field& element : spec.List("allowSpoofedSourcePrefixes")) {
    const std::optional<std::string> text = ReadString(element, spec.faults());
    if (!text) continue;
    const absl::StatusOr<model::Cidr> cidr = model::Cidr::Parse(*text);
    if (cidr.ok()) {
      prefixes.push_back(*cidr);
    } else {
      spec.faults().Add(*element.node, element.path,
                        fmt::format("'{}' is not an address or a network", *text));
    }
  }
  return prefixes;
}

std::optional<model::IpAddress> ReadMappedAddress(ObjectReader& mapping, std::string_view name) {
  const std::string text = mapping.StringOrEmpty(name);
  const absl::StatusOr<model::IpAddress> address = model::IpAddress::Parse(text);
  if (address.ok()) return *address;
  mapping.Fault(name, text.empty() ? "missing" : fmt::format("'{}' is not an address", text));
  return std::nullopt;
}

std::vector<model::NatMapping> ReadNatMappings(ObjectReader& spec,
                                               const std::vector<model::IpAddress>& own) {
  std::vector<model::NatMapping> mappings;
  for (const Field& element : spec.List("ipNATs")) {
    ObjectReader mapping(element, spec.faults());
    const auto internal = ReadMappedAddress(mapping, "internalIP");
    const auto external = ReadMappedAddress(mapping, "externalIP");
    if (!internal || !external) continue;
    if (internal->family() != external->family()) {
      mapping.Fault("externalIP", "of another family than internalIP");
    } else if (!std::binary_search(own.begin(), own.end(), *internal)) {
      mapping.Fault("internalIP", fmt::format("'{}' is not in ipNetworks", internal->ToString()));
    } else {
      mappings.push_back({.internal = *internal, .external = *external});
    }
  }
  return mappings;
}

}  // namespace

std::string ReadInterfaceName(ObjectReader& spec, std::string_view field) {
  std::string name = spec.StringOrEmpty(field);
  if (name.empty()) {
    spec.Fault(field, "missing");
  } else if (!IsInterfaceName(name)) {
    spec.Fault(field, fmt::format("'{}' is not an interface's name", name));
  }
  return name;
}

std::vector<model::IpAddress> ReadAddresses(ObjectReader& spec, std::string_view name) {
  std::vector<model::IpAddress> addresses;
  for (const Field& element : spec.List(name)) {
    const std::optional<std::string> text = ReadString(element, spec.faults());
    if (!text) continue;
    const absl::StatusOr<model::Cidr> cidr = model::Cidr::Parse(*text);
    if (!cidr.ok()) {
      spec.faults().Add(*element.node, element.path,
                        fmt::format("'{}' is not an address or a network", *text));
    } else if (!cidr->IsHost()) {
      spec.faults().Add(*element.node, element.path,
                        fmt::format("'{}' is not a single address (/32 or /128)", *text));
    } else {
      addresses.push_back(cidr->address());
    }
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

void CheckGateway(ObjectReader& spec, std::string_view name, model::IpFamily family) {
  const std::string text = spec.StringOrEmpty(name);
  if (text.empty()) return;
  const absl::StatusOr<model::IpAddress> address = model::IpAddress::Parse(text);
  if (!address.ok() || address->family() != family) {
    spec.Fault(name, fmt::format("'{}' is not an IPv{} address", text, static_cast<int>(family)));
  }
}

void CheckMacAddress(ObjectReader& spec, std::string_view name) {
  const std::string mac = spec.StringOrEmpty(name);
  if (mac.empty() || IsMacAddress(mac)) return;
  spec.Fault(name, fmt::format("'{}' is not a MAC address", mac));
}

std::vector<model::NamedPort> ReadNamedPorts(ObjectReader& spec, std::string_view list) {
  std::vector<model::NamedPort> ports;
  for (const Field& element : spec.List(list)) {
    ObjectReader port(element, spec.faults());
    const std::string name = port.StringOrEmpty("name");
    const std::optional<std::int64_t> host_port = port.Integer("hostPort", 0, 65535);
    static_cast<void>(port.StringOrEmpty("hostIP"));
    if (name.empty()) {
      // Without a name it is a mapping from a port of the host, which is not for rules.
      if (host_port.value_or(0) == 0) port.Fault("name", "missing, and no hostPort");
      continue;
    }
    if (!model::IsValidPortName(name)) {
      port.Fault("name", fmt::format("'{}' is not a port's name", name));
    }
    const std::optional<model::Protocol> protocol = ReadPortProtocol(port);
    const std::optional<std::int64_t> number = port.Integer("port", 1, 65535);
    if (!number) port.Fault("port", "missing");
    if (protocol && number) {
      ports.push_back({name, *protocol, static_cast<std::uint16_t>(*number)});
    }
  }
  return ports;
}

std::vector<std::string> ReadProfileNames(ObjectReader& spec, std::string_view name) {
  std::vector<std::string> profiles;
  for (const Field& element : spec.List(name)) {
    std::optional<std::string> text = ReadString(element, spec.faults());
    if (!text) continue;
    if (const auto problem = CheckProfileName(*text)) {
      spec.faults().Add(*element.node, element.path, *problem);
      continue;
    }
    profiles.push_back(*std::move(text));
  }
  return profiles;
}

model::WorkloadEndpoint ReadWorkloadEndpointSpec(const Field& field,
                                                 const WorkloadEndpointName& name,
                                                 const std::string& namespace_name,
                                                 const model::LabelSet& labels, Faults& faults) {
  ObjectReader spec(field, faults);
  CheckAgainstName(spec, name);
  model::WorkloadEndpoint endpoint;
  endpoint.interface_name = ReadInterfaceName(spec, "interfaceName");
  const std::size_t before = faults.count();
  endpoint.addresses = ReadAddresses(spec, "ipNetworks");
  if (endpoint.addresses.empty() && faults.count() == before) {
    spec.Fault("ipNetworks", "missing or empty");
  }
  CheckGateway(spec, "ipv4Gateway", model::IpFamily::kV4);
  CheckGateway(spec, "ipv6Gateway", model::IpFamily::kV6);
  CheckMacAddress(spec, "mac");
  endpoint.profiles = ReadProfileNames(spec, "profiles");
  endpoint.ports = ReadNamedPorts(spec, "ports");
  endpoint.allow_spoofed_source_prefixes = ReadSpoofPrefixes(spec);
  endpoint.nat_mappings = ReadNatMappings(spec, endpoint.addresses);

  const std::string account = spec.StringOrEmpty("serviceAccountName");
  if (!account.empty()) {
    if (const auto problem = CheckResourceName(account)) spec.Fault("serviceAccountName", *problem);
  }
  endpoint.labels = labels;
  ForceEndpointLabels(endpoint.labels, namespace_name, name.orchestrator, account);
  spec.RefuseMisspelt();
  return endpoint;
}

}  // namespace felix::datastore
