// SPDX-License-Identifier: Apache-2.0
#include "felix/config.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "compiler/marks.h"
#include "felix/config_parameters.h"
#include "felix/failsafe_ports.h"
#include "model/base/check.h"
#include "model/base/strings.h"

namespace felix {
namespace {

using Values = ConfigSources::Values;
using SettingMap = std::map<std::string, Setting, std::less<>>;

class Resolver {
 public:
  Resolver(const ConfigSources& sources, Config& config) : sources_(sources), config_(config) {}

  void Run() {
    for (const Parameter& parameter : Parameters()) {
      if (parameter.change == ParameterChange::kNoEffect) continue;
      config_.settings[std::string(parameter.name)] = {DefaultOf(parameter),
                                                       ConfigSource::kDefault};
    }
    for (const std::string& warning : sources_.file_warnings) {
      config_.warnings.push_back(
          fmt::format("{}: {}", ConfigSourceName(ConfigSource::kFile), warning));
    }
    // Weakest first: a stronger source overwrites.
    Hear(ConfigSource::kCluster, sources_.cluster);
    Hear(ConfigSource::kHost, sources_.host);
    Hear(ConfigSource::kFile, sources_.file);
    Hear(ConfigSource::kEnvironment, sources_.environment);
    Hear(ConfigSource::kCommandLine, sources_.command_line);
  }

 private:
  std::string DefaultOf(const Parameter& parameter) const {
    const auto found = sources_.defaults.find(std::string(parameter.name));
    return found != sources_.defaults.end() ? found->second : std::string(parameter.default_value);
  }

  void Hear(ConfigSource source, const Values& values) {
    for (const auto& [name, raw] : values) {
      const std::string_view text = ToStd(absl::StripAsciiWhitespace(ToAbsl(raw)));
      if (text.empty()) continue;
      if (const Parameter* parameter = FindParameter(name); parameter != nullptr) {
        HearKnown(source, *parameter, text);
      } else {
        WarnUnknown(source, name);
      }
    }
  }

  void HearKnown(ConfigSource source, const Parameter& parameter, std::string_view text) {
    const bool from_datastore = source == ConfigSource::kHost || source == ConfigSource::kCluster;
    if (from_datastore && parameter.scope == ParameterScope::kLocal) {
      config_.warnings.push_back(fmt::format("{}: {} cannot be set in the datastore, ignored",
                                             ConfigSourceName(source), parameter.name));
      return;
    }
    if (parameter.change == ParameterChange::kNoEffect) {
      config_.remarks.push_back(fmt::format("{}: {} has no effect in this program",
                                            ConfigSourceName(source), parameter.name));
      return;
    }
    absl::StatusOr<std::string> value = ParseParameterValue(parameter, text);
    if (!value.ok()) {
      value = DefaultOf(parameter);
      config_.warnings.push_back(
          fmt::format("{}: {} = \"{}\" is {}; the default \"{}\" is used instead",
                      ConfigSourceName(source), parameter.name, text,
                      ToStd(ParseParameterValue(parameter, text).status().message()), *value));
    }
    config_.settings[std::string(parameter.name)] = {*std::move(value), source};
  }

  void WarnUnknown(ConfigSource source, std::string_view name) {
    const std::string_view nearest = NearestParameterName(name);
    config_.warnings.push_back(
        fmt::format("{}: unknown parameter {}{}", ConfigSourceName(source), name,
                    nearest.empty() ? "" : fmt::format(", did you mean {}?", nearest)));
  }

  const ConfigSources& sources_;
  Config& config_;
};

// Typed views of canonical text. What does not fit was not canonical, which is our fault alone.
class Reader {
 public:
  explicit Reader(const SettingMap& settings) : settings_(settings) {}

  const std::string& Text(std::string_view name) const {
    const auto setting = settings_.find(name);
    FELIX_CHECK(setting != settings_.end(), "a parameter is missing from the table of parameters");
    return setting->second.value;
  }
  bool Bool(std::string_view name) const { return Text(name) == "true"; }
  double Number(std::string_view name) const {
    double value = 0;
    FELIX_CHECK(absl::SimpleAtod(Text(name), &value), "not a number");
    return value;
  }
  std::chrono::microseconds Duration(std::string_view name, double unit_in_seconds) const {
    return std::chrono::microseconds(std::llround(Number(name) * unit_in_seconds * 1e6));
  }
  template <typename Unsigned>
  Unsigned Integer(std::string_view name) const {
    return static_cast<Unsigned>(Number(name));
  }
  std::uint32_t Mask(std::string_view name) const {
    std::uint32_t value = 0;
    FELIX_CHECK(absl::SimpleHexAtoi(Text(name), &value), "not a mask");
    return value;
  }
  std::vector<model::FailsafePort> FailsafePorts(std::string_view name) const {
    absl::StatusOr<std::vector<model::FailsafePort>> ports = ParseFailsafePorts(Text(name));
    FELIX_CHECK(ports.ok(), "not failsafe ports");
    return *std::move(ports);
  }
  // The enumerators in the order of the choices.
  template <typename Enum>
  Enum OneOf(std::string_view name) const {
    const Parameter* parameter = FindParameter(name);
    FELIX_CHECK(parameter != nullptr, "not in the table of parameters");
    std::uint8_t index = 0;
    for (const absl::string_view choice : absl::StrSplit(ToAbsl(parameter->detail), ',')) {
      if (ToStd(choice) == Text(name)) return static_cast<Enum>(index);
      ++index;
    }
    base::CheckFailed(__FILE__, __LINE__, "OneOf", "a value that is not among the choices");
  }

