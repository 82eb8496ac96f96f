// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "felix/clock.h"
#include "model/address.h"
#include "model/host_endpoint.h"
#include "model/update.h"

namespace felix {

// What the kernel says of its links, by their number, turned into what is known of interfaces, by
// their name. It has no socket and reads no clock. An address that goes stays for kHold, and one
// that is back within that time never went, so that a renewed lease does not shake host endpoints.
// A link that is renamed is two interfaces, one that went and one that came. While two links have
// one name, which happens between two messages of the kernel, nothing new is said of it.
class InterfaceTracker {
 public:
  static constexpr std::chrono::milliseconds kHold{100};

  // Decides by name: whether it is reported, and whether its addresses are.
  struct Selection {
    std::function<bool(const std::string&)> is_reported = [](const std::string&) { return true; };
    std::function<bool(const std::string&)> has_addresses = [](const std::string&) { return true; };
  };
  // One full reading. Addresses of links that are not in it are ignored.
  struct Listing {
    std::map<int, std::string> links;
    std::set<std::pair<int, model::IpAddress>> addresses;
  };

  explicit InterfaceTracker(Selection selection) : selection_(std::move(selection)) {}

  void SetSelection(Selection selection);
  // A link appeared, or has another name.
  void SetLink(int index, const std::string& name);
  void RemoveLink(int index);
  void AddAddress(int index, const model::IpAddress& address);
  void RemoveAddress(int index, const model::IpAddress& address, Clock::TimePoint now);
  // What is missing in the listing goes as if it had been reported: links now, addresses held.
  void Replace(const Listing& listing, Clock::TimePoint now);

  // How the interfaces differ from what was last taken, in the order of their names.
  [[nodiscard]] std::vector<model::Update> Take(Clock::TimePoint now);
  // When an address that is held goes, unless it comes back.
  [[nodiscard]] std::optional<Clock::TimePoint> NextDue() const;

 private:
  struct Link {
    std::string name;
    std::map<model::IpAddress, std::optional<Clock::TimePoint>> addresses;  // and when they go
  };

  void DropOverdue(Clock::TimePoint now);
  void Forget(int index, const std::string& name);
  [[nodiscard]] std::optional<model::Interface> InterfaceAt(const std::string& name) const;

  Selection selection_;
  std::map<int, Link> links_;
  std::map<std::string, std::set<int>> indexes_;  // by name
  std::set<std::pair<Clock::TimePoint, std::pair<int, model::IpAddress>>> held_;
  std::set<std::string> dirty_;
  std::map<std::string, model::Interface> taken_;
};

}  // namespace felix
