// SPDX-License-Identifier: Apache-2.0
#include "iptables/xtables_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "fmt/format.h"

namespace felix::iptables {
namespace {

std::string CommandName(const std::string& pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return name;
}

// A line of /proc/locks is `1: FLOCK  ADVISORY  WRITE 812 00:19:1034 0 EOF`, the device in
// hexadecimal; waiters have `->` behind the number.
std::string Holder(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return "somebody";
  const std::string file =
      fmt::format("{:02x}:{:02x}:{}", major(status.st_dev), minor(status.st_dev), status.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, kind, mode, access, pid, place;
    words >> number >> kind >> mode >> access >> pid >> place;
    if (kind != "FLOCK" || place != file) continue;
    return fmt::format("process {} ({})", pid, CommandName(pid));
  }
  return "a process that cannot be seen from here";
}

}  // namespace

std::string XtablesLock::Path() {
  const char* path = std::getenv("XTABLES_LOCKFILE");
  return path != nullptr && *path != '\0' ? path : "/run/xtables.lock";
}

absl::StatusOr<XtablesLock> XtablesLock::Acquire(const Options& options) {
  const std::string path = Path();
  const int fd = open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    const int error = errno;
    const std::string message =
        fmt::format("opening the xtables lock {}: {}", path, std::strerror(error));
    if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
    return absl::FailedPreconditionError(message);
  }
  XtablesLock lock(fd);
  const auto deadline = std::chrono::steady_clock::now() + options.timeout;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return absl::InternalError(
          fmt::format("taking the xtables lock {}: {}", path, std::strerror(errno)));
    }
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) {
      return absl::UnavailableError(fmt::format("the xtables lock {} is held by {} for {} ms", path,
                                                Holder(fd), options.timeout.count()));
    }
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, options.probe_interval));
  }
  return lock;
}

XtablesLock::XtablesLock(XtablesLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

XtablesLock& XtablesLock::operator=(XtablesLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

XtablesLock::~XtablesLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace felix::iptables
