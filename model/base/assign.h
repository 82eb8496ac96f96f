// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace felix::model {

// Makes the map hold `value` under `key`, or nothing if it is null. Returns whether that changed
// the map.
template <typename Map>
bool Assign(Map& map, const typename Map::key_type& key, const typename Map::mapped_type* value) {
  if (value == nullptr) return map.erase(key) > 0;
  const auto [it, inserted] = map.try_emplace(key, *value);
  if (inserted) return true;
  if (it->second == *value) return false;
  it->second = *value;
  return true;
}

}  // namespace felix::model
