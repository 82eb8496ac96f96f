// SPDX-License-Identifier: Apache-2.0
#include "felix/config_parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"

#include "model/base/strings.h"

namespace felix {
namespace {

struct Case {
  std::string_view name;
  std::string_view text;
  std::string_view expected;  // "!" for refused
};

constexpr Case kCases[] = {
    {"Ipv6Support", "TRUE", "true"},
    {"Ipv6Support", "1", "true"},
    {"Ipv6Support", "Yes", "true"},
    {"Ipv6Support", "y", "true"},
    {"Ipv6Support", "T", "true"},
    {"Ipv6Support", "false", "false"},
    {"Ipv6Support", "0", "false"},
    {"Ipv6Support", "NO", "false"},
    {"Ipv6Support", "n", "false"},
    {"Ipv6Support", "f", "false"},
    {"Ipv6Support", "None", "false"},
    {"Ipv6Support", "on", "!"},
    {"VXLANPort", "4789", "4789"},
    {"VXLANPort", "0x12b5", "4789"},
    {"VXLANPort", "011265", "4789"},
    {"VXLANPort", "0", "!"},
    {"VXLANPort", "none", "!"},
    {"VXLANPort", "65536", "!"},
    {"VXLANPort", "-1", "!"},
    {"VXLANPort", "--1", "!"},
    {"VXLANPort", "12 ", "!"},
    {"VXLANPort", "0x", "!"},
    {"MaxIpsetSize", "99999999999999999999", "!"},
    {"IptablesRefreshInterval", "90", "90"},
    {"IptablesRefreshInterval", "1.5", "1.5"},
    {"IptablesRefreshInterval", "none", "0"},
    {"IptablesRefreshInterval", "-0", "0"},
    {"IptablesRefreshInterval", "-1", "!"},
    {"IptablesRefreshInterval", "90s", "!"},
    {"IptablesRefreshInterval", "inf", "!"},
    {"IptablesRefreshInterval", "nan", "!"},
    {"IptablesRefreshInterval", "1e300", "!"},
    {"IptablesLockProbeIntervalMillis", "12.5", "12.5"},
    {"ChainInsertMode", "APPEND", "append"},
    {"ChainInsertMode", "none", "!"},
    {"ChainInsertMode", "prepend", "!"},
    {"DefaultEndpointToHostAction", "return", "RETURN"},
    {"IptablesFilterDenyAction", "Reject", "REJECT"},
    {"InvalidPolicyAction", "DROP", "Drop"},
    {"WorkloadSourceSpoofing", "any", "Any"},
    {"LogSeverityScreen", "debug", "DEBUG"},
    {"LogSeverityScreen", "none", ""},
    {"IptablesMarkMask", "0xffff0000", "0xffff0000"},
    {"IptablesMarkMask", "4294901760", "0xffff0000"},
    {"IptablesMarkMask", "15", "0x0000000f"},
    {"IptablesMarkMask", "7", "!"},
    {"IptablesMarkMask", "0", "!"},
    {"IptablesMarkMask", "0x1ffffffff", "!"},
    {"IptablesMarkMask", "none", "!"},
    {"InterfacePrefix", "cali,tap", "cali,tap"},
    {"InterfacePrefix", "cali,", "!"},
    {"InterfacePrefix", "cali tap", "!"},
    {"InterfacePrefix", "abcdefghijklmnop", "!"},
    {"InterfacePrefix", "none", "!"},
    {"InterfaceExclude", "kube-ipvs0,/^veth/", "kube-ipvs0,/^veth/"},
    {"InterfaceExclude", "none", ""},
    {"InterfaceExclude", "/[/", "!"},
    {"FelixHostname", "Node-1.example_x", "Node-1.example_x"},
    {"FelixHostname", "a b", "!"},
    {"FelixHostname", "none", "!"},
    {"IptablesNATOutgoingInterfaceFilter", "eth0.100", "eth0.100"},
    {"IptablesNATOutgoingInterfaceFilter", "eth+", "eth+"},
    {"IptablesNATOutgoingInterfaceFilter", "none", ""},
    {"IptablesNATOutgoingInterfaceFilter", "+", "!"},
    {"IptablesNATOutgoingInterfaceFilter", "a b", "!"},
    {"LogActionRateLimit", "10/min", "10/minute"},
    {"LogActionRateLimit", "1/s", "1/second"},
    {"LogActionRateLimit", "none", ""},
    {"LogActionRateLimit", "10", "!"},
    {"LogActionRateLimit", "0/second", "!"},
    {"LogActionRateLimit", "10001/second", "!"},
    {"LogActionRateLimit", "1/week", "!"},
    {"LogActionRateLimit", "1/", "!"},
    {"LogActionRateLimitBurst", "9999", "9999"},
    {"LogActionRateLimitBurst", "10000", "!"},
    {"NATPortRange", "32768:65535", "32768:65535"},
    {"NATPortRange", "none", ""},
    {"NATPortRange", "9:8", "!"},
    {"NATOutgoingAddress", "192.0.2.1", "192.0.2.1"},
    {"NATOutgoingAddress", "fd00::1", "!"},
    {"FailsafeInboundHostPorts", "tcp:22", "tcp:22"},
    {"FailsafeInboundHostPorts", "22", "tcp:22"},
    {"FailsafeInboundHostPorts", " UDP:68 , tcp:22,,tcp:22", "tcp:22,udp:68"},
    {"FailsafeInboundHostPorts", "tcp:10.1.2.3/8:22", "tcp:10.0.0.0/8:22"},
    {"FailsafeInboundHostPorts", "tcp:192.0.2.1:22", "tcp:192.0.2.1/32:22"},
    {"FailsafeInboundHostPorts", "tcp:[fd00::/8]:22", "tcp:[fd00::/8]:22"},
    {"FailsafeInboundHostPorts", "None", ""},
    {"FailsafeInboundHostPorts", "sctp:22", "!"},
    {"FailsafeInboundHostPorts", "tcp:65536", "!"},
    {"FailsafeInboundHostPorts", "tcp:", "!"},
    {"FailsafeInboundHostPorts", "tcp:fd00::/8:22", "!"},
    {"FailsafeInboundHostPorts", "tcp:[10.0.0.0/8]:22", "!"},
    {"FailsafeInboundHostPorts", "tcp:10.0.0.0/33:22", "!"},
    {"FailsafeInboundHostPorts", "tcp:22:", "!"},
    {"FailsafeOutboundHostPorts", "udp:53", "udp:53"},
    {"IptablesMangleAllowAction", "return", "RETURN"},
    {"IptablesMangleAllowAction", "drop", "!"},
    {"LogPrefix", "a b", "a b"},
    {"LogPrefix", "NONE", ""},
    {"LogPrefix", "a\nb", "!"},
};

TEST(ParameterValues, AreReadAsTheirTypesSay) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(std::string(c.name) + " = " + std::string(c.text));
    const Parameter* parameter = FindParameter(c.name);
    ASSERT_NE(parameter, nullptr);
    const absl::StatusOr<std::string> value = ParseParameterValue(*parameter, c.text);
    if (c.expected == "!") {
      EXPECT_FALSE(value.ok()) << *value;
    } else {
      ASSERT_TRUE(value.ok()) << value.status().ToString();
      EXPECT_EQ(*value, c.expected);
    }
  }
}

