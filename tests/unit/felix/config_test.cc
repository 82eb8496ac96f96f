// SPDX-License-Identifier: Apache-2.0
#include "felix/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace felix {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

Setting Of(const ConfigSources& sources, std::string_view name) {
  const Config config = Config::Resolve(sources);
  return config.settings.find(name)->second;
}

TEST(Config, HasTheDocumentedDefaults) {
  ConfigSources sources;
  sources.defaults["FelixHostname"] = "node-1";
  const Config config = Config::Resolve(sources);
  compiler::Options expected;
  expected.hostname = "node-1";
  for (const std::uint16_t port :
       std::initializer_list<std::uint16_t>{22, 179, 2379, 2380, 5473, 6443, 6666, 6667}) {
    expected.failsafe_inbound.push_back({model::kTcp, port, {}});
    if (port != 22) expected.failsafe_outbound.push_back({model::kTcp, port, {}});
  }
  expected.failsafe_inbound.push_back({model::kUdp, 68, {}});
  expected.failsafe_outbound.push_back({model::kUdp, 53, {}});
  expected.failsafe_outbound.push_back({model::kUdp, 67, {}});
  EXPECT_EQ(config.compiler, expected);
  EXPECT_EQ(config.iptables_refresh_interval, std::chrono::seconds(60));
  EXPECT_EQ(config.ipsets_refresh_interval, std::chrono::seconds(90));
  EXPECT_EQ(config.max_ipset_size, 1048576U);
  EXPECT_EQ(config.iptables_lock_path, "/run/xtables.lock");
  EXPECT_EQ(config.iptables_lock_probe_interval, std::chrono::milliseconds(50));
  EXPECT_EQ(config.log_severity_screen, "INFO");
  EXPECT_EQ(config.log_file_path, "");
  EXPECT_EQ(config.datastore, "");
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(Config, TakesTheStrongestSource) {
  ConfigSources sources;
  sources.cluster["LogPrefix"] = "cluster";
  EXPECT_EQ(Of(sources, "LogPrefix"), (Setting{"cluster", ConfigSource::kCluster}));
  sources.host["LOGPREFIX"] = "host";
  EXPECT_EQ(Of(sources, "LogPrefix"), (Setting{"host", ConfigSource::kHost}));
  sources.file["logprefix"] = "file";
  EXPECT_EQ(Of(sources, "LogPrefix"), (Setting{"file", ConfigSource::kFile}));
  sources.environment["logPrefix"] = "environment";
  EXPECT_EQ(Of(sources, "LogPrefix"), (Setting{"environment", ConfigSource::kEnvironment}));
  sources.command_line["LogPrefix"] = "flag";
  EXPECT_EQ(Of(sources, "LogPrefix"), (Setting{"flag", ConfigSource::kCommandLine}));
}

TEST(Config, TreatsAnEmptyValueAsUnsaid) {
  ConfigSources sources;
  sources.file["LogPrefix"] = "file";
  sources.environment["LogPrefix"] = "  ";
  EXPECT_EQ(Of(sources, "LogPrefix"), (Setting{"file", ConfigSource::kFile}));
}

TEST(Config, LetsABadStrongValueHideAGoodWeakOne) {
  ConfigSources sources;
  sources.file["ChainInsertMode"] = "append";
  sources.environment["ChainInsertMode"] = "sideways";
  const Config config = Config::Resolve(sources);
  EXPECT_EQ(config.compiler.insert_mode, compiler::InsertMode::kInsert);
  EXPECT_THAT(config.warnings,
              ElementsAre(AllOf(HasSubstr("environment"), HasSubstr("ChainInsertMode"),
                                HasSubstr("\"sideways\""), HasSubstr("not one of insert,append"))));
}

TEST(Config, WarnsOfABadWeakValueThatAStrongOneHides) {
  ConfigSources sources;
  sources.cluster["ChainInsertMode"] = "sideways";
  sources.file["ChainInsertMode"] = "append";
  const Config config = Config::Resolve(sources);
  EXPECT_EQ(config.compiler.insert_mode, compiler::InsertMode::kAppend);
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("datastore, all hosts: ChainInsertMode")));
}

TEST(Config, IgnoresLocalParametersOfTheDatastore) {
  ConfigSources sources;
  sources.defaults["FelixHostname"] = "node-1";
  sources.host["FelixHostname"] = "other";
  sources.cluster["Datastore"] = "file:/elsewhere";
  const Config config = Config::Resolve(sources);
  EXPECT_EQ(config.compiler.hostname, "node-1");
  EXPECT_EQ(config.datastore, "");
  EXPECT_THAT(config.warnings,
              ElementsAre(HasSubstr("Datastore cannot be set in the datastore"),
                          HasSubstr("FelixHostname cannot be set in the datastore")));
}

