// SPDX-License-Identifier: Apache-2.0
#include "felix/netlink/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "libmnl/libmnl.h"

namespace felix::netlink {
namespace {

// As large as the kernel ever makes a part of a dump.
constexpr std::size_t kBufferSize = 64UL * 1024;
// A burst of changes while the thread writes tables should fit; more is listed anew.
constexpr int kEventBuffer = 4 * 1024 * 1024;
constexpr std::chrono::seconds kPatience{1};

absl::Status ErrorStatus(std::string_view what, int error) {
  const std::string message = fmt::format("{}: {}", what, std::strerror(error));
  switch (error) {
    case EPERM:
    case EACCES:
      return absl::PermissionDeniedError(message);
    case ENOENT:
      return absl::NotFoundError(message);
    case ENOBUFS:
      return absl::ResourceExhaustedError(message);
    case EINTR:
      return absl::AbortedError(message);
    case EINVAL:
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
      return absl::FailedPreconditionError(fmt::format("{}: not supported by the kernel", what));
    default:
      return absl::UnavailableError(message);
  }
}

std::optional<int> ErrorOf(const nlmsghdr& message) {
  if (message.nlmsg_type != NLMSG_ERROR && message.nlmsg_type != NLMSG_DONE) return std::nullopt;
  // Both begin with a number that is zero or a negated errno.
  int error = 0;
  if (mnl_nlmsg_get_payload_len(&message) >= sizeof(error)) {
    std::memcpy(&error, mnl_nlmsg_get_payload(&message), sizeof(error));
  }
  return error < 0 ? -error : 0;
}

template <typename Visit>
void ForEachMessage(const std::vector<char>& buffer, ssize_t received, Visit visit) {
  int left = static_cast<int>(received);
  const void* start = buffer.data();
  for (const auto* message = static_cast<const nlmsghdr*>(start); mnl_nlmsg_ok(message, left);
       message = mnl_nlmsg_next(message, &left)) {
    visit(*message);
  }
}

}  // namespace

Socket::Socket(mnl_socket* socket) : socket_(socket), buffer_(kBufferSize) {}

absl::StatusOr<std::unique_ptr<Socket>> Socket::Open(int bus, const std::vector<int>& groups) {
  const int flags = SOCK_CLOEXEC | (groups.empty() ? 0 : SOCK_NONBLOCK);
  mnl_socket* opened = mnl_socket_open2(bus, flags);
  if (opened == nullptr) return ErrorStatus("opening a netlink socket", errno);
  std::unique_ptr<Socket> socket(new Socket(opened));
  if (mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) < 0) {
    return ErrorStatus("binding a netlink socket", errno);
  }
  for (int group : groups) {
    if (mnl_socket_setsockopt(opened, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
      return ErrorStatus("subscribing to netlink messages", errno);
    }
  }
  const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
  setsockopt(socket->fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (!groups.empty()) {
    // Without the capability the default size stays, and listings make up for what it loses.
    setsockopt(socket->fd(), SOL_SOCKET, SO_RCVBUFFORCE, &kEventBuffer, sizeof(kEventBuffer));
  }
  return socket;
}

Socket::~Socket() {
  mnl_socket_close(socket_);
}

int Socket::fd() const {
  return mnl_socket_get_fd(socket_);
}

void Socket::AskForStrictFilters() {
  int on = 1;
  static_cast<void>(mnl_socket_setsockopt(socket_, NETLINK_GET_STRICT_CHK, &on, sizeof(on)));
}

absl::Status Socket::Ask(std::string_view what, nlmsghdr& request, const OnMessage& on_message) {
  request.nlmsg_flags = static_cast<std::uint16_t>(request.nlmsg_flags | NLM_F_REQUEST);
  request.nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_, &request, request.nlmsg_len) < 0) {
    return ErrorStatus(what, errno);
  }
  std::optional<int> end;
  bool interrupted = false;
  while (!end) {
    const ssize_t received = mnl_socket_recvfrom(socket_, buffer_.data(), buffer_.size());
    if (received < 0) {
      if (errno == EINTR) continue;
      return ErrorStatus(what, errno);
    }
    ForEachMessage(buffer_, received, [&](const nlmsghdr& message) {
      // The rest of an answer that was given up may still lie in the socket.
      if (end || message.nlmsg_seq != sequence_) return;
      interrupted = interrupted || (message.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      end = ErrorOf(message);
      if (!end && on_message) on_message(message);
    });
  }
  if (*end != 0) return ErrorStatus(what, *end);
  return interrupted ? ErrorStatus(what, EINTR) : absl::OkStatus();
}

absl::Status Socket::Receive(std::string_view what, const OnMessage& on_message) {
  for (;;) {
    const ssize_t received = mnl_socket_recvfrom(socket_, buffer_.data(), buffer_.size());
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return absl::OkStatus();
      return ErrorStatus(what, errno);
    }
    ForEachMessage(buffer_, received, [&](const nlmsghdr& message) { on_message(message); });
  }
}

}  // namespace felix::netlink
