// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct inotify_event;

namespace felix::datastore {

// Tells apart two states of a file without reading it.
struct FileSignature {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileSignature&) const = default;
};

// By path relative to the directory.
using DirectoryListing = absl::btree_map<std::string, FileSignature>;

// Watches a directory and all below it through inotify(7) for resource files: *.yaml, *.yml and
// *.json whose names, and whose directories' names, do not begin with a dot. Symbolic links to
// files are followed, also through hidden directories, as Kubernetes mounts a ConfigMap; a change
// behind such a link shows when the link or a hidden link beside it is replaced. Links to
// directories are not followed. Owns its descriptor.
class DirectoryWatcher {
 public:
  // Errors: what open(2) and inotify_add_watch(2) say of the directory.
  static absl::StatusOr<std::unique_ptr<DirectoryWatcher>> Open(std::string root);
  ~DirectoryWatcher();
  DirectoryWatcher(const DirectoryWatcher&) = delete;
  DirectoryWatcher& operator=(const DirectoryWatcher&) = delete;

  // All resource files there are. Watches each directory before it reads it, so that nothing falls
  // between the listing and the events. Errors: any directory that cannot be read to its end, since
  // a listing with a gap would look like deletions.
  [[nodiscard]] absl::StatusOr<DirectoryListing> List();

  struct Changes {
    absl::btree_set<std::string> files;       // written, replaced, linked, moved or removed
    absl::btree_set<std::string> deleted;     // those of `files` whose last event is their removal
    absl::btree_set<std::string> attributes;  // readable now, perhaps
    bool rescan = false;                      // more changed than can be told by file
    bool root_gone = false;
    bool only_removals = true;
    absl::btree_set<std::uint32_t> half_moves;  // moved away, and not yet seen to arrive
  };
  // Adds what has happened, without blocking.
  void Read(Changes& changes);
  // Whether the path still names the directory that is watched.
  [[nodiscard]] bool RootIsInPlace() const;

  [[nodiscard]] int fd() const { return fd_; }

 private:
  explicit DirectoryWatcher(std::string root);

  absl::Status ListInto(const std::string& relative, int depth, DirectoryListing& listing,
                        absl::btree_set<int>& watched);
  absl::Status ListEntry(int directory, const std::string& relative, const char* name, int depth,
                         DirectoryListing& listing, absl::btree_set<int>& watched);
  void Handle(const inotify_event& event, std::string_view name, Changes& changes);
  void HandleNamed(std::uint32_t mask, const std::string& path, std::string_view name,
                   Changes& changes) const;
  [[nodiscard]] std::string FullPath(const std::string& relative) const;

  std::string root_;
  int fd_ = -1;
  int root_watch_ = -1;
  dev_t root_device_ = 0;
  ino_t root_inode_ = 0;
  absl::flat_hash_map<int, std::string> directories_;  // watch descriptor to relative path
};

// Whether a file of that name counts.
[[nodiscard]] bool IsResourceFileName(std::string_view name);

}  // namespace felix::datastore
