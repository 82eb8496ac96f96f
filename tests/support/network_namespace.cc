// SPDX-License-Identifier: Apache-2.0
#include "tests/support/network_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "fmt/format.h"

#include "model/base/check.h"

namespace felix::testing {
namespace {

void MakeNamespaceHere() {
  UsePrivateXtablesLock();
  FELIX_CHECK(unshare(CLONE_NEWNET) == 0, "cannot make a network namespace");
}

std::string ThreadNamespacePath() {
  return fmt::format("/proc/self/task/{}/ns/net", gettid());
}

int RunShell(const std::string& command, std::string* output) {
  FILE* pipe = popen(fmt::format("( {} ) 2>&1", command).c_str(), "r");
  FELIX_CHECK(pipe != nullptr, "cannot start a shell");
  std::array<char, 4096> buffer{};
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) {
    if (output != nullptr) output->append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

bool HasRoot() {
  return geteuid() == 0;
}

void UsePrivateXtablesLock() {
  static const bool done = [] {
    std::string path = "/tmp/felix-test-xtables-lock-XXXXXX";
    const int fd = mkstemp(path.data());
    FELIX_CHECK(fd >= 0, "cannot make a lock file");
    close(fd);
    setenv("XTABLES_LOCKFILE", path.c_str(), 1);
    static std::string to_remove = path;
    static const pid_t owner = getpid();
    std::atexit([] {
      if (getpid() == owner) unlink(to_remove.c_str());
    });
    return true;
  }();
  static_cast<void>(done);
}

void EnterFreshNetworkNamespace() {
  MakeNamespaceHere();
  FELIX_CHECK(RunShell("ip link set lo up", nullptr) == 0, "cannot raise the loopback");
}

NetworkNamespace::NetworkNamespace() {
  UsePrivateXtablesLock();
  std::thread([this] {
    MakeNamespaceHere();
    fd_ = open(ThreadNamespacePath().c_str(), O_RDONLY | O_CLOEXEC);
    FELIX_CHECK(fd_ >= 0, "cannot open the new namespace");
    FELIX_CHECK(RunShell("ip link set lo up", nullptr) == 0, "cannot raise the loopback");
  }).join();
}

NetworkNamespace::~NetworkNamespace() {
  close(fd_);
}

void NetworkNamespace::Run(const std::function<void()>& body) const {
  std::thread([this, &body] {
    FELIX_CHECK(setns(fd_, CLONE_NEWNET) == 0, "cannot enter the namespace");
    body();
  }).join();
}

int NetworkNamespace::Shell(const std::string& command, std::string* output) const {
  int status = 0;
  Run([&] { status = RunShell(command, output); });
  return status;
}

std::string NetworkNamespace::path() const {
  return fmt::format("/proc/{}/fd/{}", getpid(), fd_);
}

}  // namespace felix::testing
