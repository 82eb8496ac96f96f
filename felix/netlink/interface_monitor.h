// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "felix/clock.h"
#include "felix/interface_patterns.h"
#include "felix/interface_tracker.h"
#include "felix/netlink/socket.h"
#include "model/update.h"

namespace felix::netlink {

// Follows the interfaces of this host and their addresses: subscribes, then lists everything, then
// hears of changes; lists anew at an interval and whenever messages were lost. It has no thread:
// its descriptor is waited for by whoever reads it, in the network namespace of that thread.
// Interfaces of workloads are not reported. After an error what was read stays, and all of it is
// tried again after kRetryAfter.
class InterfaceMonitor {
 public:
  static constexpr std::chrono::seconds kRetryAfter{1};

  struct Options {
    std::vector<std::string> workload_prefixes;
    std::string exclude;  // InterfacePatterns whose addresses do not count; valid
    std::chrono::microseconds refresh_interval{};  // zero: never
    bool operator==(const Options&) const = default;
  };

  InterfaceMonitor(const Clock& clock, Options options);

  void SetOptions(const Options& options);
  // Lists anew at the next Read.
  void Resync() { listing_wanted_ = true; }

  // What changed, in the order of the names. Does not wait for changes.
  [[nodiscard]] std::vector<model::Update> Read();
  // When Read has something to do without a message.
  [[nodiscard]] std::optional<Clock::TimePoint> NextDue() const;
  // For poll(2); negative while there is none.
  [[nodiscard]] int fd() const { return events_ == nullptr ? -1 : events_->fd(); }
  // Whether there was a complete listing at any time.
  [[nodiscard]] bool in_sync() const { return in_sync_; }
  // Of the last attempt.
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  [[nodiscard]] static InterfaceTracker::Selection SelectionOf(const Options& options);
  void Hear(const nlmsghdr& message);
  absl::Status Follow();
  absl::Status List();
  [[nodiscard]] bool IsListingDue() const;

  const Clock& clock_;
  Options options_;
  InterfaceTracker tracker_;
  std::unique_ptr<Socket> events_;
  std::unique_ptr<Socket> listings_;
  bool listing_wanted_ = true;
  bool in_sync_ = false;
  absl::Status status_;
  Clock::TimePoint last_attempt_;
};

}  // namespace felix::netlink
