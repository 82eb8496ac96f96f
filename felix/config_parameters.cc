// SPDX-License-Identifier: Apache-2.0
#include "felix/config_parameters.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

#include "model/base/strings.h"

namespace felix {
namespace {

using enum ParameterType;
using enum ParameterScope;
using enum ParameterChange;

constexpr std::string_view kSeverities = "TRACE,DEBUG,INFO,WARNING,ERROR,FATAL";

// A name of Calico's that this program knows but has no use for.
constexpr Parameter Inert(std::string_view name, ParameterScope scope = kAnywhere) {
  return {name, kText, "", scope, kNoEffect};
}

constexpr std::array kParameters = {
    Parameter{"AllowIPIPPacketsFromWorkloads", kBool, "false"},
    Parameter{"AllowVXLANPacketsFromWorkloads", kBool, "false"},
    Inert("CalicoVersion"),
    Parameter{"ChainInsertMode", kOneOf, "insert", kAnywhere, kLive, "insert,append"},
    Parameter{"ChainLayout", kOneOf, "PerContainer", kAnywhere, kLive, "PerContainer,Shared"},
    Inert("ClusterGUID"),
    Inert("ClusterType"),
    Inert("DataplaneDriver", kLocal),
    Parameter{"Datastore", kText, "", kLocal, kRestart},
    Parameter{"DatastoreType", kOneOf, "etcdv3", kLocal, kRestart, "etcdv3,kubernetes"},
    Parameter{"DefaultEndpointToHostAction", kOneOf, "DROP", kAnywhere, kLive,
              "DROP,RETURN,ACCEPT"},
    Inert("DeviceRouteProtocol"),
    Inert("DeviceRouteSourceAddress"),
    Inert("DeviceRouteSourceAddressIPv6"),
    Parameter{"DisableConntrackInvalidCheck", kBool, "false"},
    Inert("DropActionOverride"),
    Parameter{"EndpointReportingDelaySecs", kSeconds, "1"},
    Parameter{"EndpointReportingEnabled", kBool, "false"},
    Inert("EndpointStatusPathPrefix"),
    Parameter{"EtcdAddr", kText, "", kLocal, kRestart},
    Parameter{"EtcdCaFile", kText, "", kLocal, kRestart},
    Parameter{"EtcdCertFile", kText, "", kLocal, kRestart},
    Parameter{"EtcdEndpoints", kText, "", kLocal, kRestart},
    Parameter{"EtcdKeyFile", kText, "", kLocal, kRestart},
    Parameter{"EtcdScheme", kOneOf, "http", kLocal, kRestart, "http,https"},
    Inert("ExternalNodesCIDRList"),
    Parameter{"FailsafeInboundHostPorts", kFailsafePorts,
              "tcp:22,tcp:179,tcp:2379,tcp:2380,tcp:5473,tcp:6443,tcp:6666,tcp:6667,udp:68"},
    Parameter{"FailsafeOutboundHostPorts", kFailsafePorts,
              "tcp:179,tcp:2379,tcp:2380,tcp:5473,tcp:6443,tcp:6666,tcp:6667,udp:53,udp:67"},
    Inert("FeatureDetectOverride"),
    Parameter{"FelixHostname", kHostname, "", kLocal, kRestart},
    Parameter{"FloatingIPs", kOneOf, "Disabled", kAnywhere, kLive, "Disabled,Enabled"},
    Inert("GenericXDPEnabled"),
    Inert("HealthEnabled"),
    Inert("HealthHost"),
    Inert("HealthPort"),
    Inert("HealthTimeoutOverrides"),
    Parameter{"InterfaceExclude", kNamePatterns, "kube-ipvs0"},
    Parameter{"InterfacePrefix", kInterfaceList, "cali"},
    Parameter{"InterfaceRefreshInterval", kSeconds, "90"},
    Parameter{"InvalidPolicyAction", kOneOf, "Ignore", kAnywhere, kLive, "Ignore,Drop"},
    Inert("IPForwarding"),
    Inert("IpInIpEnabled"),
    Inert("IpInIpMtu"),
    Inert("IpInIpTunnelAddr"),
    Parameter{"IpsetsRefreshInterval", kSeconds, "90"},
    Inert("IptablesAllowAction"),
    Inert("IptablesBackend"),
    Parameter{"IptablesFilterAllowAction", kOneOf, "ACCEPT", kAnywhere, kLive, "ACCEPT,RETURN"},
    Parameter{"IptablesFilterDenyAction", kOneOf, "DROP", kAnywhere, kLive, "DROP,REJECT"},
    Parameter{"IptablesLockFilePath", kText, "/run/xtables.lock", kAnywhere, kRestart},
    Parameter{"IptablesLockProbeIntervalMillis", kMillis, "50", kAnywhere, kRestart},
    Parameter{"IptablesLockTimeoutSecs", kSeconds, "0", kAnywhere, kRestart},
    Parameter{"IptablesMangleAllowAction", kOneOf, "ACCEPT", kAnywhere, kLive, "ACCEPT,RETURN"},
    Parameter{"IptablesMarkMask", kMarkMask, "0xffff0000"},
    Parameter{"IptablesNATOutgoingInterfaceFilter", kInterface, ""},
    Inert("IptablesPostWriteCheckIntervalSecs"),
    Parameter{"IptablesRefreshInterval", kSeconds, "60"},
    Parameter{"Ipv6Support", kBool, "true"},
    Inert("KubeNodePortRanges"),
    Parameter{"LogActionRateLimit", kRate, ""},
    Parameter{"LogActionRateLimitBurst", kInt, "5", kAnywhere, kLive, "0..9999"},
    Inert("LogDebugFilenameRegex"),
    Parameter{"LogFilePath", kText, "", kAnywhere, kLive},
    Parameter{"LogPrefix", kText, "calico-packet"},
    Parameter{"LogSeverityFile", kOneOf, "INFO", kAnywhere, kLive, kSeverities},
    Parameter{"LogSeverityScreen", kOneOf, "INFO", kAnywhere, kLive, kSeverities},
    Inert("LogSeveritySys"),
    Parameter{"MaxIpsetSize", kInt, "1048576", kAnywhere, kLive, "1..4294967295"},
    Inert("MetadataAddr"),
    Inert("MetadataPort"),
    Parameter{"NATOutgoingAddress", kIpv4Address, ""},
    Parameter{"NATOutgoingExclusions", kOneOf, "IPPoolsOnly", kAnywhere, kLive,
              "IPPoolsOnly,IPPoolsAndHostIPs"},
    Parameter{"NATPortRange", kPortRange, ""},
    Inert("NetlinkTimeoutSecs"),
    Inert("NFTablesMode"),
    Parameter{"OpenstackRegion", kText, "", kLocal, kRestart},
    Inert("PolicySyncPathPrefix"),
    Inert("PrometheusMetricsEnabled"),
    Inert("PrometheusMetricsHost"),
    Inert("PrometheusMetricsPort"),
    Inert("RemoveExternalRoutes"),
    Parameter{"ReportingIntervalSecs", kSeconds, "0"},
    Parameter{"ReportingTTLSecs", kSeconds, "90"},
    Inert("RouteRefreshInterval"),
    Inert("RouteSyncDisabled"),
    Inert("ServiceLoopPrevention"),
    Inert("UsageReportingEnabled"),
    Inert("UsageReportingInitialDelaySecs"),
    Inert("UsageReportingIntervalSecs"),
    Inert("UseInternalDataplaneDriver", kLocal),
    Inert("Variant"),
    Inert("VXLANEnabled"),
    Inert("VXLANMTU"),
    Parameter{"VXLANPort", kInt, "4789", kAnywhere, kLive, "1..65535"},
    Inert("VXLANVNI"),
    Inert("WireguardPersistentKeepAlive"),
    Parameter{"WorkloadSourceSpoofing", kOneOf, "Disabled", kAnywhere, kLive, "Disabled,Any"},
    Inert("XDPEnabled"),
    Inert("XDPRefreshInterval"),
};

// Levenshtein's distance, without regard to case.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = absl::ascii_tolower(static_cast<unsigned char>(a[i - 1])) ==
                        absl::ascii_tolower(static_cast<unsigned char>(b[j - 1]));
      const std::size_t replaced = diagonal + (same ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::span<const Parameter> Parameters() {
  return kParameters;
}

const Parameter* FindParameter(std::string_view name) {
  for (const Parameter& parameter : kParameters) {
    if (absl::EqualsIgnoreCase(ToAbsl(parameter.name), ToAbsl(name))) return &parameter;
  }
  return nullptr;
}

std::string_view NearestParameterName(std::string_view name) {
  constexpr std::size_t kLongestSensibleName = 64;
  if (name.size() > kLongestSensibleName) return {};
  std::string_view nearest;
  std::size_t least = name.size() / 3 + 1;
  for (const Parameter& parameter : kParameters) {
    const std::size_t distance = EditDistance(parameter.name, name);
    if (distance < least) {
      least = distance;
      nearest = parameter.name;
    }
  }
  return nearest;
}

}  // namespace felix
