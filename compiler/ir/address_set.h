// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <string>
#include <utility>

#include "compiler/ir/member_set.h"
#include "compiler/ir/set_member.h"
#include "model/address.h"

namespace felix::ir {

// Identity of a set: sets of one id in the two families are separate things. The id is Calico's
// (`s:` or `n:` and a hash); what a back end calls the set is its own business.
struct SetKey {
  model::IpFamily family = model::IpFamily::kV4;
  std::string id;

  friend auto operator<=>(const SetKey&, const SetKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const SetKey& k) {
    return H::combine(std::move(h), k.family, k.id);
  }
};

// All members are of the key's family.
struct AddressSet {
  SetKind kind = SetKind::kNet;
  MemberSet members;

  bool operator==(const AddressSet&) const = default;
};

}  // namespace felix::ir
