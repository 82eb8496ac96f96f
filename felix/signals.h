// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

namespace felix {

// SIGTERM, SIGINT and SIGHUP as a descriptor to poll, read where everything is allowed that is not
// allowed in a signal handler. Blocks these signals for the calling thread and for all threads it
// starts from then on; make it before there are others. They stay blocked when the object is gone.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  // The next signal that came; never blocks.
  [[nodiscard]] std::optional<int> Next() const;

 private:
  int fd_ = -1;
};

}  // namespace felix
