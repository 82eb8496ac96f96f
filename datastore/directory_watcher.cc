// SPDX-License-Identifier: Apache-2.0
#include "datastore/directory_watcher.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "fmt/format.h"

#include "model/base/check.h"
#include "model/base/status_macros.h"

namespace felix::datastore {
namespace {

// Beyond this a tree is a mistake, or a loop of mounts.
constexpr int kMaxDirectoryDepth = 32;

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                  IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                  IN_ONLYDIR;

absl::Status ErrnoStatus(int error, std::string_view act, const std::string& path) {
  return absl::ErrnoToStatus(error, fmt::format("{} {}", act, path));
}

std::int64_t Nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

struct DirectoryCloser {
  void operator()(DIR* directory) const { closedir(directory); }
};

std::string Join(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : fmt::format("{}/{}", directory, name);
}

}  // namespace

bool IsResourceFileName(std::string_view name) {
  return !name.starts_with('.') &&
         (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

DirectoryWatcher::DirectoryWatcher(std::string root) : root_(std::move(root)) {}

DirectoryWatcher::~DirectoryWatcher() {
  if (fd_ >= 0) close(fd_);
}

std::string DirectoryWatcher::FullPath(const std::string& relative) const {
  return relative.empty() ? root_ : fmt::format("{}/{}", root_, relative);
}

absl::StatusOr<std::unique_ptr<DirectoryWatcher>> DirectoryWatcher::Open(std::string root) {
  std::unique_ptr<DirectoryWatcher> watcher(new DirectoryWatcher(std::move(root)));
  watcher->fd_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (watcher->fd_ < 0) return ErrnoStatus(errno, "watch", watcher->root_);
  watcher->root_watch_ = inotify_add_watch(watcher->fd_, watcher->root_.c_str(), kEvents);
  if (watcher->root_watch_ < 0) return ErrnoStatus(errno, "watch", watcher->root_);
  watcher->directories_[watcher->root_watch_] = "";
  struct stat status = {};
  if (stat(watcher->root_.c_str(), &status) != 0) {
    return ErrnoStatus(errno, "read", watcher->root_);
  }
  watcher->root_device_ = status.st_dev;
  watcher->root_inode_ = status.st_ino;
  return watcher;
}

bool DirectoryWatcher::RootIsInPlace() const {
  struct stat status = {};
  return stat(root_.c_str(), &status) == 0 && status.st_dev == root_device_ &&
         status.st_ino == root_inode_;
}

absl::StatusOr<DirectoryListing> DirectoryWatcher::List() {
  DirectoryListing listing;
  absl::btree_set<int> watched{root_watch_};
  FELIX_RETURN_IF_ERROR(ListInto("", 0, listing, watched));
  std::vector<int> stale;
  for (const auto& [watch, path] : directories_) {
    if (!watched.contains(watch)) stale.push_back(watch);
  }
  for (const int watch : stale) {
    inotify_rm_watch(fd_, watch);
    directories_.erase(watch);
  }
  return listing;
}

absl::Status DirectoryWatcher::ListInto(const std::string& relative, int depth,
                                        DirectoryListing& listing, absl::btree_set<int>& watched) {
  const std::string path = FullPath(relative);
  if (depth > kMaxDirectoryDepth) {
    return absl::ResourceExhaustedError(
        fmt::format("read {}: nested deeper than {}", path, kMaxDirectoryDepth));
  }
  if (depth > 0) {
    const int watch = inotify_add_watch(fd_, path.c_str(), kEvents | IN_DONT_FOLLOW);
    // It was there a moment ago, so its removal is an event of its own.
    if (watch < 0 && (errno == ENOENT || errno == ENOTDIR)) return absl::OkStatus();
    if (watch < 0) return ErrnoStatus(errno, "watch", path);
    directories_[watch] = relative;
    watched.insert(watch);
  }
  const std::unique_ptr<DIR, DirectoryCloser> directory(opendir(path.c_str()));
  if (directory == nullptr) {
    if (depth > 0 && errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(errno, "read", path);
  }
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    FELIX_RETURN_IF_ERROR(
        ListEntry(dirfd(directory.get()), relative, entry->d_name, depth, listing, watched));
  }
  if (errno != 0) return ErrnoStatus(errno, "read", path);
  return absl::OkStatus();
}

absl::Status DirectoryWatcher::ListEntry(int directory, const std::string& relative,
                                         const char* name, int depth, DirectoryListing& listing,
                                         absl::btree_set<int>& watched) {
  const std::string_view text = name;
  if (text.starts_with('.')) return absl::OkStatus();
  const std::string path = Join(relative, text);
  struct stat status = {};
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return absl::OkStatus();
  if (S_ISDIR(status.st_mode)) return ListInto(path, depth + 1, listing, watched);
  if (!IsResourceFileName(text)) return absl::OkStatus();
  // A link that points nowhere keeps the link's own status, and is named when it is read.
  if (S_ISLNK(status.st_mode)) static_cast<void>(fstatat(directory, name, &status, 0));
  if (S_ISDIR(status.st_mode)) return absl::OkStatus();
  listing[path] = {status.st_dev, status.st_ino, status.st_size, Nanoseconds(status.st_mtim),
                   Nanoseconds(status.st_ctim)};
  return absl::OkStatus();
}

void DirectoryWatcher::Read(Changes& changes) {
  alignas(inotify_event) std::array<char, 64 << 10> buffer;
  while (true) {
    const ssize_t size = read(fd_, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    std::size_t offset = 0;
    while (offset < static_cast<std::size_t>(size)) {
      inotify_event event = {};
      std::memcpy(&event, buffer.data() + offset, sizeof event);
      const char* name = buffer.data() + offset + sizeof event;
      Handle(event, event.len == 0 ? std::string_view() : std::string_view(name), changes);
      offset += sizeof event + event.len;
    }
  }
}

void DirectoryWatcher::Handle(const inotify_event& event, std::string_view name, Changes& changes) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    changes.rescan = true;
    changes.only_removals = false;
    return;
  }
  const auto directory = directories_.find(event.wd);
  if (directory == directories_.end()) return;
  if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0) {
    if (event.wd == root_watch_) changes.root_gone = true;
    // Its parent tells of a move or removal of any other; a watch ends with its directory.
    if (event.wd != root_watch_ && (event.mask & IN_IGNORED) != 0) directories_.erase(directory);
    return;
  }
  if (name.empty()) return;
  const std::string path = Join(directory->second, name);
  if ((event.mask & IN_ISDIR) != 0) {
    if (name.starts_with('.') || (event.mask & IN_ATTRIB) != 0) return;
    changes.rescan = true;
    if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) == 0) changes.only_removals = false;
    return;
  }
  if ((event.mask & IN_MOVED_FROM) != 0 && IsResourceFileName(name)) {
    changes.half_moves.insert(event.cookie);
  }
  if ((event.mask & IN_MOVED_TO) != 0) changes.half_moves.erase(event.cookie);
  HandleNamed(event.mask, path, name, changes);
}

