// SPDX-License-Identifier: Apache-2.0
#include "felix/interface_tracker.h"

namespace felix {

void InterfaceTracker::SetSelection(Selection selection) {
  selection_ = std::move(selection);
  for (const auto& [name, indexes] : indexes_) dirty_.insert(name);
}

void InterfaceTracker::Forget(int index, const std::string& name) {
  dirty_.insert(name);
  const auto named = indexes_.find(name);
  named->second.erase(index);
  if (named->second.empty()) indexes_.erase(named);
}

void InterfaceTracker::SetLink(int index, const std::string& name) {
  const auto [link, is_new] = links_.try_emplace(index);
  if (!is_new) {
    if (link->second.name == name) return;
    Forget(index, link->second.name);
  }
  link->second.name = name;
  indexes_[name].insert(index);
  dirty_.insert(name);
}

void InterfaceTracker::RemoveLink(int index) {
  const auto link = links_.find(index);
  if (link == links_.end()) return;
  for (const auto& [address, goes_at] : link->second.addresses) {
    if (goes_at) held_.erase({*goes_at, {index, address}});
  }
  Forget(index, link->second.name);
  links_.erase(link);
}

void InterfaceTracker::AddAddress(int index, const model::IpAddress& address) {
  const auto link = links_.find(index);
  if (link == links_.end()) return;
  const auto [known, is_new] = link->second.addresses.try_emplace(address);
  if (is_new) {
    dirty_.insert(link->second.name);
  } else if (known->second) {
    held_.erase({*known->second, {index, address}});
    known->second.reset();
  }
}

void InterfaceTracker::RemoveAddress(int index, const model::IpAddress& address,
                                     Clock::TimePoint now) {
  const auto link = links_.find(index);
  if (link == links_.end()) return;
  const auto known = link->second.addresses.find(address);
  if (known == link->second.addresses.end() || known->second) return;
  known->second = now + kHold;
  held_.insert({*known->second, {index, address}});
}

void InterfaceTracker::Replace(const Listing& listing, Clock::TimePoint now) {
  std::vector<int> gone;
  for (const auto& [index, link] : links_) {
    if (!listing.links.contains(index)) gone.push_back(index);
  }
  for (const int index : gone) RemoveLink(index);
  for (const auto& [index, name] : listing.links) SetLink(index, name);
  for (const auto& [index, link] : links_) {
    for (const auto& [address, goes_at] : link.addresses) {
      if (!listing.addresses.contains({index, address})) RemoveAddress(index, address, now);
    }
  }
  for (const auto& [index, address] : listing.addresses) AddAddress(index, address);
}

void InterfaceTracker::DropOverdue(Clock::TimePoint now) {
  while (!held_.empty() && held_.begin()->first <= now) {
    const auto [index, address] = held_.begin()->second;
    Link& link = links_.at(index);
    link.addresses.erase(address);
    dirty_.insert(link.name);
    held_.erase(held_.begin());
  }
}

std::optional<model::Interface> InterfaceTracker::InterfaceAt(const std::string& name) const {
  const auto named = indexes_.find(name);
  if (named == indexes_.end() || !selection_.is_reported(name)) return std::nullopt;
  model::Interface interface;
  if (!selection_.has_addresses(name)) return interface;
  for (const auto& [address, goes_at] : links_.at(*named->second.begin()).addresses) {
    interface.addresses.push_back(address);
  }
  return interface;
}

std::vector<model::Update> InterfaceTracker::Take(Clock::TimePoint now) {
  DropOverdue(now);
  std::vector<model::Update> updates;
  for (auto name = dirty_.begin(); name != dirty_.end();) {
    const auto named = indexes_.find(*name);
    if (named != indexes_.end() && named->second.size() > 1) {
      ++name;
      continue;
    }
    const std::optional<model::Interface> interface = InterfaceAt(*name);
    const auto taken = taken_.find(*name);
    if (!interface && taken != taken_.end()) {
      taken_.erase(taken);
      updates.push_back({model::InterfaceId{*name}, std::nullopt});
    } else if (interface && (taken == taken_.end() || taken->second != *interface)) {
      taken_.insert_or_assign(*name, *interface);
      updates.push_back({model::InterfaceId{*name}, *interface});
    }
    name = dirty_.erase(name);
  }
  return updates;
}

std::optional<Clock::TimePoint> InterfaceTracker::NextDue() const {
  if (held_.empty()) return std::nullopt;
  return held_.begin()->first;
}

}  // namespace felix
