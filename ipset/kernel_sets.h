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
#include "ipset/interface_member.h"
#include "model/address.h"

namespace felix::ipset {

// "hash:net" or "hash:ip,port".
[[nodiscard]] std::string_view TypeName(ir::SetKind kind);
inline constexpr std::string_view kInterfaceTypeName = "hash:net,iface";

// The parameters of a set in the kernel.
struct SetHeader {
  std::string name;
  std::string type;                       // as the kernel spells it, known to us or not
  std::optional<model::IpFamily> family;  // none for types without addresses
  std::uint32_t hash_size = 0;            // buckets; grows by itself
  std::uint32_t max_members = 0;
  std::uint32_t references = 0;  // rules and lists that name the set
  std::uint32_t size = 0;        // members
  bool has_marks = false;        // members carry marks (skbinfo)
  bool has_counters = false;     // members count what they were found for
  // False if the set lacks or has an option that changes what it means or costs (timeout, netmask,
  // comments, marks and counters where we have none, or none where we have them, …): we never
  // create such sets.
  bool plain = true;

  bool operator==(const SetHeader&) const = default;
};

struct SetContent {
  SetHeader header;
  std::vector<ir::SetMember> members;  // sorted; empty if the type is not one of ours
  // Members that an ir::SetMember cannot say, such as a hole (nomatch) in a network.
  std::size_t strange_members = 0;
  std::vector<InterfaceMember> interface_members;  // of hash:net,iface instead of `members`; sorted

  bool operator==(const SetContent&) const = default;
};

// A part of a set's members, in the kernel's order; a member may come twice.
struct Portion {
  std::vector<ir::SetMember> members;
  std::size_t strange_members = 0;
  bool first = false;
  bool last = false;
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

// A set of type hash:net,iface with marks and counters.
struct CreateInterfaceSet {
  std::string name;
  model::IpFamily family = model::IpFamily::kV4;
  std::uint32_t hash_size = 1024;
  std::uint32_t max_members = 65536;
  bool operator==(const CreateInterfaceSet&) const = default;
};

// A member that is there already takes the new mark, and keeps its counters unless new ones come.
struct AddInterfaceMembers {
  std::string name;
  model::IpFamily family = model::IpFamily::kV4;
  std::vector<InterfaceMember> members;
  bool operator==(const AddInterfaceMembers&) const = default;
};

// Marks do not matter.
struct DeleteInterfaceMembers {
  std::string name;
  model::IpFamily family = model::IpFamily::kV4;
  std::vector<InterfaceMember> members;
  bool operator==(const DeleteInterfaceMembers&) const = default;
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

using Operation = std::variant<CreateSet, AddMembers, DeleteMembers, CreateInterfaceSet,
                               AddInterfaceMembers, DeleteInterfaceMembers, SwapSets, DestroySet>;

// The operation in the language of `ipset restore`, one line for each member.
[[nodiscard]] std::vector<std::string> ToRestoreLines(const Operation& operation);

// How members are sent. The kernel holds one lock, for all namespaces, while it works on a message,
// and the commit of a table needs that lock once for each rule that names a set.
enum class Pace : std::uint8_t {
  kBulk,   // many messages at once
  kShort,  // one message at a time, with a chance for others in between
};

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
  // set and member that was. What came before it stays done, members of its own batch included;
  // members of that batch that come later may be done too, and so may operations right behind it
  // that do nothing but write members.
  virtual absl::Status Execute(std::span<const Operation> operations) = 0;
  // Of all later calls of Execute; kBulk at first.
  virtual void SetPace(Pace pace) = 0;

  // Parameters and sizes of all sets, foreign ones included; sorted by name.
  virtual absl::StatusOr<std::vector<SetHeader>> ListHeaders() = 0;
  // The next members of a set, for a reader who has no time for all of them at once; begins with
  // the first ones if the last call was for another set, failed, or brought the last ones. A change
  // in between may or may not show. Reading is given up when Execute swaps or destroys the set,
  // which the kernel refuses for a set that is being read. Errors: kNotFound.
  virtual absl::StatusOr<Portion> ReadPortion(const std::string& name) = 0;
  // Gives up reading in portions.
  virtual void EndPortions() = 0;
};

}  // namespace felix::ipset
