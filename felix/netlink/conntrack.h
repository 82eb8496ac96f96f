// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"

#include "felix/netlink/socket.h"
#include "model/address.h"

namespace felix::netlink {

// The connections that the kernel keeps track of in our network namespace, through ctnetlink
// (linux/netfilter/nfnetlink_conntrack.h). The socket is opened when it is first needed and again
// after an error. Used by one thread.
class Conntrack {
 public:
  // Removes every connection of that family that has one of the addresses as source or destination,
  // in either direction: before or behind a translation. One reading of all connections, however
  // many addresses there are. Returns how many went. Errors as Socket; some may be gone by then.
  absl::StatusOr<std::uint64_t> Forget(model::IpFamily family,
                                       const absl::btree_set<model::IpAddress>& addresses);

 private:
  absl::StatusOr<std::uint64_t> ForgetWith(Socket& socket, model::IpFamily family,
                                           const absl::btree_set<model::IpAddress>& addresses);

  std::unique_ptr<Socket> socket_;
};

}  // namespace felix::netlink
