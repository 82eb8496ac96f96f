// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct mnl_socket;
struct nlmsghdr;

namespace felix::netlink {

// A netlink socket of the thread's network namespace. Owns the descriptor. Requests are answered
// before the call returns; messages of groups that were joined are read with Receive. One socket
// should do one of the two. Used by one thread.
//
// Errors: kAborted if a dump met a change and is to be asked for again; kPermissionDenied;
// kFailedPrecondition if the kernel knows no such subsystem; kNotFound; kResourceExhausted if
// messages were lost; kUnavailable for all else, also for an answer that does not come in time.
class Socket {
 public:
  using OnMessage = std::function<void(const nlmsghdr&)>;

  // `bus` is NETLINK_ROUTE and the like; with groups (RTNLGRP_…) the socket never blocks.
  static absl::StatusOr<std::unique_ptr<Socket>> Open(int bus, const std::vector<int>& groups = {});
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] int fd() const;
  // Asks kernels that can to take the filters in dump requests seriously.
  void AskForStrictFilters();

  // Sends `request` and passes on what is answered until it ends; `what` begins error messages
  // ("listing the links"). The request gets its flags, but for NLM_F_ACK or NLM_F_DUMP, and its
  // number here.
  absl::Status Ask(std::string_view what, nlmsghdr& request, const OnMessage& on_message = {});
  // Passes on everything that has arrived.
  absl::Status Receive(std::string_view what, const OnMessage& on_message);

 private:
  explicit Socket(mnl_socket* socket);

  mnl_socket* socket_;
  std::uint32_t sequence_ = 0;
  std::vector<char> buffer_;
};

}  // namespace felix::netlink
