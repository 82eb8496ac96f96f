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
#include <mutex>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

#include "fmt/format.h"

#include "model/base/status_macros.h"

namespace felix::iptables {
namespace {

constexpr std::chrono::microseconds kFirstPause{250};

std::string CommandName(int pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return name.empty() ? "unknown" : name;
}

// A line of /proc/locks is `1: FLOCK  ADVISORY  WRITE 812 00:19:1034 0 EOF`, the device in
// hexadecimal; waiters have `->` behind the number. Some file systems show another device there
// than stat(2) does, hence the second choice: the number of the file alone. A holder in a process
// namespace that we do not see has no positive number.
std::string Holder(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return "unknown";
  const std::string inode = fmt::format(":{}", status.st_ino);
  const std::string file =
      fmt::format("{:02x}:{:02x}{}", major(status.st_dev), minor(status.st_dev), inode);
  std::ifstream locks("/proc/locks");
  int holder = 0;
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, kind, mode, access, place;
    int pid = 0;
    words >> number >> kind >> mode >> access >> pid >> place;
    if (kind != "FLOCK" || !std::string_view(place).ends_with(inode)) continue;
    if (holder == 0 || place == file) holder = pid;
    if (place == file) break;
  }
  if (holder <= 0) return "an unknown process";
  return fmt::format("process {} ({})", holder, CommandName(holder));
}

// The descriptor that this process keeps. One turn at a time uses it: flock(2) knows descriptions,
// not threads, so a second turn at the same time needs a description of its own.
class KeptFile {
 public:
  // The kept descriptor if it is free and still is the file at `path`, else -1.
  int Take(const std::string& path) {
    const std::scoped_lock guard(mutex_);
    if (fd_ < 0 || taken_) return -1;
    struct stat ours {};
    struct stat there {};
    const bool same = owner_ == getpid() && fstat(fd_, &ours) == 0 &&
                      lstat(path.c_str(), &there) == 0 && ours.st_dev == there.st_dev &&
                      ours.st_ino == there.st_ino;
    if (!same) {
      close(fd_);
      fd_ = -1;
      return -1;
    }
    taken_ = true;
    return fd_;
  }

  // Ends the turn. A further descriptor is kept if there is none.
  void Return(int fd) {
    const std::scoped_lock guard(mutex_);
    if (fd == fd_) {
      taken_ = false;
      flock(fd, LOCK_UN);
    } else if (fd_ < 0) {
      flock(fd, LOCK_UN);
      fd_ = fd;
      owner_ = getpid();
    } else {
      close(fd);
    }
  }

 private:
  std::mutex mutex_;
  int fd_ = -1;
  pid_t owner_ = 0;  // a child shares the description with its parent and must not use it
  bool taken_ = false;
};

KeptFile& Kept() {
  static KeptFile kept;
  return kept;
}

absl::StatusOr<int> OpenFile(const std::string& path) {
  if (const int kept = Kept().Take(path); kept >= 0) return kept;
  const int fd = open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) return fd;
  const int error = errno;
  const std::string message =
      fmt::format("opening the xtables lock {}: {}", path, std::strerror(error));
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
  return absl::FailedPreconditionError(message);
}

}  // namespace

std::string XtablesLock::Path() {
  const char* path = std::getenv("XTABLES_LOCKFILE");
  return path != nullptr && *path != '\0' ? path : "/run/xtables.lock";
}

absl::StatusOr<XtablesLock> XtablesLock::Acquire(const Options& options) {
  const std::string path = Path();
  FELIX_ASSIGN_OR_RETURN(const int fd, OpenFile(path));
  XtablesLock lock(fd);
  const auto deadline = std::chrono::steady_clock::now() + options.timeout;
  // Most turns take milliseconds: who asks seldom from the start misses every gap between them.
  std::chrono::nanoseconds pause = kFirstPause;
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
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, pause));
    pause = std::min<std::chrono::nanoseconds>(2 * pause, options.probe_interval);
  }
  return lock;
}

XtablesLock::XtablesLock(XtablesLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

XtablesLock& XtablesLock::operator=(XtablesLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

XtablesLock::~XtablesLock() {
  if (fd_ >= 0) Kept().Return(fd_);
}

}  // namespace felix::iptables
