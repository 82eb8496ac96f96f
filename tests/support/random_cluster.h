// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compiler/options.h"
#include "model/store.h"
#include "model/update.h"
#include "tests/support/random.h"

namespace felix::testing {

// How large the alphabets are from which ids, labels and addresses are drawn.
enum class ClusterSize : std::uint8_t { kTiny, kSmall, kMedium };

// A cluster that changes at random, a few resources at a time: a seed is a whole history, the same
// one on every platform. All that can be said of a workload is said in it sooner or later, and of a
// host endpoint: tiers that policies name but nobody made, ties in order, staged and broken
// policies, profiles nobody knows, addresses and interfaces claimed twice, networks that overlap or
// hold everything, updates that change nothing and removals of what was never there. The alphabets
// are small, so that things meet. The host of interest is kThisHost of builders.h; interfaces of
// workloads begin with "cali" or "tap", and a few with neither. Every value is one that validation
// would let through.
class RandomCluster {
 public:
  explicit RandomCluster(std::uint64_t seed, ClusterSize size = ClusterSize::kSmall);

  // The next batch of changes, already applied to store(); no key occurs twice in it.
  std::vector<model::Update> Mutate();
  [[nodiscard]] const model::Store& store() const { return store_; }

 private:
  model::Key PickKey();
  std::optional<model::Resource> Change(const model::Key& key);

  Random random_;
  ClusterSize size_;
  model::Store store_;
};

// Options of kThisHost, each at its default more often than not. `interface_prefixes` is "cali" or
// "cali" and "tap".
[[nodiscard]] compiler::Options RandomOptions(std::uint64_t seed);

// The first state of a cluster of that size: `local` of the endpoints are on kThisHost, policies
// spread over two tiers and select by labels as a real cluster's would. Linear in time and memory.
[[nodiscard]] std::vector<model::Update> GenerateSnapshot(std::uint64_t seed, std::size_t endpoints,
                                                          std::size_t policies, std::size_t local);

}  // namespace felix::testing
