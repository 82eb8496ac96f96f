// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/address_set.h"
#include "compiler/ir/desired_state.h"
#include "ipset/kernel_sets.h"
#include "ipset/registry.h"
#include "model/address.h"
#include "model/port.h"

namespace felix::testing {

inline ir::SetMember Net(std::string_view text) {
  return ir::SetMember{model::Cidr::Parse(text).value(), {}, 0};
}

inline ir::SetMember Port(std::string_view address, model::Protocol protocol, std::uint16_t port) {
  return ir::SetMember{model::Cidr::Parse(address).value(), protocol, port};
}

inline std::vector<ir::SetMember> Nets(std::initializer_list<std::string_view> texts) {
  std::vector<ir::SetMember> members;
  for (const std::string_view text : texts) members.push_back(Net(text));
  return members;
}

inline ir::AddressSet NetSet(std::initializer_list<std::string_view> texts) {
  ir::AddressSet set;
  for (const std::string_view text : texts) set.members.insert(Net(text));
  return set;
}

// `count` different host addresses from 10.0.0.0 on.
inline ir::AddressSet ManyHosts(std::uint32_t count, std::uint32_t first = 0x0a000000U) {
  ir::AddressSet set;
  for (std::uint32_t i = 0; i < count; ++i) {
    set.members.insert(set.members.end(),
                       ir::SetMember{model::Cidr::Host(model::IpAddress::V4(first + i)), {}, 0});
  }
  return set;
}

// A number below `bound`, the same for the same seed on every machine.
inline std::uint32_t Below(std::mt19937& random, std::uint32_t bound) {
  return static_cast<std::uint32_t>(random() % bound);
}

inline ir::SetKey Key4(std::string id) {
  return {model::IpFamily::kV4, std::move(id)};
}
inline ir::SetKey Key6(std::string id) {
  return {model::IpFamily::kV6, std::move(id)};
}

inline ir::DesiredDelta NewSet(const ir::SetKey& key, const ir::AddressSet& set) {
  ir::DesiredDelta delta;
  delta.new_sets.emplace(key, set);
  return delta;
}

inline ir::DesiredDelta ChangedSet(const ir::SetKey& key, std::vector<ir::SetMember> added,
                                   std::vector<ir::SetMember> removed) {
  ir::DesiredDelta delta;
  delta.changed_sets.emplace(key, ir::MemberChange{std::move(added), std::move(removed)});
  return delta;
}

inline ir::DesiredDelta RemovedSet(const ir::SetKey& key) {
  ir::DesiredDelta delta;
  delta.removed_sets.insert(key);
  return delta;
}

// What the kernel would say of a set of ours with these members.
inline ipset::SetContent Content(std::string name, const ir::AddressSet& set,
                                 model::IpFamily family = model::IpFamily::kV4,
                                 std::uint32_t max_members = 1048576) {
  ipset::SetContent content;
  content.header.name = std::move(name);
  content.header.type = std::string(ipset::TypeName(set.kind));
  content.header.family = family;
  content.header.hash_size = 1024;
  content.header.max_members = max_members;
  content.header.size = static_cast<std::uint32_t>(set.members.size());
  content.members.assign(set.members.begin(), set.members.end());
  return content;
}

}  // namespace felix::testing
