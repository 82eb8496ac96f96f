// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/desired_state.h"
#include "compiler/shape_numbers.h"
#include "datastore/snapshot/snapshot_reader.h"
#include "felix/config.h"
#include "model/store.h"

namespace felix::replay {

// Which datastore is asked, as of when, and with which configuration besides.
struct InputRequest {
  std::vector<std::string> paths;
  datastore::SnapshotOptions snapshot;
  ConfigSources local;  // the configuration outside the datastore
  std::vector<std::string>
      interfaces;  // "eth0" or "eth0=10.0.0.1,fd00::1": of the host asked about
};

// The datastore of a cluster as it was at one moment, without a host to enforce it on.
struct Cluster {
  datastore::SnapshotFacts facts;
  std::map<std::string, datastore::Refusal> refusals;
  std::vector<model::Update> updates;  // all objects, in key order
  ConfigSources local;
  std::vector<std::string> interfaces;

  [[nodiscard]] std::set<std::string> Hosts() const;
  // The host that is meant if nobody names one. Errors: there are none or several.
  [[nodiscard]] absl::StatusOr<std::string> OnlyHost() const;
  // The configuration that felix would have on that host.
  [[nodiscard]] Config ConfigOf(const std::string& host) const;
  [[nodiscard]] model::Store MakeStore() const;
  // What felix would want of the kernel of that host, see HostCompiler.
  [[nodiscard]] absl::StatusOr<ir::DesiredState> Compile(
      const std::string& host, std::array<compiler::NumbersByChain, 2> adopted = {}) const;
};

[[nodiscard]] absl::StatusOr<Cluster> ReadCluster(const InputRequest& request);

}  // namespace felix::replay
