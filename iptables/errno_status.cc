// SPDX-License-Identifier: Apache-2.0
#include "iptables/errno_status.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "fmt/format.h"

namespace felix::iptables {

absl::Status FailureOf(int error, std::string_view act) {
  // libiptc's own texts rest on a static variable; errno is all they add to.
  const std::string message = fmt::format("{}: {}", act, std::strerror(error));
  switch (error) {
    case EAGAIN:
      return absl::AbortedError(message);
    case EPERM:
    case EACCES:
      return absl::PermissionDeniedError(message);
    case ENOENT:
    case ENOPROTOOPT:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return absl::FailedPreconditionError(message);
    case ENOMEM:
      return absl::ResourceExhaustedError(message);
    case EINVAL:
    case ELOOP:
    case EEXIST:
    case EMLINK:
    case ENOTEMPTY:
    case E2BIG:
      return absl::InvalidArgumentError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::Status CommitFailure(int error) {
  switch (error) {
    case ENOENT:
      return FailureOf(error, "committing (a match, a target or a set is missing)");
    case EINVAL:
      return FailureOf(error, "committing (the kernel's log says why it refuses a rule)");
    case ELOOP:
      return FailureOf(error, "committing (chains form a loop)");
    default:
      return FailureOf(error, "committing");
  }
}

}  // namespace felix::iptables
