// SPDX-License-Identifier: Apache-2.0
#include "datastore/felix_configuration.h"

#include <map>
#include <string>

#include "gtest/gtest.h"

#include "tests/unit/datastore/decoding.h"

namespace felix::datastore {
namespace {

using Values = std::map<std::string, std::string>;

Values ValuesOf(std::string_view spec, std::string_view metadata = "{name: default}") {
  return DecodeValue<model::ConfigParameters>(ObjectYaml("FelixConfiguration", metadata, spec))
      .values;
}

TEST(FelixConfiguration, IsKeyedByHost) {
  EXPECT_EQ(DecodeOne(ObjectYaml("FelixConfiguration", "{name: default}", "{}")).key,
            model::Key(model::ConfigId{""}));
  EXPECT_EQ(DecodeOne(ObjectYaml("FelixConfiguration", "{name: node.mesos-1.dc}", "{}")).key,
            model::Key(model::ConfigId{"mesos-1.dc"}));
  ExpectRefused(ObjectYaml("FelixConfiguration", "{name: racks}", "{nodeSelector: all()}"),
                "metadata.name", "not supported");
}

TEST(FelixConfiguration, OfTheApiBecomesParametersOfTheFile) {
  const Values expected = {
      {"Ipv6Support", "false"},
      {"IpInIpEnabled", "true"},
      {"IpInIpMtu", "1440"},
      {"ChainInsertMode", "Insert"},
      {"DefaultEndpointToHostAction", "Return"},
      {"IptablesRefreshInterval", "60"},
      {"IptablesLockProbeIntervalMillis", "50"},
      {"IptablesMarkMask", "4294901760"},
      {"InterfacePrefix", "cali,tap"},
      {"FailsafeInboundHostPorts", "tcp:10.0.0.0/8:22,udp:68"},
      {"FailsafeOutboundHostPorts", "none"},
      {"KubeNodePortRanges", "30000:32767,4000"},
      {"NATPortRange", "32768:65535"},
      {"LogSeverityScreen", "Info"},
      {"ReportingIntervalSecs", "0"},
      {"ExternalNodesCIDRList", "192.0.2.0/24,198.51.100.0/24"},
      {"SomeNewParam", "x"},
  };
  EXPECT_EQ(
      ValuesOf(R"({ipv6Support: false, ipipEnabled: true, ipipMTU: 1440,
    chainInsertMode: Insert, defaultEndpointToHostAction: Return, iptablesRefreshInterval: 60s,
    iptablesLockProbeInterval: 50ms, iptablesMarkMask: 4294901760, interfacePrefix: "cali,tap",
    failsafeInboundHostPorts: [{protocol: tcp, port: 22, net: 10.0.0.0/8},
                               {protocol: UDP, port: 68}],
    failsafeOutboundHostPorts: [], kubeNodePortRanges: ["30000:32767", 4000],
    natPortRange: "32768:65535", logSeverityScreen: Info, reportingInterval: 0s,
    externalNodesList: [192.0.2.0/24, 198.51.100.0/24], bpfLogLevel: null})",
               "{name: node.mesos-1, annotations: {config.projectcalico.org/SomeNewParam: x}}"),
      expected);
}

TEST(FelixConfiguration, SpellsNamesThatDifferBeyondTheFirstLetter) {
  const Values expected = {
      {"IptablesPostWriteCheckIntervalSecs", "5"},
      {"NetlinkTimeoutSecs", "10"},
      {"ReportingTTLSecs", "90"},
      {"EndpointReportingDelaySecs", "1"},
      {"XDPRefreshInterval", "90"},
      {"IptablesLockTimeoutSecs", "3"},
      {"RouteTableRanges", "0-250,300-400"},
      {"InvalidPolicyAction", "Drop"},
  };
  EXPECT_EQ(ValuesOf(R"({iptablesPostWriteCheckInterval: 5s, netlinkTimeout: 10s,
    reportingTTL: 1m30s, endpointReportingDelay: 1s, xdpRefreshInterval: 90s,
    iptablesLockTimeout: 3s, routeTableRanges: [{min: 0, max: 250}, {min: 300, max: 400}],
    invalidPolicyAction: Drop})"),
            expected);
}

struct DurationCase {
  std::string text;
  std::string seconds;
};

TEST(FelixConfiguration, ReadsGoDurations) {
  const DurationCase cases[] = {{"90s", "90"},        {"1m30s", "90"},           {"1h", "3600"},
                                {"0", "0"},           {"50ms", "0.05"},          {"1.5s", "1.5"},
                                {"250us", "0.00025"}, {"250\u00b5s", "0.00025"}, {"-1s", "-1"}};
  for (const DurationCase& c : cases) {
    const Values expected = {{"IpsetsRefreshInterval", c.seconds}};
    EXPECT_EQ(ValuesOf("{ipsetsRefreshInterval: '" + c.text + "'}"), expected) << c.text;
  }
}

struct BadCase {
  std::string spec;
  std::string field;
  std::string reason;
};

TEST(FelixConfiguration, IsRefusedIfItCannotBeConverted) {
  const BadCase cases[] = {
      {"{ipsetsRefreshInterval: 90}", "ipsetsRefreshInterval", "not a string"},
      {"{ipsetsRefreshInterval: 90 s}", "ipsetsRefreshInterval", "not a duration"},
      {"{ipsetsRefreshInterval: inf}", "ipsetsRefreshInterval", "not a duration"},
      {"{ipsetsRefreshInterval: '90'}", "ipsetsRefreshInterval", "not a duration"},
      {"{failsafeInboundHostPorts: 'tcp:22'}", "failsafeInboundHostPorts", "not a list"},
      {"{failsafeInboundHostPorts: [{port: 65536}]}", "failsafeInboundHostPorts[0].port",
       "0..65535"},
      {"{failsafeInboundHostPorts: [{protocol: tcp}]}", "failsafeInboundHostPorts[0].port",
       "missing"},
      {"{failsafeInboundHostPorts: [{protocol: sctp, port: 1}]}",
       "failsafeInboundHostPorts[0].protocol", "neither tcp nor udp"},
      {"{failsafeInboundHostPorts: [{port: 1, net: x}]}", "failsafeInboundHostPorts[0].net",
       "not an address"},
      {"{routeTableRanges: [{min: 1}]}", "routeTableRanges[0].max", "missing"},
  };
  for (const BadCase& c : cases) {
    ExpectRefused(ObjectYaml("FelixConfiguration", "{name: default}", c.spec), "spec." + c.field,
                  c.reason);
  }
}

TEST(FelixConfiguration, PutsNetsOfIPv6InBrackets) {
  const Values expected = {{"FailsafeInboundHostPorts", "tcp:[fd00::/8]:22"}};
  EXPECT_EQ(ValuesOf("{failsafeInboundHostPorts: [{port: 22, net: 'fd00::/8'}]}"), expected);
}

TEST(FelixConfiguration, LetsAnnotationsWinWhateverTheirCase) {
  const Values expected = {{"ipv6support", "true"}};
  EXPECT_EQ(
      ValuesOf("{ipv6Support: false}",
               "{name: default, annotations: {config.projectcalico.org/ipv6support: 'true'}}"),
      expected);
}

TEST(FelixConfiguration, LeavesOutUnknownFieldsThatAreNoScalars) {
  const Values expected = {{"NewNumber", "1.5"}, {"NewText", "a"}};
  EXPECT_EQ(ValuesOf("{newText: a, newNumber: 1.5, newObject: {a: b}, newList: [{a: b}]}"),
            expected);
}

}  // namespace
}  // namespace felix::datastore