TEST(Config, ReadsEveryParameterThatTheCompilerNeeds) {
  ConfigSources sources;
  sources.file = {{"FelixHostname", "Other"},
                  {"InterfacePrefix", "cali,tap"},
                  {"Ipv6Support", "no"},
                  {"ChainInsertMode", "Append"},
                  {"IptablesFilterAllowAction", "Return"},
                  {"IptablesFilterDenyAction", "Reject"},
                  {"DefaultEndpointToHostAction", "Accept"},
                  {"InvalidPolicyAction", "drop"},
                  {"IptablesMarkMask", "0xf00"},
                  {"DisableConntrackInvalidCheck", "true"},
                  {"AllowVXLANPacketsFromWorkloads", "true"},
                  {"AllowIPIPPacketsFromWorkloads", "true"},
                  {"VXLANPort", "1234"},
                  {"FailsafeInboundHostPorts", "tcp:10.0.0.0/8:22"},
                  {"FailsafeOutboundHostPorts", "none"},
                  {"IptablesMangleAllowAction", "Return"},
                  {"WorkloadSourceSpoofing", "any"},
                  {"LogPrefix", "p"},
                  {"LogActionRateLimit", "10/min"},
                  {"LogActionRateLimitBurst", "7"},
                  {"IptablesNATOutgoingInterfaceFilter", "eth+"},
                  {"NATOutgoingExclusions", "IPPoolsAndHostIPs"},
                  {"NATPortRange", "32768:65535"},
                  {"NATOutgoingAddress", "192.0.2.1"},
                  {"FloatingIPs", "Enabled"}};
  compiler::Options expected{
      .hostname = "Other",
      .interface_prefixes = {"cali", "tap"},
      .ipv6_support = false,
      .insert_mode = compiler::InsertMode::kAppend,
      .filter_allow_action = compiler::AllowAction::kReturn,
      .filter_deny_action = compiler::DenyAction::kReject,
      .endpoint_to_host_action = compiler::EndpointToHostAction::kAccept,
      .invalid_policy_action = compiler::InvalidPolicyAction::kDrop,
      .mark_mask = 0xf00,
      .disable_conntrack_invalid_check = true,
      .allow_vxlan_from_workloads = true,
      .allow_ipip_from_workloads = true,
      .vxlan_port = 1234,
      .failsafe_inbound = {{model::kTcp, 22, *model::Cidr::Parse("10.0.0.0/8")}},
      .failsafe_outbound = {},
      .mangle_allow_action = compiler::AllowAction::kReturn,
      .workload_source_spoofing = true,
      .log_prefix = "p",
      .log_limit = ir::LimitMatch{.rate = 10, .unit = ir::LimitMatch::Unit::kMinute, .burst = 7},
      .nat_outgoing_interface_filter = "eth+",
      .nat_outgoing_exclusions = compiler::NatOutgoingExclusions::kIpPoolsAndHostIps,
      .nat_port_range = model::PortRange{.first = 32768, .last = 65535},
      .nat_outgoing_address = *model::IpAddress::Parse("192.0.2.1"),
      .floating_ips_enabled = true,
  };
  const Config config = Config::Resolve(sources);
  EXPECT_EQ(config.compiler, expected);
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST(Config, ClosesFailsafePortsOnlyIfToldSo) {
  ConfigSources sources;
  sources.cluster["FailsafeInboundHostPorts"] = "none";
  sources.cluster["FailsafeOutboundHostPorts"] = "tcp:";
  sources.environment["FailsafeOutboundHostPorts"] = "udp:[fd00::/8]:53";
  const compiler::Options told = Config::Resolve(sources).compiler;
  EXPECT_THAT(told.failsafe_inbound, IsEmpty());
  EXPECT_THAT(told.failsafe_outbound,
              ElementsAre(model::FailsafePort{model::kUdp, 53, *model::Cidr::Parse("fd00::/8")}));
  sources.environment.clear();
  const Config config = Config::Resolve(sources);
  EXPECT_EQ(config.compiler.failsafe_outbound.size(), 9U);  // what cannot be read is the default
  EXPECT_EQ(config.warnings.size(), 1U);
}

TEST(Config, SuggestsTheNameThatWasMeant) {
  ConfigSources sources;
  sources.environment["IptablesRefreshIntervals"] = "3";
  sources.file["Xyzzy"] = "secret";
  EXPECT_THAT(Config::Resolve(sources).warnings,
              ElementsAre("configuration file: unknown parameter Xyzzy",
                          "environment: unknown parameter IptablesRefreshIntervals, did you mean "
                          "IptablesRefreshInterval?"));
}

TEST(Config, RemarksOnParametersWithoutEffectAndDoesNotWarn) {
  ConfigSources sources;
  sources.file["HealthPort"] = "9099";
  const Config config = Config::Resolve(sources);
  EXPECT_THAT(config.warnings, IsEmpty());
  EXPECT_THAT(config.remarks,
              ElementsAre("configuration file: HealthPort has no effect in this program"));
}

TEST(ConfigFromEnvironment, TakesOurPrefixInAnyCaseAndNothingElse) {
  const char* const environment[] = {
      "PATH=/bin",     "FELIX_LOGPREFIX=a=b", "felix_Datastore=file:/x",
      "FELIX_=nobody", "FELIXHOSTNAME=x",     nullptr};
  EXPECT_THAT(ConfigFromEnvironment(environment),
              UnorderedElementsAre(Pair("LOGPREFIX", "a=b"), Pair("Datastore", "file:/x")));
}

TEST(ConfigChanges, NamesWhatDiffersAndWhatNeedsARestart) {
  ConfigSources before;
  before.defaults["FelixHostname"] = "a";
  before.file["LogPrefix"] = "same";
  ConfigSources after = before;
  after.defaults["FelixHostname"] = "b";
  after.environment["LogPrefix"] = "same";
  after.cluster["Ipv6Support"] = "false";
  const std::vector<ConfigChange> changes =
      Changes(Config::Resolve(before), Config::Resolve(after));
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].name, "FelixHostname");
  EXPECT_TRUE(changes[0].needs_restart);
  EXPECT_EQ(changes[1].name, "Ipv6Support");
  EXPECT_EQ(changes[1].before, (Setting{"true", ConfigSource::kDefault}));
  EXPECT_EQ(changes[1].after, (Setting{"false", ConfigSource::kCluster}));
  EXPECT_FALSE(changes[1].needs_restart);
}

}  // namespace
}  // namespace felix
