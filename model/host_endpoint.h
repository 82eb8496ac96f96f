// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/address.h"
#include "model/labels.h"
#include "model/port.h"

namespace felix::model {

// Calico's key of a host endpoint. Of several that claim one interface the smaller name wins.
struct HostEndpointId {
  std::string host;
  std::string name;

  [[nodiscard]] std::string ToString() const;  // host/name
  friend auto operator<=>(const HostEndpointId&, const HostEndpointId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const HostEndpointId& e) {
    return H::combine(std::move(h), e.host, e.name);
  }
};

// A host's own attachment to a network, for policy on traffic of the host itself and on what it
// forwards. It claims the interface of that name, or, without a name, every interface that has one
// of the expected addresses; "*" stands for all interfaces that no other host endpoint claims.
struct HostEndpoint {
  std::string interface_name;                 // empty, "*", or a name of at most 15 characters
  std::vector<IpAddress> expected_addresses;  // both families, sorted, unique
  LabelSet labels;
  std::vector<std::string> profiles;  // order matters: labels and rules
  std::vector<NamedPort> ports;

  [[nodiscard]] bool IsWildcard() const { return interface_name == "*"; }
  bool operator==(const HostEndpoint&) const = default;
};

// A network interface of this host, as the kernel shows it; not from the datastore.
struct InterfaceId {
  std::string name;
  friend auto operator<=>(const InterfaceId&, const InterfaceId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const InterfaceId& i) {
    return H::combine(std::move(h), i.name);
  }
};

// What is held under an interface's key while it exists and its addresses are known.
struct Interface {
  std::vector<IpAddress> addresses;  // those of the host on it, sorted, unique; may be empty

  bool operator==(const Interface&) const = default;
};

// A port that host endpoints never close, so that an operator cannot be locked out.
struct FailsafePort {
  Protocol protocol;
  std::uint16_t port = 0;
  std::optional<Cidr> net;  // of the peer; absent: any, in both families

  friend auto operator<=>(const FailsafePort&, const FailsafePort&) = default;
};

}  // namespace felix::model
