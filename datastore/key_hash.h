// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <variant>

#include "absl/hash/hash.h"

#include "model/update.h"

namespace felix::datastore {

// For hash tables by model::Key: the distribution's abseil hashes its own variant, not the
// standard's.
struct KeyHash {
  std::size_t operator()(const model::Key& key) const {
    return std::visit([&key](const auto& id) { return absl::HashOf(key.index(), id); }, key);
  }
};

}  // namespace felix::datastore
