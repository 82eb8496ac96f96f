// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace felix::demo {

// What is to be seen of a flow when the change happens.
enum class Wanted : std::uint8_t {
  kBecomesReached,  // no connection before the change, every one after some moment
  kBecomesBlocked,  // every connection before the change, none after some moment
  kStaysReached,    // every connection, before, during and after
  kStaysBlocked,    // no connection, before, during and after
};

struct Flow {
  std::string name;
  std::string network_namespace;  // where connections are made; empty is where the process is
  sockaddr_in to{};
  Wanted wanted = Wanted::kStaysReached;
};

// What was seen. Times are in microseconds from just before the change.
struct FlowReport {
  bool changed = false;             // the new verdict was seen in time; for kBecomes… only
  std::int64_t first_start_us = 0;  // when the first connection with the new verdict was begun
  std::int64_t first_done_us = 0;   // when it was accepted; for kBecomesReached only
  std::int64_t attempts = 0;
  std::int64_t before = 0;          // attempts with the old verdict before the change
  std::int64_t contradictions = 0;  // attempts with a verdict that was not to be
};

// Opens new connections on every flow back to back from a thread each, makes the change amid that
// traffic, and goes on until every flow has its new verdict or `timeout` is over, and a while
// longer. A connection is called blocked when nothing has answered for a quarter of a second,
// reached when its SYN was answered.
std::vector<FlowReport> WatchFlows(const std::vector<Flow>& flows,
                                   const std::function<void()>& change,
                                   std::chrono::milliseconds timeout);

}  // namespace felix::demo
