// SPDX-License-Identifier: Apache-2.0
#include "compiler/shape_numbers.h"

#include <algorithm>
#include <utility>

#include "model/base/check.h"

namespace felix::compiler {

void ShapeNumbers::Adopt(const NumbersByChain& adopted) {
  FELIX_CHECK(shapes_.empty(), "numbers were given out before old ones were taken over");
  for (const auto& [chain, number] : adopted) {
    if (number >= count_) continue;
    if (reserved_.insert(number).second) {
      adopted_.emplace(chain, number);
    } else {
      // Two chains with one number: whose elements they are is unknown, so nobody gets it.
      std::erase_if(adopted_, [n = number](const auto& entry) { return entry.second == n; });
    }
  }
}

bool ShapeNumbers::IsTaken(std::uint32_t number) const {
  return shapes_.contains(number) || reserved_.contains(number);
}

// The shape that has been without users for longest, of those that no element in the kernel tells.
std::optional<std::uint32_t> ShapeNumbers::Oldest() const {
  std::optional<std::uint32_t> oldest;
  for (const auto& [number, idle] : idle_) {
    if (!IsForgotten(idle)) continue;
    if (!oldest.has_value() || idle.since < idle_.at(*oldest).since) oldest = number;
  }
  return oldest;
}

bool ShapeNumbers::CanAcquire(const Shape& shape) const {
  if (numbers_.contains(shape)) return true;
  // Each number below is taken; nothing is looked at that is not.
  std::uint32_t number = lowest_;
  while (number < count_ && IsTaken(number)) ++number;
  if (number < count_ || Oldest().has_value()) return true;
  return !adopted_.empty() && adopted_.contains(shape.ChainName());
}

std::optional<std::uint32_t> ShapeNumbers::Take(const Shape& shape) {
  if (!adopted_.empty()) {
    const auto adopted = adopted_.find(shape.ChainName());
    if (adopted != adopted_.end()) {
      const std::uint32_t number = adopted->second;
      reserved_.erase(number);
      adopted_.erase(adopted);
      return number;
    }
  }
  while (lowest_ < count_ && IsTaken(lowest_)) ++lowest_;
  if (lowest_ < count_) return lowest_;
  const std::optional<std::uint32_t> oldest = Oldest();
  if (oldest.has_value()) Drop(*oldest);
  return oldest;
}

std::uint32_t ShapeNumbers::Acquire(const Shape& shape) {
  auto known = numbers_.find(shape);
  if (known == numbers_.end()) {
    const std::optional<std::uint32_t> number = Take(shape);
    FELIX_CHECK(number.has_value(), "no number is left for a shape");
    known = numbers_.emplace(shape, *number).first;
    shapes_.emplace(*number, shape);
    change_.came.push_back(shape);
  }
  const std::uint32_t number = known->second;
  if (++users_[number] == 1) idle_.erase(number);
  return number;
}

void ShapeNumbers::Release(std::uint32_t number) {
  const auto users = users_.find(number);
  FELIX_CHECK(users != users_.end() && users->second > 0, "released a number that nobody uses");
  if (--users->second == 0) idle_[number] = {.since = flushes_, .round = round_};
}

void ShapeNumbers::Drop(std::uint32_t number) {
  const auto shape = shapes_.find(number);
  numbers_.erase(shape->second);
  change_.went.push_back(std::move(shape->second));
  shapes_.erase(shape);
  users_.erase(number);
  idle_.erase(number);
  lowest_ = std::min(lowest_, number);
}

std::vector<std::uint32_t> ShapeNumbers::Droppable() const {
  std::vector<std::uint32_t> numbers;
  for (const auto& [number, idle] : idle_) {
    if (IsForgotten(idle)) numbers.push_back(number);
  }
  return numbers;
}

ShapeNumbers::Change ShapeNumbers::Flush() {
  while (idle_.size() > kMaxIdle) {
    const std::optional<std::uint32_t> oldest = Oldest();
    if (!oldest.has_value()) break;
    Drop(*oldest);
  }
  if (std::exchange(dropping_, false)) {
    std::vector<std::uint32_t> old;
    for (const auto& [number, idle] : idle_) {
      if (IsForgotten(idle) && idle.round + 1 < round_) old.push_back(number);
    }
    for (const std::uint32_t number : old) Drop(number);
  }
  ++flushes_;
  return std::exchange(change_, {});
}

void ShapeNumbers::SetAliases(std::map<std::uint32_t, Shape> aliases) {
  for (const auto& [number, shape] : aliases) {
    FELIX_CHECK(reserved_.contains(number), "a number that somebody has cannot be an alias");
  }
  aliases_ = std::move(aliases);
}

bool ShapeNumbers::OnApplied() {
  applied_ = flushes_;
  if (flushes_ == 0 || reserved_.empty()) return false;
  lowest_ = std::min(lowest_, *reserved_.begin());
  reserved_.clear();
  adopted_.clear();
  return !std::exchange(aliases_, {}).empty();
}

void ShapeNumbers::DropIdle() {
  ++round_;
  dropping_ = true;
}

NumbersByChain ShapeNumbers::ByChain() const {
  NumbersByChain numbers = adopted_;
  for (const auto& [number, shape] : shapes_) numbers[shape.ChainName()] = number;
  return numbers;
}

}  // namespace felix::compiler
