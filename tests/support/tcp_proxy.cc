// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tcp_proxy.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "model/base/check.h"

namespace felix {
namespace {

constexpr int kTickMs = 20;

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool IsReadable(int fd) {
  pollfd watched{fd, POLLIN, 0};
  return poll(&watched, 1, kTickMs) > 0;
}

}  // namespace

TcpProxy::TcpProxy(std::uint16_t target_port) : target_port_(target_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  FELIX_CHECK(bind(listener_, generic, length) == 0 && listen(listener_, 64) == 0 &&
                  getsockname(listener_, generic, &length) == 0,
              "a proxy cannot listen");
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Accept(); });
}

TcpProxy::~TcpProxy() {
  stop_ = true;
  thread_.join();
  Cut();
  for (Connection& connection : connections_) {
    connection.up.join();
    connection.down.join();
    close(connection.client);
    close(connection.server);
  }
  close(listener_);
}

void TcpProxy::Accept() {
  while (!stop_) {
    if (!IsReadable(listener_)) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = Loopback(target_port_);
    // Where nobody listens, the client is to see the end of its connection.
    if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      close(server);
      close(client);
      continue;
    }
    const std::lock_guard lock(mutex_);
    Connection& connection = connections_.emplace_back();
    connection.client = client;
    connection.server = server;
    connection.up = std::thread([this, client, server] { Pass(client, server); });
    connection.down = std::thread([this, client, server] { Pass(server, client); });
  }
}

void TcpProxy::Pass(int from, int to) {
  std::array<char, 16 << 10> bytes;
  while (!stop_) {
    if (swallows_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kTickMs));
      continue;
    }
    if (!IsReadable(from)) continue;
    const ssize_t count = read(from, bytes.data(), bytes.size());
    if (count <= 0) break;
    std::this_thread::sleep_for(delay_.load());
    for (ssize_t sent = 0; sent < count;) {
      const ssize_t part =
          send(to, bytes.data() + sent, static_cast<std::size_t>(count - sent), MSG_NOSIGNAL);
      if (part <= 0) break;
      sent += part;
    }
  }
  shutdown(from, SHUT_RDWR);
  shutdown(to, SHUT_RDWR);
}

void TcpProxy::Cut() {
  const std::lock_guard lock(mutex_);
  for (const Connection& connection : connections_) {
    shutdown(connection.client, SHUT_RDWR);
    shutdown(connection.server, SHUT_RDWR);
  }
}

}  // namespace felix
