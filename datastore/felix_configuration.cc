// SPDX-License-Identifier: Apache-2.0
#include "datastore/felix_configuration.h"

#include <array>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

#include "datastore/names.h"
#include "model/address.h"
#include "model/base/strings.h"

namespace felix::datastore {
namespace {

enum class ValueKind : std::uint8_t { kScalarOrList, kSeconds, kMilliseconds, kPorts, kRanges };

struct Parameter {
  std::string_view field;
  std::string_view name;  // empty: the field with a capital first letter
  ValueKind kind = ValueKind::kScalarOrList;
};

constexpr std::array<Parameter, 35> kParameters = {{
    {"iptablesRefreshInterval", "", ValueKind::kSeconds},
    {"iptablesPostWriteCheckInterval", "IptablesPostWriteCheckIntervalSecs", ValueKind::kSeconds},
    {"iptablesLockProbeInterval", "IptablesLockProbeIntervalMillis", ValueKind::kMilliseconds},
    {"iptablesLockTimeout", "IptablesLockTimeoutSecs", ValueKind::kSeconds},
    {"ipsetsRefreshInterval", "", ValueKind::kSeconds},
    {"routeRefreshInterval", "", ValueKind::kSeconds},
    {"interfaceRefreshInterval", "", ValueKind::kSeconds},
    {"xdpRefreshInterval", "XDPRefreshInterval", ValueKind::kSeconds},
    {"reportingInterval", "ReportingIntervalSecs", ValueKind::kSeconds},
    {"reportingTTL", "ReportingTTLSecs", ValueKind::kSeconds},
    {"endpointReportingDelay", "EndpointReportingDelaySecs", ValueKind::kSeconds},
    {"netlinkTimeout", "NetlinkTimeoutSecs", ValueKind::kSeconds},
    {"usageReportingInitialDelay", "UsageReportingInitialDelaySecs", ValueKind::kSeconds},
    {"usageReportingInterval", "UsageReportingIntervalSecs", ValueKind::kSeconds},
    {"wireguardKeepAlive", "WireguardPersistentKeepAlive", ValueKind::kSeconds},
    {"ipipEnabled", "IpInIpEnabled"},
    {"ipipMTU", "IpInIpMtu"},
    {"externalNodesList", "ExternalNodesCIDRList"},
    {"natPortRange", "NATPortRange"},
    {"natOutgoingAddress", "NATOutgoingAddress"},
    {"natOutgoingExclusions", "NATOutgoingExclusions"},
    {"nftablesMode", "NFTablesMode"},
    {"nftablesMarkMask", "NFTablesMarkMask"},
    {"nftablesRefreshInterval", "NFTablesRefreshInterval", ValueKind::kSeconds},
    {"nftablesFilterAllowAction", "NFTablesFilterAllowAction"},
    {"nftablesFilterDenyAction", "NFTablesFilterDenyAction"},
    {"nftablesMangleAllowAction", "NFTablesMangleAllowAction"},
    {"vxlanEnabled", "VXLANEnabled"},
    {"vxlanPort", "VXLANPort"},
    {"vxlanVNI", "VXLANVNI"},
    {"vxlanMTU", "VXLANMTU"},
    {"xdpEnabled", "XDPEnabled"},
    {"ipForwarding", "IPForwarding"},
    {"failsafeInboundHostPorts", "", ValueKind::kPorts},
    {"failsafeOutboundHostPorts", "", ValueKind::kPorts},
}};

constexpr std::string_view kAnnotationPrefix = "config.projectcalico.org/";

std::string Capitalised(std::string_view field) {
  std::string name(field);
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') {
    name[0] = static_cast<char>(name[0] - 'a' + 'A');
  }
  return name;
}

// Go's time.ParseDuration; abseil's speaks the same language but for the micro sign and infinity.
std::optional<absl::Duration> ParseGoDuration(std::string_view text) {
  const std::string ascii =
      absl::StrReplaceAll(ToAbsl(text), {{"\u00B5s", "us"}, {"\u03BCs", "us"}});
  absl::Duration duration;
  if (!absl::ParseDuration(ascii, &duration) ||
      absl::AbsDuration(duration) == absl::InfiniteDuration()) {
    return std::nullopt;
  }
  return duration;
}

std::optional<std::string> DurationText(const Field& field, ValueKind kind, Faults& faults) {
  const std::optional<std::string> text = ReadString(field, faults);
  if (!text) return std::nullopt;
  const std::optional<absl::Duration> duration = ParseGoDuration(*text);
  if (!duration) {
    faults.Add(*field.node, field.path, fmt::format("'{}' is not a duration", *text));
    return std::nullopt;
  }
  return fmt::format("{}", kind == ValueKind::kSeconds ? absl::ToDoubleSeconds(*duration)
                                                       : absl::ToDoubleMilliseconds(*duration));
}

std::optional<std::string> PortText(const Field& field, Faults& faults) {
  const std::size_t before = faults.count();
  ObjectReader port(field, faults);
  std::string protocol = port.StringOrEmpty("protocol");
  if (protocol.empty()) protocol = "tcp";
  const bool known =
      absl::EqualsIgnoreCase(protocol, "tcp") || absl::EqualsIgnoreCase(protocol, "udp");
  if (!known) port.Fault("protocol", fmt::format("'{}' is neither tcp nor udp", protocol));
  const std::optional<std::int64_t> number = port.Integer("port", 0, 65535);
  if (!number) port.Fault("port", "missing");
  const std::string net = port.StringOrEmpty("net");
  std::string net_text;
  if (!net.empty()) {
    const absl::StatusOr<model::Cidr> cidr = model::Cidr::Parse(net);
    if (!cidr.ok()) {
      port.Fault("net", fmt::format("'{}' is not an address or a network", net));
    } else {
      const bool is_v6 = cidr->family() == model::IpFamily::kV6;
      net_text = fmt::format(fmt::runtime(is_v6 ? "[{}]:" : "{}:"), cidr->ToString());
    }
  }
  if (faults.count() != before) return std::nullopt;
  return fmt::format("{}:{}{}", absl::EqualsIgnoreCase(protocol, "tcp") ? "tcp" : "udp", net_text,
                     *number);
}

// {min: 0, max: 250} as the file's 0-250.
std::optional<std::string> RangeText(const Field& field, Faults& faults) {
  ObjectReader range(field, faults);
  const std::optional<std::int64_t> min = range.Integer("min", 0, INT32_MAX);
  const std::optional<std::int64_t> max = range.Integer("max", 0, INT32_MAX);
  if (!min || !max) {
    range.Fault(min ? "max" : "min", "missing");
    return std::nullopt;
  }
  return fmt::format("{}-{}", *min, *max);
}

std::optional<std::string> ListText(const Field& field, ValueKind kind, Faults& faults) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < field.node->children().size(); ++i) {
    const Field element = field.Element(i);
    std::optional<std::string> part;
    if (kind == ValueKind::kPorts) {
      part = PortText(element, faults);
    } else if (kind == ValueKind::kRanges) {
      part = RangeText(element, faults);
    } else {
      part = ScalarText(*element.node);
    }
    if (!part) return std::nullopt;
    parts.push_back(*std::move(part));
  }
  if (parts.empty() && kind == ValueKind::kPorts) return "none";
  return fmt::format("{}", fmt::join(parts, ","));
}

