// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <thread>

namespace felix {

// A port on loopback that passes connections on to another, and can do to them what networks do.
// Owns its threads, which end with this object.
class TcpProxy {
 public:
  explicit TcpProxy(std::uint16_t target_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Whatever arrives is passed on so much later.
  void Delay(std::chrono::milliseconds duration) { delay_ = duration; }
  // Takes connections and bytes, and passes none of them on: a black hole.
  void Swallow(bool swallow) { swallows_ = swallow; }
  // Ends all connections of now.
  void Cut();

 private:
  struct Connection {
    int client = -1;
    int server = -1;
    std::thread up;
    std::thread down;
  };
  void Accept();
  void Pass(int from, int to);

  const std::uint16_t target_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> swallows_ = false;
  std::atomic<std::chrono::milliseconds> delay_ = std::chrono::milliseconds(0);
  std::mutex mutex_;
  std::list<Connection> connections_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace felix
