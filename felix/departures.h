// SPDX-License-Identifier: Apache-2.0
#pragma once

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
    for (const ir::LocalAddress& here : delta.new_local_addresses) left_.erase(here);
  }

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
  absl::btree_set<model::IpAddress> addresses_;  // whose turn has come
};

}  // namespace felix
