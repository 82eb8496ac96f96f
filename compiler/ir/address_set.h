// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "absl/container/btree_set.h"

#include "model/address.h"
#include "model/port.h"

namespace felix::ir {

// kNet: networks; an address is in the set if any of them contains it. May hold /0 and overlaps.
// kIpPort: (address, protocol, port) triples.
enum class SetKind : std::uint8_t { kNet, kIpPort };

// A member of either kind: kNet leaves protocol and port zero, kIpPort uses host networks.
struct SetMember {
  model::Cidr net;
  model::Protocol protocol;
  std::uint16_t port = 0;

  [[nodiscard]] std::string ToString() const;  // "10.0.0.0/8", "10.0.0.1,tcp:80"
  friend auto operator<=>(const SetMember&, const SetMember&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const SetMember& m) {
    return H::combine(std::move(h), m.net, m.protocol, m.port);
  }
};

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
  absl::btree_set<SetMember> members;

  bool operator==(const AddressSet&) const = default;
};

}  // namespace felix::ir
