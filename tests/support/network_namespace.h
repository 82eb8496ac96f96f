// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

namespace felix::testing {

// True if this process may make network namespaces and write tables in them.
bool HasRoot();

// A fresh network namespace with its loopback up. Owns the namespace by a descriptor: it ends with
// the object and with whatever runs inside. Only for tests; failures end the process with a reason.
class NetworkNamespace {
 public:
  NetworkNamespace();
  ~NetworkNamespace();
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;

  // Runs `body` on a thread of its own inside the namespace and waits for it.
  void Run(const std::function<void()>& body) const;
  // Runs a shell command inside; returns its exit status, and its output (both streams) in
  // `output` if wanted.
  int Shell(const std::string& command, std::string* output = nullptr) const;
  // A path that `ip link set … netns` and `nsenter --net=` understand while the object lives.
  [[nodiscard]] std::string path() const;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

// Moves the whole calling thread into a fresh namespace for the rest of its life.
void EnterFreshNetworkNamespace();

// Points XTABLES_LOCKFILE of this process at a private file. Called by the functions above.
void UsePrivateXtablesLock();

}  // namespace felix::testing

// First line of a kernel test: without root it is skipped, loudly, and in CI it fails.
#define FELIX_REQUIRE_ROOT()                                                                      \
  do {                                                                                            \
    if (!::felix::testing::HasRoot()) {                                                           \
      if (std::getenv("CI") != nullptr) FAIL() << "kernel tests need root, and CI must run them"; \
      GTEST_SKIP() << "needs root";                                                               \
    }                                                                                             \
  } while (false)
