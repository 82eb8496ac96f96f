// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/options.h"

namespace felix {

// Where a value came from, the strongest first.
enum class ConfigSource : std::uint8_t {
  kCommandLine,
  kEnvironment,
  kFile,
  kHost,     // FelixConfiguration node.<host>
  kCluster,  // FelixConfiguration default
  kDefault
};
[[nodiscard]] std::string_view ConfigSourceName(ConfigSource source);

// What each source says, as text by name. Empty values say nothing.
struct ConfigSources {
  using Values = std::map<std::string, std::string>;
  Values command_line;
  Values environment;  // names without FELIX_
  Values file;
  std::vector<std::string> file_warnings;  // what the file has to say for itself
  Values host;
  Values cluster;
  Values defaults;  // in place of built-in ones; valid canonical text
};

// The variables that begin with FELIX_ in any case, by the rest of their name.
[[nodiscard]] ConfigSources::Values ConfigFromEnvironment(const char* const* environment);

// What all of Calico's programs read of where etcd is (ETCD_ENDPOINTS and the like), by the names
// of our parameters: in place of built-in defaults.
[[nodiscard]] ConfigSources::Values EtcdFromEnvironment(const char* const* environment);

// The variable CALICO_<name> or else <name>; empty if there is neither.
[[nodiscard]] std::string CalicoVariable(const char* const* environment, std::string_view name);

// The host's own name, trimmed and in lower case.
[[nodiscard]] std::string SystemHostname();

struct Setting {
  std::string value;  // canonical text
  ConfigSource source = ConfigSource::kDefault;
  bool operator==(const Setting&) const = default;
};

// The configuration in force: what the sources say together, parsed. Immutable; other sources make
// another one. A value that cannot be parsed counts as its source saying the built-in default, so
// that it still hides what weaker sources say; it is warned of and never fatal.
struct Config {
  compiler::Options compiler;
  std::string datastore;  // "file:DIR", "etcd:URL[,URL]" or "etcd-v2:URL[,URL]"; empty if not set
  std::string etcd_ca_file;
  std::string etcd_cert_file;
  std::string etcd_key_file;
  std::string datastore_type;
  std::chrono::microseconds iptables_refresh_interval{};   // 0: never
  std::chrono::microseconds ipsets_refresh_interval{};     // 0: never
  std::chrono::microseconds interface_refresh_interval{};  // 0: never
  std::string interface_exclude;                           // InterfacePatterns
  std::uint32_t max_ipset_size = 0;
  std::string iptables_lock_path;
  std::chrono::microseconds iptables_lock_timeout{};  // 0: built-in
  std::chrono::microseconds iptables_lock_probe_interval{};
  std::chrono::microseconds reporting_interval{};  // of this host's status; 0: never
  std::chrono::microseconds reporting_ttl{};
  bool endpoint_reporting = false;
  std::chrono::microseconds endpoint_reporting_delay{};
  std::string openstack_region;     // empty: none
  std::string log_severity_screen;  // empty: off
  std::string log_severity_file;    // empty: off
  std::string log_file_path;        // empty: none

  std::map<std::string, Setting, std::less<>> settings;  // every parameter that has an effect
  std::vector<std::string> warnings;                     // one line each, in a fixed order
  std::vector<std::string> remarks;                      // of interest when debugging only

  [[nodiscard]] static Config Resolve(const ConfigSources& sources);
};

// One parameter whose value differs between two configurations.
struct ConfigChange {
  std::string name;
  Setting before;
  Setting after;
  bool needs_restart = false;
};
// Sorted by name. A value that only comes from elsewhere now is no change.
[[nodiscard]] std::vector<ConfigChange> Changes(const Config& before, const Config& after);

}  // namespace felix