 private:
  const SettingMap& settings_;
};

compiler::Options ReadCompilerOptions(const Reader& read) {
  compiler::Options options;
  options.hostname = read.Text("FelixHostname");
  options.interface_prefixes.clear();
  for (const absl::string_view prefix : absl::StrSplit(read.Text("InterfacePrefix"), ',')) {
    options.interface_prefixes.emplace_back(prefix);
  }
  options.ipv6_support = read.Bool("Ipv6Support");
  options.chain_layout = read.OneOf<compiler::ChainLayout>("ChainLayout");
  options.insert_mode = read.OneOf<compiler::InsertMode>("ChainInsertMode");
  options.filter_allow_action = read.OneOf<compiler::AllowAction>("IptablesFilterAllowAction");
  options.filter_deny_action = read.OneOf<compiler::DenyAction>("IptablesFilterDenyAction");
  options.endpoint_to_host_action =
      read.OneOf<compiler::EndpointToHostAction>("DefaultEndpointToHostAction");
  options.invalid_policy_action = read.OneOf<compiler::InvalidPolicyAction>("InvalidPolicyAction");
  options.mark_mask = read.Mask("IptablesMarkMask");
  options.disable_conntrack_invalid_check = read.Bool("DisableConntrackInvalidCheck");
  options.allow_vxlan_from_workloads = read.Bool("AllowVXLANPacketsFromWorkloads");
  options.allow_ipip_from_workloads = read.Bool("AllowIPIPPacketsFromWorkloads");
  options.vxlan_port = read.Integer<std::uint16_t>("VXLANPort");
  options.failsafe_inbound = read.FailsafePorts("FailsafeInboundHostPorts");
  options.failsafe_outbound = read.FailsafePorts("FailsafeOutboundHostPorts");
  options.mangle_allow_action = read.OneOf<compiler::AllowAction>("IptablesMangleAllowAction");
  options.workload_source_spoofing = read.Text("WorkloadSourceSpoofing") == "Any";
  options.log_prefix = read.Text("LogPrefix");
  options.log_limit = ir::ParseLimit(read.Text("LogActionRateLimit"));
  if (options.log_limit) {
    options.log_limit->burst = read.Integer<std::uint32_t>("LogActionRateLimitBurst");
  }
  options.nat_outgoing_interface_filter = read.Text("IptablesNATOutgoingInterfaceFilter");
  options.nat_outgoing_exclusions =
      read.OneOf<compiler::NatOutgoingExclusions>("NATOutgoingExclusions");
  const absl::StatusOr<model::PortRange> ports = model::PortRange::Parse(read.Text("NATPortRange"));
  if (ports.ok()) options.nat_port_range = *ports;
  const auto address = model::IpAddress::Parse(read.Text("NATOutgoingAddress"));
  if (address.ok()) options.nat_outgoing_address = *address;
  options.floating_ips_enabled = read.Text("FloatingIPs") == "Enabled";
  return options;
}

}  // namespace

std::string_view ConfigSourceName(ConfigSource source) {
  switch (source) {
    case ConfigSource::kCommandLine:
      return "command line";
    case ConfigSource::kEnvironment:
      return "environment";
    case ConfigSource::kFile:
      return "configuration file";
    case ConfigSource::kHost:
      return "datastore, this host";
    case ConfigSource::kCluster:
      return "datastore, all hosts";
    case ConfigSource::kDefault:
      return "default";
  }
  return "default";
}

ConfigSources::Values ConfigFromEnvironment(const char* const* environment) {
  constexpr std::string_view kPrefix = "felix_";
  Values values;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view variable = *environment;
    const std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos || equals <= kPrefix.size()) continue;
    if (!absl::StartsWithIgnoreCase(ToAbsl(variable), ToAbsl(kPrefix))) continue;
    values[std::string(variable.substr(kPrefix.size(), equals - kPrefix.size()))] =
        std::string(variable.substr(equals + 1));
  }
  return values;
}