TEST(Parameters, AreSortedAndUniqueWithoutRegardToCase) {
  std::string before;
  for (const Parameter& parameter : Parameters()) {
    const std::string name = absl::AsciiStrToLower(ToAbsl(parameter.name));
    EXPECT_LT(before, name);
    before = name;
  }
}

TEST(Parameters, HaveDefaultsInCanonicalForm) {
  for (const Parameter& parameter : Parameters()) {
    if (parameter.default_value.empty()) continue;
    const absl::StatusOr<std::string> value =
        ParseParameterValue(parameter, parameter.default_value);
    ASSERT_TRUE(value.ok()) << parameter.name;
    EXPECT_EQ(*value, parameter.default_value) << parameter.name;
  }
}

TEST(Parameters, AreFoundInAnyCase) {
  ASSERT_NE(FindParameter("iptablesrefreshINTERVAL"), nullptr);
  EXPECT_EQ(FindParameter("iptablesrefreshINTERVAL")->name, "IptablesRefreshInterval");
  EXPECT_EQ(FindParameter("IptablesRefresh"), nullptr);
}

TEST(Parameters, KnowCalicosNamesThatHaveNoEffectHere) {
  for (const std::string_view name : {"HealthPort", "PrometheusMetricsEnabled", "VXLANEnabled",
                                      "UsageReportingEnabled", "IpInIpMtu", "XDPEnabled"}) {
    ASSERT_NE(FindParameter(name), nullptr) << name;
    EXPECT_EQ(FindParameter(name)->change, ParameterChange::kNoEffect) << name;
  }
}

TEST(NearestParameterName, FindsTheNameThatWasMeant) {
  EXPECT_EQ(NearestParameterName("IpTablesRefreshIntervall"), "IptablesRefreshInterval");
  EXPECT_EQ(NearestParameterName("ChainInsertionMode"), "ChainInsertMode");
  EXPECT_EQ(NearestParameterName("IPv6Suport"), "Ipv6Support");
}

TEST(NearestParameterName, IsSilentAboutNamesThatResembleNone) {
  EXPECT_EQ(NearestParameterName("Zzz"), "");
  EXPECT_EQ(NearestParameterName(std::string(5000, 'a')), "");
}

}  // namespace
}  // namespace felix
