// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "compiler/options.h"
#include "model/store.h"

namespace felix::reference {

// One policy as it applies to one endpoint. A broken one has no rules: it denies.
struct AppliedPolicy {
  model::PolicyId id;
  double order = 0;                       // infinite if the policy has none
  const model::Policy* policy = nullptr;  // null: broken
};

struct AppliedTier {
  std::string name;
  bool denies_at_end = true;
  std::vector<AppliedPolicy> policies;
};

enum class Direction : std::uint8_t { kIngress, kEgress };

// A host endpoint has its policies in lists, each asked elsewhere on a packet's way.
enum class PolicyList : std::uint8_t {
  kNormal,     // for the host's own traffic; a workload has no other list
  kForward,    // those of the normal ones that apply to forwarded traffic too
  kUntracked,  // asked before connection tracking
  kPreDnat,    // asked before destinations are translated; ingress only
};

// Answers questions about the resources as one host sees them: which endpoints exist, what they are
// labelled, who owns an interface, which policies concern an endpoint and in which order, and which
// addresses a selector or a port name stands for. Borrows the store and the options; every answer
// is computed afresh.
class ClusterView {
 public:
  using EndpointEntry = std::pair<const model::WorkloadEndpointId, model::WorkloadEndpoint>;

  ClusterView(const model::Store& store, const compiler::Options& options)
      : store_(store),
        options_(options),
        endpoints_(store.endpoints().ToMap()),
        policies_(store.policies().ToMap()),
        profiles_(store.profiles().ToMap()),
        network_sets_(store.network_sets().ToMap()) {}

  [[nodiscard]] bool IsWorkloadInterface(const std::string& name) const;
  // The local endpoint that the interface belongs to, or null.
  [[nodiscard]] const model::WorkloadEndpoint* OwnerOf(const std::string& interface_name) const;

  // The local host endpoint that has the interface to itself, or null. Interfaces of workloads, and
  // those that nobody has told us of, have none.
  [[nodiscard]] const model::HostEndpoint* HostEndpointOf(const std::string& interface_name) const;
  // The local host endpoint for all interfaces that have none of their own, or null.
  [[nodiscard]] const model::HostEndpoint* WildcardHostEndpoint() const;

  // The tiers that have a say in this direction, in order.
  [[nodiscard]] std::vector<AppliedTier> TiersOf(const model::WorkloadEndpoint& endpoint,
                                                 Direction direction) const;
  [[nodiscard]] std::vector<AppliedTier> TiersOf(const model::HostEndpoint& endpoint,
                                                 PolicyList list, Direction direction) const;
  [[nodiscard]] const model::Profile* FindProfile(const std::string& name) const;

  // Whether some endpoint of any host, or some network set, has the address and is selected.
  [[nodiscard]] bool IsSelected(const model::Selector& selector,
                                const model::IpAddress& address) const;
  // Whether some selected endpoint has the address and gives that protocol and port the name.
  [[nodiscard]] bool HasNamedPort(const model::Selector& selector, const std::string& port_name,
                                  const model::IpAddress& address, model::Protocol protocol,
                                  std::uint16_t port) const;

 private:
  [[nodiscard]] bool Exists(const model::WorkloadEndpointId& id,
                            const model::WorkloadEndpoint& endpoint) const;
  [[nodiscard]] std::vector<AppliedTier> TiersOf(const model::LabelSet& labels, PolicyList list,
                                                 Direction direction) const;
  [[nodiscard]] model::LabelSet EffectiveLabels(const model::LabelSet& own,
                                                const std::vector<std::string>& profiles) const;

  const model::Store& store_;
  const compiler::Options& options_;
  // What the store makes anew whenever it is read.
  const absl::btree_map<model::WorkloadEndpointId, model::WorkloadEndpoint> endpoints_;
  const absl::btree_map<model::PolicyId, model::Policy> policies_;
  const absl::btree_map<model::ProfileId, model::Profile> profiles_;
  const absl::btree_map<model::NetworkSetId, model::NetworkSet> network_sets_;
};

}  // namespace felix::reference
