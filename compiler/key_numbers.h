// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"

namespace felix::compiler {

// Gives each key, as packed bytes, a small number, so that a pass holds the key once and numbers
// everywhere else. Numbers are reused after release.
class KeyNumbers {
 public:
  using Number = std::uint32_t;

  KeyNumbers() : numbers_(0, Hash{&keys_}, Equal{&keys_}) {}
  KeyNumbers(const KeyNumbers&) = delete;
  KeyNumbers& operator=(const KeyNumbers&) = delete;

  // The key's number, and whether the key is new.
  std::pair<Number, bool> Take(std::string_view key);
  [[nodiscard]] std::optional<Number> Find(std::string_view key) const;
  void Release(Number number);
  [[nodiscard]] std::string_view KeyOf(Number number) const { return TextOf(keys_[number]); }

 private:
  using Key = std::unique_ptr<char[]>;  // one byte, or five, say how many follow

  static std::string_view TextOf(const Key& key);
  static Key Keep(std::string_view text);

  struct Hash {
    using is_transparent = void;
    const std::vector<Key>* keys;
    std::size_t operator()(std::string_view key) const { return absl::HashOf(key); }
    std::size_t operator()(Number number) const { return (*this)(TextOf((*keys)[number])); }
  };
  struct Equal {
    using is_transparent = void;
    const std::vector<Key>* keys;
    bool operator()(Number a, Number b) const { return a == b; }
    bool operator()(Number a, std::string_view b) const { return TextOf((*keys)[a]) == b; }
  };

  std::vector<Key> keys_;
  std::vector<Number> free_;
  absl::flat_hash_set<Number, Hash, Equal> numbers_;
};

}  // namespace felix::compiler
