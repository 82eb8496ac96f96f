// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/address_set.h"
#include "iptables/encoded_rule.h"

namespace felix::iptables {

// Asks the kernel for the numbers by which rules name sets: getsockopt(SO_IP_SET) with
// IP_SET_OP_GET_BYNAME (<linux/netfilter/ipset/ip_set.h>). Owns a raw socket, opened at the first
// question; it speaks of the network namespace that the asking thread was in then. Not safe for
// several threads at a time.
class SetIndexes {
 public:
  SetIndexes() = default;
  ~SetIndexes();
  SetIndexes(const SetIndexes&) = delete;
  SetIndexes& operator=(const SetIndexes&) = delete;

  // Errors: kNotFound, no set of that name; kFailedPrecondition, the kernel has no ip_set;
  // kPermissionDenied.
  absl::StatusOr<std::uint16_t> Find(std::string_view name);
  // The name of a set; kNotFound as above.
  absl::StatusOr<std::string> NameOf(std::uint16_t index);

  // Finds sets by their keys; `name_of` says what the kernel calls them. Borrows this object.
  SetIndexResolver Resolver(std::function<std::string(const ir::SetKey&)> name_of);

 private:
  absl::Status Open();

  int socket_ = -1;
  unsigned version_ = 0;  // of the kernel's protocol, to be sent with each question
};

}  // namespace felix::iptables
