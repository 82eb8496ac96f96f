// SPDX-License-Identifier: Apache-2.0
#include "tests/demo/server.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "fmt/format.h"

#include "tests/demo/connection.h"

namespace felix::demo {
namespace {

Descriptor ListenOn(const sockaddr_in& address) {
  Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.valid()) Fail("cannot open a socket");
  const int yes = 1;
  setsockopt(listener.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (bind(listener.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    Fail(fmt::format("cannot bind port {}", ntohs(address.sin_port)));
  }
  if (listen(listener.fd(), SOMAXCONN) != 0) Fail("cannot listen");
  return listener;
}

Descriptor TerminationSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) Fail("cannot block signals");
  Descriptor descriptor(signalfd(-1, &signals, SFD_CLOEXEC));
  if (!descriptor.valid()) Fail("cannot wait for signals");
  return descriptor;
}

void AnswerAllWaiting(const Descriptor& listener, const std::string& answer) {
  while (true) {
    const Descriptor client(accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.valid()) {
      // A client that has gone already is none of the server's business.
      static_cast<void>(send(client.fd(), answer.data(), answer.size(), MSG_NOSIGNAL));
      continue;
    }
    if (errno == EAGAIN) return;
    if (errno != EINTR && errno != ECONNABORTED) Fail("cannot accept a connection");
  }
}

}  // namespace

void Serve(const std::string& name, const sockaddr_in& address) {
  const Descriptor signals = TerminationSignals();
  const Descriptor listener = ListenOn(address);
  fmt::print("{} listens on port {}\n", name, ntohs(address.sin_port));
  std::fflush(stdout);
  std::array<pollfd, 2> waiting = {{{.fd = listener.fd(), .events = POLLIN, .revents = 0},
                                    {.fd = signals.fd(), .events = POLLIN, .revents = 0}}};
  while (true) {
    if (poll(waiting.data(), waiting.size(), -1) < 0) Fail("cannot wait for connections");
    if (waiting[1].revents != 0) return;
    AnswerAllWaiting(listener, name + "\n");
  }
}

}  // namespace felix::demo
