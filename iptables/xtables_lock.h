// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "absl/status/statusor.h"

namespace felix::iptables {

// The lock that all legacy iptables tools of a mount namespace share: flock(2) on one file, for all
// tables, both families and all network namespaces. libiptc does not take it. Held while the object
// lives. Between its turns the process keeps the file open, so that whoever watches the file for
// being opened and closed sees the turns of others only; a file that was replaced is opened anew.
class XtablesLock {
 public:
  struct Options {
    std::chrono::milliseconds timeout{10'000};
    // Between two tries at most; the first follow each other faster.
    std::chrono::milliseconds probe_interval{50};
  };

  // $XTABLES_LOCKFILE, or /run/xtables.lock.
  static std::string Path();

  // Tries until `timeout` is over. Errors: kUnavailable, saying which process holds the lock and
  // what it runs; kPermissionDenied or kFailedPrecondition if the file cannot be opened (it must
  // not be a symbolic link).
  static absl::StatusOr<XtablesLock> Acquire(const Options& options);

  XtablesLock(XtablesLock&& other) noexcept;
  XtablesLock& operator=(XtablesLock&& other) noexcept;
  ~XtablesLock();

 private:
  explicit XtablesLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace felix::iptables
