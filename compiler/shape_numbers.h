// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

#include "compiler/fault.h"
#include "compiler/ir/mark_map.h"
#include "compiler/shape.h"

namespace felix::compiler {

// Numbers by the name of the shape's chain: what a kernel holds, or an earlier object gave out.
using NumbersByChain = std::map<std::string, std::uint32_t>;

// What an earlier process left in the kernel, of one direction: which chain each number leads to,
// and which number each element bears.
struct AdoptedNumbers {
  NumbersByChain by_chain;
  std::map<ir::LocalAddress, std::uint32_t> elements;
};

// The numbers by which elements tell the shapes of one direction. A number means one shape for as
// long as anything that bears it may be in the kernel: it is given to another one only after
// OnApplied has said that the kernel holds what was flushed since its last user went. Shapes
// without users keep their number for a while, since the next container is likely to be of a kind
// that was here before. Which shape has which number depends on what happened; everything else that
// is emitted does not.
class ShapeNumbers {
 public:
  // Shapes without users that are kept at most.
  static constexpr std::size_t kMaxIdle = 32;

  // `count` numbers, from 0 on.
  explicit ShapeNumbers(std::uint32_t count) : count_(count) {}

  // These are given to no other shape until OnApplied. Only before the first Acquire.
  void Adopt(const NumbersByChain& adopted);
  // Until OnApplied these numbers, which were adopted but are no shape's, mean the given shapes:
  // all elements that bear one of them are about to bear the number of that shape instead.
  void SetAliases(std::map<std::uint32_t, Shape> aliases);
  [[nodiscard]] bool IsReserved(std::uint32_t number) const { return reserved_.contains(number); }

  // One more or one less container uses the shape. Precondition of the former: CanAcquire.
  [[nodiscard]] bool CanAcquire(const Shape& shape) const;
  [[nodiscard]] bool Has(const Shape& shape) const { return numbers_.contains(shape); }
  std::uint32_t Acquire(const Shape& shape);
  void Release(std::uint32_t number);

  // Gives up idle shapes beyond kMaxIdle, and what DropIdle asked for. What came with the calls
  // since the last Flush, and what went; a shape may be in both.
  struct Change {
    std::vector<Shape> came;
    std::vector<Shape> went;
    bool empty() const { return came.empty() && went.empty(); }
  };
  Change Flush();

  // The kernel holds all that was flushed. True if there were aliases until now.
  bool OnApplied();
  // Shapes without users that no element in the kernel tells.
  [[nodiscard]] std::vector<std::uint32_t> Droppable() const;
  // The next Flush gives up this one of them.
  void Drop(std::uint32_t number);
  // The next Flush gives up what was without users already at the last call of DropIdle.
  void DropIdle();

  // All shapes that have a number, those without users included.
  [[nodiscard]] const std::map<std::uint32_t, Shape>& shapes() const { return shapes_; }
  [[nodiscard]] const std::map<std::uint32_t, Shape>& aliases() const { return aliases_; }
  [[nodiscard]] std::size_t idle() const { return idle_.size(); }
  [[nodiscard]] std::uint32_t count() const { return count_; }
  // For an object that is to go on where this one ends.
  [[nodiscard]] NumbersByChain ByChain() const;

 private:
  struct Idle {
    std::uint64_t since = 0;  // flushes before it
    std::uint64_t round = 0;  // of DropIdle
  };

  [[nodiscard]] bool IsTaken(std::uint32_t number) const;
  [[nodiscard]] bool IsForgotten(const Idle& idle) const {
    return idle.since < applied_ || IsPlanted(Fault::kNumberReusedAtOnce);
  }
  [[nodiscard]] std::optional<std::uint32_t> Oldest() const;
  std::optional<std::uint32_t> Take(const Shape& shape);

  const std::uint32_t count_;
  NumbersByChain adopted_;
  absl::btree_set<std::uint32_t> reserved_;  // the numbers in it
  std::map<std::uint32_t, Shape> shapes_;
  std::map<std::uint32_t, Shape> aliases_;
  absl::btree_map<Shape, std::uint32_t> numbers_;
  absl::btree_map<std::uint32_t, std::uint32_t> users_;
  absl::btree_map<std::uint32_t, Idle> idle_;  // by number
  std::uint32_t lowest_ = 0;                   // no free number is lower
  std::uint64_t flushes_ = 0;
  std::uint64_t applied_ = 0;  // flushes that the kernel holds
  std::uint64_t round_ = 0;
  bool dropping_ = false;
  Change change_;
};

}  // namespace felix::compiler
