// SPDX-License-Identifier: Apache-2.0
#include "felix/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "model/base/check.h"

namespace felix {

Signals::Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  FELIX_CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0, "cannot block signals");
  fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  FELIX_CHECK(fd_ >= 0, "the process has no file descriptor left");
}

Signals::~Signals() {
  close(fd_);
}

std::optional<int> Signals::Next() const {
  signalfd_siginfo info{};
  if (read(fd_, &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace felix
