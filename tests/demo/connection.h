// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace felix::demo {

// A descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// How an attempt to open a TCP connection stands.
enum class Progress : std::uint8_t { kConnecting, kConnected, kRefused, kUnreachable };

// One attempt to open a TCP connection, without ever blocking. It belongs to the network namespace
// in which its thread was when it was started, and stays there.
struct Attempt {
  Descriptor socket;
  Progress progress = Progress::kConnecting;
};

// Sends the first SYN. Ends the process if there is no socket to be had.
Attempt StartConnection(const sockaddr_in& to);
// Asks the kernel about an attempt whose socket has become writable.
Progress FinishConnection(const Descriptor& socket);
// Closes with a reset, so that neither side keeps the address pair in TIME_WAIT.
void Abort(Descriptor socket);

// "10.65.1.2:9000"; none if it is not an IPv4 address and a port.
std::optional<sockaddr_in> ParseAddress(std::string_view text);

// Moves the calling thread into a namespace made by `ip netns add`.
void EnterNamespace(const std::string& name);

// CLOCK_MONOTONIC in nanoseconds: one clock for all processes of a machine.
std::int64_t MonotonicNanoseconds();

// Prints what cannot be helped, and why, and ends the process with status 2.
[[noreturn]] void Fail(const std::string& what);

}  // namespace felix::demo
