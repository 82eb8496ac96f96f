// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace felix {

// What one apply did to the kernel, and what it could not do.
struct ApplyReport {
  struct Failure {
    std::string what;  // "writing the ipv4 filter table"
    absl::Status status;
  };

  // A chain that drops everything, since its rules cannot be in the kernel.
  struct ClosedChain {
    std::string table;  // "ipv4 filter"
    std::string chain;
    std::string owner;  // "gnp/x", or the chain itself
    std::string reason;
    bool operator==(const ClosedChain&) const = default;
  };

  std::uint64_t sets_created = 0;
  std::uint64_t sets_destroyed = 0;
  std::uint64_t sets_swapped = 0;  // replaced as a whole
  std::uint64_t members_added = 0;
  std::uint64_t members_removed = 0;
  std::uint64_t destroys_refused = 0;  // something of others still names the set
  std::uint64_t chains_created = 0;
  std::uint64_t chains_deleted = 0;
  std::uint64_t rules_written = 0;
  std::uint64_t rules_deleted = 0;
  std::uint64_t flows_removed = 0;  // connections of addresses that left
  std::uint64_t commits = 0;        // tables written
  // What others had changed and was undone: "ipv4 filter: chain cali-x was deleted".
  std::vector<std::string> drift;
  std::chrono::microseconds sets_time{};
  std::chrono::microseconds tables_time{};

  // What others did to our sets: "set cali40s:a: 3 members instead of 5".
  std::vector<std::string> damage;

  // What is left undone, to be tried again.
  std::vector<Failure> failures;
  int tables_applied = 0;           // written, or found to be as desired
  int waiting = 0;                  // tables left alone since they name a set that failed
  int locked_out = 0;               // failures only for a lock that another program holds
  int hard_failures = 0;            // failures that are neither a lock's nor one object's
  std::vector<ClosedChain> closed;  // all that are closed now; by table and name
  bool unfinished = false;          // there was more to do than one apply does
  // What can wait is to be done by an apply after that time at the latest.
  std::optional<std::chrono::microseconds> due_in;

  [[nodiscard]] bool ok() const { return failures.empty() && waiting == 0; }
  // All tables are as wanted; at most single objects are not.
  [[nodiscard]] bool is_in_force() const {
    return hard_failures == 0 && locked_out == 0 && waiting == 0;
  }
  [[nodiscard]] bool only_locked_out() const {
    return locked_out != 0 && waiting == 0 &&
           failures.size() == static_cast<std::size_t>(locked_out);
  }
  [[nodiscard]] bool wrote() const {
    return sets_created + sets_destroyed + sets_swapped + members_added + members_removed +
               commits !=
           0;
  }
};

}  // namespace felix
