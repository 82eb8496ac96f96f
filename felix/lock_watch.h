// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "iptables/lock_witness.h"

namespace felix {

// Watches the lock file of the iptables tools with inotify(7): tools open it for their turn and
// close it when they are done, and we keep it open (iptables::XtablesLock), so whatever happens to
// the file was done by others. Follows the file when it is made later or replaced. What it cannot
// see: programs that ignore the lock, and programs that keep the file open between their turns
// after their first; for these there are the size of the table and the refresh. Without a watch,
// for want of a directory or of inotify instances, Token() knows nothing. Used by one thread; never
// blocks.
class LockWatch final : public iptables::LockWitness {
 public:
  explicit LockWatch(std::string path);
  ~LockWatch() override;
  LockWatch(const LockWatch&) = delete;
  LockWatch& operator=(const LockWatch&) = delete;

  // Readable when something happened; -1 without a watch.
  [[nodiscard]] int fd() const { return fd_; }
  std::optional<std::uint64_t> Token() override;
  // True if another program closed the file, so ended a turn, since the last call.
  bool TakeReleased();

 private:
  void WatchFile();
  void Drain();

  std::string path_;
  std::string name_;  // in its directory
  int fd_ = -1;
  int directory_watch_ = -1;
  int file_watch_ = -1;
  std::uint64_t token_ = 0;
  bool released_ = false;
};

}  // namespace felix
