// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "tests/support/network_namespace.h"

namespace felix::testing {

// A router with two containers that have an IP stack: 10.65.0.1 behind cali1 and 10.65.0.2 behind
// cali2. The router forwards and has no rules.
class TwoContainers {
 public:
  TwoContainers();

  [[nodiscard]] const NetworkNamespace& router() const { return router_; }
  [[nodiscard]] const NetworkNamespace& first() const { return first_; }
  [[nodiscard]] const NetworkNamespace& second() const { return second_; }

 private:
  void Attach(const NetworkNamespace& container, int number) const;

  NetworkNamespace router_;
  NetworkNamespace first_;
  NetworkNamespace second_;
};

// Datagrams from the first container to a port of the second at a steady rate, each with a number
// of its own, counted at both ends. Flows from the making of the object to Stop().
class SteadyFlow {
 public:
  enum class Ports : std::uint8_t { kOne, kFreshEach };  // of the sender; fresh: a flow a datagram

  SteadyFlow(const TwoContainers& containers, std::uint16_t port, int per_second, Ports ports);
  ~SteadyFlow();
  SteadyFlow(const SteadyFlow&) = delete;
  SteadyFlow& operator=(const SteadyFlow&) = delete;

  // Ends the flow and waits for what is on its way.
  void Stop();
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }

 private:
  void Send(std::uint16_t port, int per_second, Ports ports);
  void Receive();

  int receiver_ = -1;
  std::atomic<bool> sending_ = true;
  std::atomic<bool> receiving_ = true;
  std::atomic<std::uint64_t> sent_ = 0;
  std::atomic<std::uint64_t> received_ = 0;
  std::thread sender_thread_;
  std::thread receiver_thread_;
};

}  // namespace felix::testing
