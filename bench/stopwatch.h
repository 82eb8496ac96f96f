// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <functional>
#include <vector>

namespace felix::bench {

// All times are in microseconds.
inline double Elapsed(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

// Processor time of this thread and of processes that it waited for: what is left on a busy
// machine of how long something takes.
inline double ProcessorTime() {
  rusage children{};
  getrusage(RUSAGE_CHILDREN, &children);
  timespec thread{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &thread);
  const auto micros = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return static_cast<double>(thread.tv_sec) * 1e6 + static_cast<double>(thread.tv_nsec) / 1e3 +
         micros(children.ru_utime) + micros(children.ru_stime);
}

inline double Time(const std::function<void()>& work) {
  const double start = ProcessorTime();
  work();
  return ProcessorTime() - start;
}

inline double Quantile(std::vector<double> samples, double q) {
  std::sort(samples.begin(), samples.end());
  return samples.at(static_cast<std::size_t>(q * static_cast<double>(samples.size() - 1)));
}

}  // namespace felix::bench
