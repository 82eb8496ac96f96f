// SPDX-License-Identifier: Apache-2.0
// Loaded before the C library (LD_PRELOAD), it makes the monotonic clock of a program run thirty
// times as fast, and ppoll(2) wait by that clock, so that minutes of failure fit into a test.
#undef _FORTIFY_SOURCE  // with it, ppoll() is inline

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace {

constexpr std::int64_t kSpeed = 30;
constexpr std::int64_t kNanoseconds = 1'000'000'000;

std::int64_t begin = 0;

std::int64_t Monotonic() {
  timespec now{};
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNanoseconds + now.tv_nsec;
}

__attribute__((constructor)) void Begin() {
  begin = Monotonic();
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (clock != CLOCK_MONOTONIC) return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  const std::int64_t now = begin + (Monotonic() - begin) * kSpeed;
  time->tv_sec = now / kNanoseconds;
  time->tv_nsec = now % kNanoseconds;
  return 0;
}

extern "C" int ppoll(pollfd* watched, nfds_t count, const timespec* timeout,
                     const sigset_t* signals) {
  timespec shorter{};
  if (timeout != nullptr) {
    const std::int64_t wait = (timeout->tv_sec * kNanoseconds + timeout->tv_nsec) / kSpeed;
    shorter = {.tv_sec = wait / kNanoseconds, .tv_nsec = wait % kNanoseconds};
  }
  return static_cast<int>(syscall(SYS_ppoll, watched, count,
                                  timeout != nullptr ? &shorter : nullptr, signals, _NSIG / 8));
}

// What ppoll() is called in a program that was built with checks of buffers.
extern "C" int __ppoll_chk(pollfd* watched, nfds_t count, const timespec* timeout,
                           const sigset_t* signals, std::size_t /*size*/) {
  return ppoll(watched, count, timeout, signals);
}