ConfigSources::Values EtcdFromEnvironment(const char* const* environment) {
  constexpr std::pair<std::string_view, std::string_view> kVariables[] = {
      {"ETCD_ENDPOINTS", "EtcdEndpoints"}, {"ETCD_AUTHORITY", "EtcdAddr"},
      {"ETCD_SCHEME", "EtcdScheme"},       {"ETCD_CA_CERT_FILE", "EtcdCaFile"},
      {"ETCD_CERT_FILE", "EtcdCertFile"},  {"ETCD_KEY_FILE", "EtcdKeyFile"},
  };
  ConfigSources::Values values;
  for (const auto& [variable, parameter] : kVariables) {
    const std::string value = CalicoVariable(environment, variable);
    if (!value.empty()) values[std::string(parameter)] = value;
  }
  return values;
}

std::string CalicoVariable(const char* const* environment, std::string_view name) {
  std::string value;
  const std::string plain = fmt::format("{}=", name);
  const std::string prefixed = fmt::format("CALICO_{}=", name);
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view variable = *environment;
    if (variable.starts_with(prefixed)) return std::string(variable.substr(prefixed.size()));
    if (variable.starts_with(plain)) value = variable.substr(plain.size());
  }
  return value;
}

std::string SystemHostname() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(name.data()));
}

namespace {

// What is named as such, or else etcd by the parameters that Calico has for it.
std::string DatastoreAddress(const Reader& read) {
  if (std::string address = read.Text("Datastore"); !address.empty()) return address;
  if (read.Text("DatastoreType") != "etcdv3") return {};
  if (const std::string list = read.Text("EtcdEndpoints"); !list.empty()) return "etcd:" + list;
  const std::string authority = read.Text("EtcdAddr");
  if (authority.empty()) return {};
  return fmt::format("etcd:{}://{}", read.Text("EtcdScheme"), authority);
}

// Too few bits are no reason to leave a host without rules.
void FitLayout(Config& config) {
  compiler::Options& options = config.compiler;
  const int bits = std::popcount(options.mark_mask);
  const int needed = compiler::Marks::BitsNeeded(options.chain_layout);
  if (bits >= needed) return;
  options.chain_layout = compiler::ChainLayout::kPerContainer;
  config.warnings.push_back(
      fmt::format("ChainLayout=Shared needs at least {} bits of IptablesMarkMask, which has {} "
                  "(0x{:08x}): no shape fits, and PerContainer is used instead; each bit beyond {} "
                  "doubles the number of shapes",
                  needed, bits, options.mark_mask, needed - 1));
}

}  // namespace

Config Config::Resolve(const ConfigSources& sources) {
  Config config;
  Resolver(sources, config).Run();
  const Reader read(config.settings);
  config.compiler = ReadCompilerOptions(read);
  FitLayout(config);
  config.datastore = DatastoreAddress(read);
  config.etcd_ca_file = read.Text("EtcdCaFile");
  config.etcd_cert_file = read.Text("EtcdCertFile");
  config.etcd_key_file = read.Text("EtcdKeyFile");
  config.datastore_type = read.Text("DatastoreType");
  config.iptables_refresh_interval = read.Duration("IptablesRefreshInterval", 1);
  config.ipsets_refresh_interval = read.Duration("IpsetsRefreshInterval", 1);
  config.interface_refresh_interval = read.Duration("InterfaceRefreshInterval", 1);
  config.interface_exclude = read.Text("InterfaceExclude");
  config.max_ipset_size = read.Integer<std::uint32_t>("MaxIpsetSize");
  config.iptables_lock_path = read.Text("IptablesLockFilePath");
  config.iptables_lock_timeout = read.Duration("IptablesLockTimeoutSecs", 1);
  config.iptables_lock_probe_interval = read.Duration("IptablesLockProbeIntervalMillis", 1e-3);
  config.reporting_interval = read.Duration("ReportingIntervalSecs", 1);
  config.reporting_ttl = read.Duration("ReportingTTLSecs", 1);
  config.endpoint_reporting = read.Bool("EndpointReportingEnabled");
  config.endpoint_reporting_delay = read.Duration("EndpointReportingDelaySecs", 1);
  config.openstack_region = read.Text("OpenstackRegion");
  config.log_severity_screen = read.Text("LogSeverityScreen");
  config.log_severity_file = read.Text("LogSeverityFile");
  config.log_file_path = read.Text("LogFilePath");
  return config;
}

std::vector<ConfigChange> Changes(const Config& before, const Config& after) {
  std::vector<ConfigChange> changes;
  for (const auto& [name, setting] : after.settings) {
    const Setting& old = before.settings.find(name)->second;
    if (old.value == setting.value) continue;
    const Parameter* parameter = FindParameter(name);
    changes.push_back({.name = name,
                       .before = old,
                       .after = setting,
                       .needs_restart = parameter->change == ParameterChange::kRestart});
  }
  return changes;
}

}  // namespace felix
