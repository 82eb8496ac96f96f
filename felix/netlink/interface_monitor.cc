// SPDX-License-Identifier: Apache-2.0
#include "felix/netlink/interface_monitor.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "libmnl/libmnl.h"

#include "felix/netlink/route_messages.h"
#include "model/base/status_macros.h"

namespace felix::netlink {

InterfaceMonitor::InterfaceMonitor(const Clock& clock, Options options)
    : clock_(clock), options_(std::move(options)), tracker_(SelectionOf(options_)) {}

InterfaceTracker::Selection InterfaceMonitor::SelectionOf(const Options& options) {
  InterfaceTracker::Selection selection;
  selection.is_reported = [prefixes = options.workload_prefixes](const std::string& name) {
    return std::none_of(prefixes.begin(), prefixes.end(),
                        [&](const std::string& prefix) { return name.starts_with(prefix); });
  };
  absl::StatusOr<InterfacePatterns> exclude = InterfacePatterns::Parse(options.exclude);
  if (exclude.ok()) {
    selection.has_addresses = [patterns = *std::move(exclude)](const std::string& name) {
      return !patterns.Matches(name);
    };
  }
  return selection;
}

void InterfaceMonitor::SetOptions(const Options& options) {
  if (options == options_) return;
  options_ = options;
  tracker_.SetSelection(SelectionOf(options_));
}

void InterfaceMonitor::Hear(const nlmsghdr& message) {
  if (const auto link = DecodeLink(message)) {
    if (message.nlmsg_type == RTM_NEWLINK) {
      tracker_.SetLink(link->link, link->name);
    } else {
      tracker_.RemoveLink(link->link);
    }
  } else if (const auto local = DecodeLocalRoute(message)) {
    if (message.nlmsg_type == RTM_NEWROUTE) {
      tracker_.AddAddress(local->link, local->address);
    } else {
      tracker_.RemoveAddress(local->link, local->address, clock_.Now());
    }
  }
}

bool InterfaceMonitor::IsListingDue() const {
  const Clock::TimePoint now = clock_.Now();
  if (!status_.ok()) return now >= last_attempt_ + kRetryAfter;
  if (listing_wanted_) return true;
  return options_.refresh_interval.count() != 0 && now >= last_attempt_ + options_.refresh_interval;
}

absl::Status InterfaceMonitor::Follow() {
  if (events_ == nullptr) {
    FELIX_ASSIGN_OR_RETURN(events_, Socket::Open(NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE,
                                                                 RTNLGRP_IPV6_ROUTE}));
  }
  absl::Status status = events_->Receive("following the interfaces",
                                         [this](const nlmsghdr& message) { Hear(message); });
  if (!absl::IsResourceExhausted(status)) return status;
  // Messages were lost; those that are left are still in order.
  listing_wanted_ = true;
  return absl::OkStatus();
}

absl::Status InterfaceMonitor::List() {
  if (listings_ == nullptr) {
    FELIX_ASSIGN_OR_RETURN(listings_, Socket::Open(NETLINK_ROUTE));
    listings_->AskForStrictFilters();
  }
  FELIX_ASSIGN_OR_RETURN(const InterfaceTracker::Listing listing, ListInterfaces(*listings_));
  tracker_.Replace(listing, clock_.Now());
  listing_wanted_ = false;
  in_sync_ = true;
  return absl::OkStatus();
}

std::vector<model::Update> InterfaceMonitor::Read() {
  if (events_ != nullptr) {
    if (absl::Status status = Follow(); !status.ok()) {
      status_ = std::move(status);
      last_attempt_ = clock_.Now();
      events_.reset();
    }
  }
  if (IsListingDue()) {
    last_attempt_ = clock_.Now();
    // Subscribed first and read once more afterwards, so that no change falls in between.
    status_ = Follow();
    if (status_.ok()) status_ = List();
    if (status_.ok()) status_ = Follow();
    if (!status_.ok()) {
      listing_wanted_ = true;
      events_.reset();
      listings_.reset();
    }
  }
  // Half a reading would look like interfaces without addresses.
  return in_sync_ ? tracker_.Take(clock_.Now()) : std::vector<model::Update>();
}

std::optional<Clock::TimePoint> InterfaceMonitor::NextDue() const {
  std::optional<Clock::TimePoint> due = in_sync_ ? tracker_.NextDue() : std::nullopt;
  std::optional<Clock::TimePoint> listing;
  if (!status_.ok()) {
    listing = last_attempt_ + kRetryAfter;
  } else if (listing_wanted_) {
    listing = clock_.Now();
  } else if (options_.refresh_interval.count() != 0) {
    listing = last_attempt_ + options_.refresh_interval;
  }
  if (!due || (listing && *listing < *due)) due = listing;
  return due;
}

}  // namespace felix::netlink
