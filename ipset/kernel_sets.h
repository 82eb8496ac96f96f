// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/address_set.h"
#include "model/address.h"

namespace felix::ipset {

// "hash:net" or "hash:ip,port".
[[nodiscard]] std::string_view TypeName(ir::SetKind kind);

// The parameters of a set in the kernel.
struct SetHeader {
  std::string name;
  std::string type;                       // as the kernel spells it, known to us or not
  std::optional<model::IpFamily> family;  // none for types without addresses
  std::uint32_t hash_size = 0;            // buckets; grows by itself
  std::uint32_t max_members = 0;
  std::uint32_t references = 0;  // rules and lists that name the set
  // False if the set has an option that changes what it means or costs (timeout, netmask,
  // counters, comments, …): we never create such sets.
  bool plain = true;

  bool operator==(const SetHeader&) const = default;
};

struct SetContent {
  SetHeader header;
  std::vector<ir::SetMember> members;  // sorted; empty if the type is not one of ours
  // Members that an ir::SetMember cannot say, such as a hole (nomatch) in a network.
  std::size_t strange_members = 0;

  bool operator==(const SetContent&) const = default;
};

struct CreateSet {
  std::string name;
  ir::SetKind kind = ir::SetKind::kNet;
  model::IpFamily family = model::IpFamily::kV4;
  std::uint32_t hash_size = 1024;
  std::uint32_t max_members = 65536;
  bool operator==(const CreateSet&) const = default;
};

// Members that are in the set already are no error.
struct AddMembers {
  std::string name;
  ir::SetKind kind = ir::SetKind::kNet;
  model::IpFamily family = model::IpFamily::kV4;
  std::vector<ir::SetMember> members;
  bool operator==(const AddMembers&) const = default;
};

// Members that are not in the set are no error.
struct DeleteMembers {
  std::string name;
  ir::SetKind kind = ir::SetKind::kNet;
  model::IpFamily family = model::IpFamily::kV4;
  std::vector<ir::SetMember> members;
  bool operator==(const DeleteMembers&) const = default;
};

// Exchanges the contents of two sets of one type and family; whoever names one of them goes on
// naming it and sees the other's content from one packet to the next.
struct SwapSets {
  std::string name;
  std::string other;
  bool operator==(const SwapSets&) const = default;
};

struct DestroySet {
  std::string name;
  bool operator==(const DestroySet&) const = default;
};

using Operation = std::variant<CreateSet, AddMembers, DeleteMembers, SwapSets, DestroySet>;

// The operation in the language of `ipset restore`, one line for each member.
[[nodiscard]] std::vector<std::string> ToRestoreLines(const Operation& operation);

// The sets of one network namespace: the port between this folder and the kernel. A call blocks
// until the kernel has answered. One object serves one thread.
//
// Error codes: kNotFound, the set is not there (any more); kAlreadyExists, a set of that name is;
// kResourceExhausted, the set or the table of sets is full; kFailedPrecondition, the set is in use
// or of another type, or the kernel lacks what is asked for; kInvalidArgument, a member or name
// that no set can hold; kPermissionDenied; kUnavailable, the kernel cannot be talked to.
class KernelSets {
 public:
  virtual ~KernelSets() = default;

  // Names of all sets, foreign ones included; sorted.
  virtual absl::StatusOr<std::vector<std::string>> ListNames() = 0;
  // Nothing if there is no set of that name.
  virtual absl::StatusOr<std::optional<SetContent>> Read(const std::string& name) = 0;
  // One after the other, stopping at the first that fails; the status then says which operation,
  // set and member that was. What came before it stays done, members of its own batch included.
  virtual absl::Status Execute(std::span<const Operation> operations) = 0;
};

}  // namespace felix::ipset
