// SPDX-License-Identifier: Apache-2.0
#include "compiler/key_numbers.h"

#include <cstring>

namespace felix::compiler {

namespace {

constexpr std::uint8_t kLong = 0xff;  // four more bytes have the length

}  // namespace

std::string_view KeyNumbers::TextOf(const Key& key) {
  const auto size = static_cast<std::uint8_t>(key[0]);
  if (size != kLong) return {key.get() + 1, size};
  std::uint32_t long_size = 0;
  std::memcpy(&long_size, key.get() + 1, sizeof long_size);
  return {key.get() + 1 + sizeof long_size, long_size};
}

KeyNumbers::Key KeyNumbers::Keep(std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  const std::size_t head = size < kLong ? 1 : 1 + sizeof size;
  Key key(new char[head + size]);
  key[0] = static_cast<char>(size < kLong ? size : kLong);
  if (size >= kLong) std::memcpy(key.get() + 1, &size, sizeof size);
  std::memcpy(key.get() + head, text.data(), size);
  return key;
}

std::pair<KeyNumbers::Number, bool> KeyNumbers::Take(std::string_view key) {
  if (const auto found = numbers_.find(key); found != numbers_.end()) return {*found, false};
  Number number = 0;
  if (free_.empty()) {
    number = static_cast<Number>(keys_.size());
    keys_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  keys_[number] = Keep(key);
  numbers_.insert(number);
  return {number, true};
}

std::optional<KeyNumbers::Number> KeyNumbers::Find(std::string_view key) const {
  const auto found = numbers_.find(key);
  if (found == numbers_.end()) return std::nullopt;
  return *found;
}

void KeyNumbers::Release(Number number) {
  numbers_.erase(number);
  keys_[number].reset();
  free_.push_back(number);
}

}  // namespace felix::compiler
