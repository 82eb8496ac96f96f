// SPDX-License-Identifier: Apache-2.0
#include "tests/demo/connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "fmt/format.h"

namespace felix::demo {
namespace {

Progress FromErrno(int error) {
  switch (error) {
    case 0:
      return Progress::kConnected;
    case EINPROGRESS:
    case EAGAIN:
      return Progress::kConnecting;
    case ECONNREFUSED:
    case ECONNRESET:
      return Progress::kRefused;
    default:
      return Progress::kUnreachable;
  }
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Attempt StartConnection(const sockaddr_in& to) {
  Attempt attempt;
  attempt.socket = Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!attempt.socket.valid()) Fail("cannot open a socket");
  const int result =
      connect(attempt.socket.fd(), reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  attempt.progress = FromErrno(result == 0 ? 0 : errno);
  return attempt;
}

Progress FinishConnection(const Descriptor& socket) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return FromErrno(error);
}

void Abort(Descriptor socket) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

std::optional<sockaddr_in> ParseAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string host(text.substr(0, colon));
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return std::nullopt;
  return address;
}

void EnterNamespace(const std::string& name) {
  const std::string path = fmt::format("/run/netns/{}", name);
  const Descriptor space(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space.valid()) Fail(fmt::format("cannot open the network namespace {}", name));
  if (setns(space.fd(), CLONE_NEWNET) != 0) {
    Fail(fmt::format("cannot enter the network namespace {}", name));
  }
}

std::int64_t MonotonicNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void Fail(const std::string& what) {
  fmt::print(stderr, "felix-probe: {}: {}\n", what, std::strerror(errno));
  std::fflush(stdout);
  _exit(2);
}

}  // namespace felix::demo
