// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <utility>

#include "absl/container/btree_set.h"

#include "compiler/ir/desired_state.h"
#include "model/address.h"

namespace felix {

// Addresses that left the interface of their container, or went to another one, and whose
// connections the kernel still knows. Who gets such an address next must not inherit what its
// former owner was allowed. An address that is back at its interface before anything was applied
// never left.
class Departures {
 public:
  void Stage(const ir::DesiredDelta& delta) {
    for (const ir::LocalAddress& gone : delta.removed_local_addresses) left_.insert(gone);
    for (const ir::LocalAddress& here : delta.new_local_addresses) {
      left_.erase(here);
      came_.insert(here.address);
    }
  }

  // True if an address that left has come to another interface since the last call.
  [[nodiscard]] bool TakeReturns() {
    const auto came = std::exchange(came_, {});
    const auto is_back = [&](const model::IpAddress& address) { return came.contains(address); };
    return std::any_of(addresses_.begin(), addresses_.end(), is_back) ||
           std::any_of(left_.begin(), left_.end(),
                       [&](const ir::LocalAddress& gone) { return is_back(gone.address); });
  }
  [[nodiscard]] bool empty() const { return left_.empty() && addresses_.empty(); }

  // Those of a family. They are kept until Forget.
  [[nodiscard]] absl::btree_set<model::IpAddress> Of(model::IpFamily family) {
    for (const ir::LocalAddress& gone : left_) addresses_.insert(gone.address);
    left_.clear();
    absl::btree_set<model::IpAddress> of_family;
    for (const model::IpAddress& address : addresses_) {
      if (address.family() == family) of_family.insert(address);
    }
    return of_family;
  }
  void Forget(const absl::btree_set<model::IpAddress>& addresses) {
    for (const model::IpAddress& address : addresses) addresses_.erase(address);
  }

 private:
  absl::btree_set<ir::LocalAddress> left_;       // since the last apply
  absl::btree_set<model::IpAddress> came_;       // since the last TakeReturns
  absl::btree_set<model::IpAddress> addresses_;  // whose turn has come
};

}  // namespace felix