void DirectoryWatcher::HandleNamed(std::uint32_t mask, const std::string& path,
                                   std::string_view name, Changes& changes) const {
  struct stat status = {};
  const bool appears = (mask & (IN_CREATE | IN_MOVED_TO)) != 0;
  const bool exists = appears && lstat(FullPath(path).c_str(), &status) == 0;
  const bool is_link = exists && S_ISLNK(status.st_mode);
  if (!IsResourceFileName(name)) {
    // ConfigMaps change by replacing the link ..data, through which the visible links lead.
    if (is_link && name.starts_with('.')) {
      changes.rescan = true;
      changes.only_removals = false;
    }
    return;
  }
  if ((mask & IN_ATTRIB) != 0) {
    changes.attributes.insert(path);
    return;
  }
  // A file that was just created is empty until its writer closes it; but links, symbolic or hard,
  // are complete at once.
  if ((mask & IN_CREATE) != 0 && !is_link && (!exists || status.st_nlink < 2)) return;
  changes.files.insert(path);
  if ((mask & IN_DELETE) != 0) {
    changes.deleted.insert(path);
  } else {
    changes.deleted.erase(path);
  }
  if ((mask & (IN_DELETE | IN_MOVED_FROM)) == 0) changes.only_removals = false;
}

}  // namespace felix::datastore
