// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "model/endpoint.h"
#include "model/host_endpoint.h"
#include "model/network.h"
#include "model/policy.h"

namespace felix::model {

struct TierId {
  std::string name;
  friend auto operator<=>(const TierId&, const TierId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const TierId& t) {
    return H::combine(std::move(h), t.name);
  }
};

struct ProfileId {
  std::string name;
  friend auto operator<=>(const ProfileId&, const ProfileId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ProfileId& p) {
    return H::combine(std::move(h), p.name);
  }
};

// Configuration found in the datastore. `host` is empty for the cluster-wide object.
struct ConfigId {
  std::string host;
  friend auto operator<=>(const ConfigId&, const ConfigId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ConfigId& c) {
    return H::combine(std::move(h), c.host);
  }
};

// Parameters by the names that the configuration file uses (IptablesRefreshInterval), values as
// the text that the file would hold.
struct ConfigParameters {
  std::map<std::string, std::string> values;
  bool operator==(const ConfigParameters&) const = default;
};

using Key = std::variant<WorkloadEndpointId, PolicyId, TierId, ProfileId, NetworkSetId, ConfigId,
                         IpPoolId, NodeId, HostEndpointId, InterfaceId>;
using Resource = std::variant<WorkloadEndpoint, Policy, BrokenPolicy, Tier, Profile, NetworkSet,
                              ConfigParameters, IpPool, Node, HostEndpoint, Interface>;

[[nodiscard]] std::string ToString(const Key& key);  // "policy gnp/x": for logs and errors

// One key and its current value, or none: absent means gone. It says nothing of why it changed.
struct Update {
  Key key;
  std::optional<Resource> value;

  bool operator==(const Update&) const = default;
};

}  // namespace felix::model