std::optional<std::string> ValueText(const Field& field, ValueKind kind, Faults& faults) {
  if (kind == ValueKind::kSeconds || kind == ValueKind::kMilliseconds) {
    return DurationText(field, kind, faults);
  }
  if (field.node->kind() == DocumentNode::Kind::kList) return ListText(field, kind, faults);
  if (kind == ValueKind::kPorts || kind == ValueKind::kRanges) {
    faults.Add(*field.node, field.path,
               fmt::format("is {}, not a list", Describe(field.node->kind())));
    return std::nullopt;
  }
  return ScalarText(*field.node);
}

// Names compare without regard to case wherever they are used.
void Set(model::ConfigParameters& parameters, const std::string& name, std::string value) {
  std::erase_if(parameters.values,
                [&](const auto& entry) { return absl::EqualsIgnoreCase(entry.first, name); });
  parameters.values.emplace(name, std::move(value));
}

Parameter FindParameter(std::string_view field) {
  if (field == "routeTableRanges") return {field, "RouteTableRanges", ValueKind::kRanges};
  for (const Parameter& parameter : kParameters) {
    if (parameter.field == field) return parameter;
  }
  return {field, ""};
}

}  // namespace

std::optional<model::ConfigId> ParseFelixConfigurationName(std::string_view name) {
  if (name == "default") return model::ConfigId{};
  constexpr std::string_view kNodePrefix = "node.";
  if (!name.starts_with(kNodePrefix) || name.size() == kNodePrefix.size()) return std::nullopt;
  return model::ConfigId{std::string(name.substr(kNodePrefix.size()))};
}

model::ConfigParameters ReadFelixConfigurationSpec(
    const Field& field, const std::vector<model::LabelSet::Entry>& annotations, Faults& faults) {
  const ObjectReader spec(field, faults);
  model::ConfigParameters parameters;
  for (std::size_t i = 0; i < field.node->keys().size(); ++i) {
    const std::string& key = field.node->keys()[i];
    const Field value{&field.node->children()[i], spec.Path(key)};
    if (value.node->IsNull()) continue;
    const Parameter parameter = FindParameter(key);
    std::optional<std::string> text = ValueText(value, parameter.kind, faults);
    if (!text) continue;
    Set(parameters, parameter.name.empty() ? Capitalised(key) : std::string(parameter.name),
        *std::move(text));
  }
  for (const auto& [key, value] : annotations) {
    if (!std::string_view(key).starts_with(kAnnotationPrefix)) continue;
    Set(parameters, key.substr(kAnnotationPrefix.size()), value);
  }
  return parameters;
}

}  // namespace felix::datastore
