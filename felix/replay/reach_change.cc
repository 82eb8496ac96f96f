// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/reach_change.h"

#include <map>
#include <set>
#include <utility>

#include "fmt/format.h"

#include "felix/replay/matrix.h"

namespace felix::replay {
namespace {

constexpr std::size_t kMostFlows = 64;
constexpr std::size_t kMostWorkloads = 2000;
// Of nothing that people name in rules.
constexpr std::uint16_t kOtherPort = 61'973;

using Port = std::pair<model::Protocol, std::uint16_t>;

void AddPorts(const model::PolicyRule& rule, std::set<Port>& ports) {
  const model::PortMatch* const asked[] = {&rule.destination.ports, &rule.destination.not_ports};
  for (const model::PortMatch* match : asked) {
    for (const model::PortRange& range : match->ranges) {
      if (rule.protocol) ports.emplace(*rule.protocol, range.first);
    }
  }
  if (rule.protocol && rule.protocol->HasPorts()) ports.emplace(*rule.protocol, kOtherPort);
}

void AddAllPorts(const model::Store& store, std::set<Port>& ports) {
  for (const auto& [id, policy] : store.policies()) {
    for (const model::PolicyRule& rule : policy.ingress) AddPorts(rule, ports);
    for (const model::PolicyRule& rule : policy.egress) AddPorts(rule, ports);
  }
  for (const auto& [id, profile] : store.profiles()) {
    for (const model::PolicyRule& rule : profile.ingress) AddPorts(rule, ports);
    for (const model::PolicyRule& rule : profile.egress) AddPorts(rule, ports);
  }
  for (const auto& [id, endpoint] : store.endpoints()) {
    for (const model::NamedPort& port : endpoint.ports) ports.emplace(port.protocol, port.port);
  }
}

// The workloads of both, in the same order.
std::pair<std::vector<const Workload*>, std::vector<const Workload*>> Common(const Judge& before,
                                                                             const Judge& after) {
  std::map<model::WorkloadEndpointId, const Workload*> known;
  for (const Workload& workload : before.book().workloads()) known[workload.id] = &workload;
  std::pair<std::vector<const Workload*>, std::vector<const Workload*>> common;
  for (const Workload& workload : after.book().workloads()) {
    const auto old = known.find(workload.id);
    if (old == known.end()) continue;
    common.first.push_back(old->second);
    common.second.push_back(&workload);
  }
  return common;
}

}  // namespace

ReachComparison CompareReach(const Judge& before, const Judge& after) {
  ReachComparison comparison;
  auto [old_workloads, new_workloads] = Common(before, after);
  if (new_workloads.size() > kMostWorkloads) {
    comparison.left_out = fmt::format("{} workloads are more than {}: pairs were not compared",
                                      new_workloads.size(), kMostWorkloads);
    return comparison;
  }
  comparison.leaves_out_host_endpoints =
      before.LeavesOutHostEndpoints(old_workloads) || after.LeavesOutHostEndpoints(new_workloads);
  std::set<Port> ports = {{model::kTcp, kOtherPort}};
  AddAllPorts(before.store(), ports);
  AddAllPorts(after.store(), ports);
  for (const auto& [protocol, port] : ports) {
    if (comparison.flows.size() == kMostFlows) {
      comparison.left_out =
          fmt::format("of {} kinds of flows {} were compared", ports.size(), kMostFlows);
      break;
    }
    Flow flow;
    flow.protocol = protocol;
    flow.destination_port = port;
    const std::string name = port == kOtherPort ? fmt::format("{}/other", protocol.ToString())
                                                : fmt::format("{}/{}", protocol.ToString(), port);
    comparison.flows.push_back(name);
    const Matrix old_matrix(before, old_workloads, flow);
    const Matrix new_matrix(after, new_workloads, flow);
    for (std::size_t from = 0; from < new_workloads.size(); ++from) {
      for (std::size_t to = 0; to < new_workloads.size(); ++to) {
        const bool was = old_matrix.At(from, to) == Reach::kYes;
        const bool is = new_matrix.At(from, to) == Reach::kYes;
        if (was == is || from == to) continue;
        comparison.changes.push_back(
            {new_workloads[from]->id.ToString(), new_workloads[to]->id.ToString(), name, is});
      }
    }
  }
  return comparison;
}

}  // namespace felix::replay
