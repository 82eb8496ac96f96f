// SPDX-License-Identifier: Apache-2.0
#include "datastore/etcd/name_resolver.h"

#include <netdb.h>
#include <signal.h>

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "fmt/format.h"

namespace felix::datastore {
namespace {

using boost::asio::ip::tcp;

// Shared with the thread, which may outlive the question.
struct Answer {
  std::mutex mutex;
  std::condition_variable arrived;
  bool is_there = false;
  int error = 0;
  std::vector<tcp::endpoint> endpoints;
};

void Ask(const std::string& host, std::uint16_t port, Answer& answer) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &first);
  const std::lock_guard lock(answer.mutex);
  for (const addrinfo* it = first; error == 0 && it != nullptr; it = it->ai_next) {
    tcp::endpoint endpoint;
    if (it->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), it->ai_addr, it->ai_addrlen);
    endpoint.resize(it->ai_addrlen);
    endpoint.port(port);
    answer.endpoints.push_back(endpoint);
  }
  if (first != nullptr) freeaddrinfo(first);
  answer.error = error;
  answer.is_there = true;
  answer.arrived.notify_all();
}

}  // namespace

absl::StatusOr<std::vector<tcp::endpoint>> ResolveHost(
    const std::string& host, std::uint16_t port, std::chrono::steady_clock::time_point deadline,
    const std::atomic<bool>& interrupted) {
  boost::system::error_code not_an_address;
  const auto address = boost::asio::ip::make_address(host, not_an_address);
  if (!not_an_address) return std::vector<tcp::endpoint>{tcp::endpoint(address, port)};

  const auto answer = std::make_shared<Answer>();
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread([host, port, answer] { Ask(host, port, *answer); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);

  std::unique_lock lock(answer->mutex);
  while (!answer->is_there) {
    if (interrupted) return absl::CancelledError(fmt::format("find host {}: interrupted", host));
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      return absl::DeadlineExceededError(
          fmt::format("find host {}: no name server answers in time", host));
    }
    answer->arrived.wait_until(lock, std::min(deadline, now + std::chrono::milliseconds(20)));
  }
  if (answer->error != 0) {
    return absl::UnavailableError(
        fmt::format("find host {}: {}", host, gai_strerror(answer->error)));
  }
  return std::move(answer->endpoints);
}

}  // namespace felix::datastore
