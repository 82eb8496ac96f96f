// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"

#include "compiler/ir/desired_state.h"
#include "compiler/ir/mark_map.h"
#include "ipset/kernel_sets.h"
#include "tests/unit/ipset/set_builders.h"

namespace felix::testing {

inline constexpr std::uint32_t kMask = 0xff;

inline ir::LocalAddress At(std::string interface, std::string_view address) {
  return {std::move(interface), model::IpAddress::Parse(address).value()};
}

struct Element {
  const char* interface;
  const char* address;
  std::uint32_t value;
};

inline ir::MarkMap MapOf(std::initializer_list<Element> elements, std::uint32_t mask = kMask) {
  ir::MarkMap map;
  map.mask = mask;
  for (const Element& element : elements) {
    map.values[At(element.interface, element.address)] = element.value;
  }
  return map;
}

// `count` addresses from 10.0.0.0 on, each at an interface of its own.
inline ir::MarkMap ManyAddresses(std::uint32_t count) {
  ir::MarkMap map;
  map.mask = kMask;
  for (std::uint32_t i = 0; i < count; ++i) {
    map.values[{fmt::format("cali{}", i), model::IpAddress::V4(0x0a000000U + i)}] = i & kMask;
  }
  return map;
}

inline ir::DesiredDelta NewMap(const ir::SetKey& key, const ir::MarkMap& map) {
  ir::DesiredDelta delta;
  delta.new_mark_maps.emplace(key, map);
  return delta;
}

inline ir::DesiredDelta ChangedMap(const ir::SetKey& key, std::initializer_list<Element> set,
                                   std::vector<ir::LocalAddress> removed = {}) {
  ir::DesiredDelta delta;
  ir::MarkChange& change = delta.changed_mark_maps[key];
  for (const Element& element : set) {
    change.set.emplace_back(At(element.interface, element.address), element.value);
  }
  change.removed = std::move(removed);
  return delta;
}

inline ir::DesiredDelta RemovedMap(const ir::SetKey& key) {
  ir::DesiredDelta delta;
  delta.removed_mark_maps.insert(key);
  return delta;
}

// What the kernel should hold for the map, in its order.
inline std::vector<ipset::InterfaceMember> KernelMembersOf(const ir::MarkMap& map) {
  std::vector<ipset::InterfaceMember> members;
  for (const auto& [at, value] : map.values) {
    members.push_back({model::Cidr::Host(at.address), at.interface_name, value, map.mask});
  }
  std::sort(members.begin(), members.end());
  return members;
}

inline ir::LocalAddress RandomAddress(std::mt19937& random) {
  return {fmt::format("cali{}", Below(random, 6)),
          model::IpAddress::V4(0x0a000000U + Below(random, 6))};
}

// Changes one of two maps a little, or as a whole.
inline void Mutate(std::mt19937& random, ir::DesiredState& state) {
  const ir::SetKey key = Key4(Below(random, 2) == 0 ? "e:from" : "e:to");
  const std::uint32_t kind = Below(random, 20);
  if (kind == 0) {
    state.mark_maps.erase(key);
    return;
  }
  ir::MarkMap& map = state.mark_maps[key];
  if (kind == 1 || map.mask == 0) map.mask = Below(random, 2) == 0 ? 0xff : 0xfff;
  if (kind < 8) {
    map.values.erase(RandomAddress(random));
  } else {
    map.values[RandomAddress(random)] = Below(random, 4);
  }
}

}  // namespace felix::testing
