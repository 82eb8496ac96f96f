// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "absl/status/statusor.h"

#include "felix/interface_tracker.h"
#include "felix/netlink/socket.h"
#include "model/address.h"

namespace felix::netlink {

// An address of the host on a link, as the local table of the kernel's routes has it: a route of
// type local to a single address (rtnetlink(7)). That table and not the list of addresses, since
// it also has what load balancers add.
struct LocalAddress {
  int link = 0;
  model::IpAddress address;
};
// None for any other route.
[[nodiscard]] std::optional<LocalAddress> DecodeLocalRoute(const nlmsghdr& message);

struct LinkName {
  int link = 0;
  std::string name;
};
// None for what is no link of its own, such as a port of a bridge.
[[nodiscard]] std::optional<LinkName> DecodeLink(const nlmsghdr& message);

// All links, then all local addresses, each in one dump per family that is repeated a few times if
// it met a change. Errors as Socket.
[[nodiscard]] absl::StatusOr<InterfaceTracker::Listing> ListInterfaces(Socket& socket);

}  // namespace felix::netlink
