// SPDX-License-Identifier: Apache-2.0
#include "felix/lock_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

namespace felix {
namespace {

constexpr std::uint32_t kTurnEnds = IN_CLOSE_WRITE | IN_CLOSE_NOWRITE;
constexpr std::uint32_t kAppears = IN_CREATE | IN_MOVED_TO;

}  // namespace

LockWatch::LockWatch(std::string path) : path_(std::move(path)) {
  const std::size_t slash = path_.rfind('/');
  name_ = slash == std::string::npos ? path_ : path_.substr(slash + 1);
  std::string directory = slash == std::string::npos ? "." : path_.substr(0, slash);
  if (directory.empty()) directory = "/";
  fd_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd_ < 0) return;
  directory_watch_ = inotify_add_watch(fd_, directory.c_str(), kAppears | IN_ONLYDIR);
  if (directory_watch_ < 0) {
    close(fd_);
    fd_ = -1;
    return;
  }
  WatchFile();
}

LockWatch::~LockWatch() {
  if (fd_ >= 0) close(fd_);
}

void LockWatch::WatchFile() {
  const int watch = inotify_add_watch(fd_, path_.c_str(), IN_OPEN | kTurnEnds);
  if (watch == file_watch_) return;
  if (file_watch_ >= 0) inotify_rm_watch(fd_, file_watch_);
  file_watch_ = watch;
}

void LockWatch::Drain() {
  if (fd_ < 0) return;
  alignas(inotify_event) std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = read(fd_, buffer.data(), buffer.size());
    if (got <= 0) return;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, &buffer[at], sizeof event);
      const char* name = &buffer[at + sizeof event];
      at += sizeof event + event.len;
      const bool overflown = (event.mask & IN_Q_OVERFLOW) != 0;
      const bool appeared =
          (event.mask & kAppears) != 0 && event.len != 0 && std::string_view(name) == name_;
      const bool of_file = event.wd == file_watch_ && file_watch_ >= 0;
      if ((event.mask & kAppears) != 0 && !appeared) continue;
      if (!overflown && !appeared && !of_file) continue;
      ++token_;
      // Who made the file may have had his turn before there was a watch on it.
      released_ = released_ || overflown || appeared || (event.mask & kTurnEnds) != 0;
      if ((event.mask & IN_IGNORED) != 0) file_watch_ = -1;
      if (appeared || overflown) WatchFile();
    }
  }
}

std::optional<std::uint64_t> LockWatch::Token() {
  Drain();
  if (file_watch_ < 0) return std::nullopt;
  return token_;
}

bool LockWatch::TakeReleased() {
  Drain();
  return std::exchange(released_, false);
}

}  // namespace felix
