// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include <boost/asio/ip/tcp.hpp>

namespace felix::datastore {

// Finds the addresses of a host. The system's resolver cannot be interrupted and may take half a
// minute when no name server answers, so it works on a thread of its own, which is left to itself
// when the time is over or `interrupted` becomes true (noticed within 20 ms). Addresses need no
// thread. Errors: kUnavailable, kDeadlineExceeded, kCancelled.
[[nodiscard]] absl::StatusOr<std::vector<boost::asio::ip::tcp::endpoint>> ResolveHost(
    const std::string& host, std::uint16_t port, std::chrono::steady_clock::time_point deadline,
    const std::atomic<bool>& interrupted);

}  // namespace felix::datastore
