// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/cluster.h"

#include <utility>
#include <variant>

#include "fmt/format.h"
#include "fmt/ranges.h"

#include "felix/replay/host_compiler.h"
#include "model/base/status_macros.h"

namespace felix::replay {
namespace {

constexpr std::size_t kMostHostsInMessage = 8;

}  // namespace

std::set<std::string> Cluster::Hosts() const {
  std::set<std::string> hosts;
  for (const model::Update& update : updates) {
    if (const auto* workload = std::get_if<model::WorkloadEndpointId>(&update.key)) {
      hosts.insert(workload->host);
    } else if (const auto* host = std::get_if<model::HostEndpointId>(&update.key)) {
      hosts.insert(host->host);
    } else if (const auto* node = std::get_if<model::NodeId>(&update.key)) {
      hosts.insert(node->name);
    }
  }
  return hosts;
}

absl::StatusOr<std::string> Cluster::OnlyHost() const {
  const std::set<std::string> hosts = Hosts();
  if (hosts.size() == 1) return *hosts.begin();
  if (hosts.empty()) return absl::InvalidArgumentError("the input names no host: use --host");
  std::vector<std::string> some(hosts.begin(), hosts.end());
  const bool more = some.size() > kMostHostsInMessage;
  if (more) some.resize(kMostHostsInMessage);
  return absl::InvalidArgumentError(
      fmt::format("which host? --host {}{}", fmt::join(some, ", "), more ? ", …" : ""));
}

Config Cluster::ConfigOf(const std::string& host) const {
  return ResolveConfig(local, host, updates);
}

model::Store Cluster::MakeStore() const {
  model::Store store;
  for (const model::Update& update : updates) store.Set(update);
  return store;
}

absl::StatusOr<ir::DesiredState> Cluster::Compile(
    const std::string& host, std::array<compiler::NumbersByChain, 2> adopted) const {
  HostCompiler compiler(host, local, interfaces);
  compiler.AdoptShapeNumbers(std::move(adopted));
  FELIX_RETURN_IF_ERROR(compiler.Take(updates));
  static_cast<void>(compiler.Flush());
  return compiler.desired();
}

absl::StatusOr<Cluster> ReadCluster(const InputRequest& request) {
  Cluster cluster;
  cluster.local = request.local;
  cluster.interfaces = request.interfaces;
  datastore::SnapshotOptions options = request.snapshot;
  options.every_step = false;
  FELIX_ASSIGN_OR_RETURN(
      cluster.facts,
      datastore::ReadSnapshot(request.paths, options, [&](datastore::SnapshotStep step) {
        cluster.updates = std::move(step.updates);
        for (auto& [id, refusal] : step.refusals) {
          if (refusal) cluster.refusals.emplace(id, *std::move(refusal));
        }
      }));
  return cluster;
}

}  // namespace felix::replay
