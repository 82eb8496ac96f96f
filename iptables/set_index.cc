// SPDX-License-Identifier: Apache-2.0
#include "iptables/set_index.h"

#include <linux/netfilter/ipset/ip_set.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "fmt/format.h"

#include "model/base/status_macros.h"

namespace felix::iptables {
namespace {

absl::Status Failure(int error, std::string_view act) {
  const std::string message = fmt::format("{}: {}", act, std::strerror(error));
  switch (error) {
    case EPERM:
    case EACCES:
      return absl::PermissionDeniedError(message);
    case ENOPROTOOPT:
    case EPROTO:
    case EAFNOSUPPORT:
      return absl::FailedPreconditionError(message);
    default:
      return absl::InternalError(message);
  }
}

}  // namespace

SetIndexes::~SetIndexes() {
  if (socket_ >= 0) close(socket_);
}

absl::Status SetIndexes::Open() {
  if (socket_ >= 0) return absl::OkStatus();
  const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  if (fd < 0) return Failure(errno, "opening a raw socket");
  ip_set_req_version request{};
  request.op = IP_SET_OP_VERSION;
  socklen_t size = sizeof(request);
  if (getsockopt(fd, SOL_IP, SO_IP_SET, &request, &size) != 0) {
    const int error = errno;
    close(fd);
    return Failure(error, "asking for the version of ip_set");
  }
  socket_ = fd;
  version_ = request.version;
  return absl::OkStatus();
}

absl::StatusOr<std::uint16_t> SetIndexes::Find(std::string_view name) {
  ip_set_req_get_set request{};
  if (name.empty() || name.size() >= sizeof(request.set.name)) {
    return absl::InvalidArgumentError(
        fmt::format("set name '{}' is not of 1 to {} bytes", name, sizeof(request.set.name) - 1));
  }
  FELIX_RETURN_IF_ERROR(Open());
  request.op = IP_SET_OP_GET_BYNAME;
  request.version = version_;
  std::memcpy(request.set.name, name.data(), name.size());
  socklen_t size = sizeof(request);
  if (getsockopt(socket_, SOL_IP, SO_IP_SET, &request, &size) != 0) {
    return Failure(errno, fmt::format("asking for set {}", name));
  }
  if (request.set.index == IPSET_INVALID_ID) {
    return absl::NotFoundError(fmt::format("set {} does not exist", name));
  }
  return request.set.index;
}

absl::StatusOr<std::string> SetIndexes::NameOf(std::uint16_t index) {
  FELIX_RETURN_IF_ERROR(Open());
  ip_set_req_get_set request{};
  request.op = IP_SET_OP_GET_BYINDEX;
  request.version = version_;
  request.set.index = index;
  socklen_t size = sizeof(request);
  if (getsockopt(socket_, SOL_IP, SO_IP_SET, &request, &size) != 0) {
    return Failure(errno, fmt::format("asking for set number {}", index));
  }
  const std::string_view name(request.set.name, sizeof(request.set.name));
  const std::string_view text = name.substr(0, name.find('\0'));
  if (text.empty()) return absl::NotFoundError(fmt::format("no set has number {}", index));
  return std::string(text);
}

SetIndexResolver SetIndexes::Resolver(std::function<std::string(const ir::SetKey&)> name_of) {
  return [this, name_of = std::move(name_of)](const ir::SetKey& key) { return Find(name_of(key)); };
}

}  // namespace felix::iptables
