// SPDX-License-Identifier: Apache-2.0
#include "ipset/netlink_error.h"

#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/ipset/ip_set_hash.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace felix::ipset {
namespace {

struct KnownError {
  int error;
  absl::StatusCode code;
  std::string_view text;
};
constexpr std::array kKnownErrors = {
    // nfnetlink knows no subsystem of that number: ip_set is neither built in nor loadable.
    KnownError{EINVAL, absl::StatusCode::kFailedPrecondition, "not supported by the kernel"},
    KnownError{EOPNOTSUPP, absl::StatusCode::kFailedPrecondition, "not supported by the kernel"},
    KnownError{ENOENT, absl::StatusCode::kNotFound, "no such set"},
    KnownError{EPERM, absl::StatusCode::kPermissionDenied, "operation not permitted"},
    KnownError{EACCES, absl::StatusCode::kPermissionDenied, "permission denied"},
    KnownError{IPSET_ERR_PROTOCOL, absl::StatusCode::kFailedPrecondition,
               "the set is of another type"},
    KnownError{IPSET_ERR_FIND_TYPE, absl::StatusCode::kFailedPrecondition, "no such set type"},
    KnownError{IPSET_ERR_INVALID_CIDR, absl::StatusCode::kInvalidArgument,
               "a prefix length that the set cannot hold"},
    KnownError{IPSET_ERR_IPADDR_IPV4, absl::StatusCode::kFailedPrecondition,
               "the set is of the other family"},
    KnownError{IPSET_ERR_IPADDR_IPV6, absl::StatusCode::kFailedPrecondition,
               "the set is of the other family"},
    KnownError{IPSET_ERR_HASH_FULL, absl::StatusCode::kResourceExhausted, "the set is full"},
};

}  // namespace

absl::Status NetlinkError(std::string_view what, int error) {
  for (const KnownError& known : kKnownErrors) {
    if (known.error == error) return {known.code, fmt::format("{}: {}", what, known.text)};
  }
  if (error > IPSET_ERR_PRIVATE) {
    return absl::FailedPreconditionError(fmt::format("{}: ip_set error {}", what, error));
  }
  return absl::UnavailableError(fmt::format("{}: {}", what, std::strerror(error)));
}

}  // namespace felix::ipset
