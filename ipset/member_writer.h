// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "ipset/kernel_sets.h"

struct mnl_socket;
struct nlmsghdr;

namespace felix::ipset {

enum class MemberCommand : std::uint8_t { kAdd, kDelete };

// Adds members to sets and deletes them, in the kernel's own messages
// (linux/netfilter/ipset/ip_set.h). Owns a netlink socket of the namespace it was opened in. It is
// there beside libipset because most of what this program writes is members, and in bulk the
// library takes half as long again as the kernel does alone.
//
// A message holds at most kMembersPerMessage members: the kernel is then through with it, and gives
// its lock away, within some 30 µs. Adding what is there and deleting what is not is no error.
class MemberWriter {
 public:
  static constexpr std::size_t kMembersPerMessage = 100;
  // Stays below the default send buffer; half as many of those with interfaces.
  static constexpr std::size_t kMessagesPerBurst = 32;

  static absl::StatusOr<std::unique_ptr<MemberWriter>> Open();
  ~MemberWriter();
  MemberWriter(const MemberWriter&) = delete;
  MemberWriter& operator=(const MemberWriter&) = delete;

  // Errors are those of KernelSets and name the set, and the member if it is one member's fault.
  absl::Status Write(MemberCommand command, const std::string& name, model::IpFamily family,
                     std::span<const ir::SetMember> members, ir::SetKind kind, Pace pace);
  absl::Status Write(MemberCommand command, const std::string& name, model::IpFamily family,
                     std::span<const InterfaceMember> members, Pace pace);
  // Operations that do nothing but write members, a message each, at most kMessagesPerBurst of
  // them: one call and one answer for all. An error only says that not all is done; writing them
  // one by one tells why.
  static bool CanWriteTogether(const Operation& operation);
  absl::Status WriteTogether(std::span<const Operation> operations);

 private:
  explicit MemberWriter(mnl_socket* socket);

  template <typename Member, typename Encode>
  absl::Status WriteAll(MemberCommand command, const std::string& name, model::IpFamily family,
                        std::span<const Member> members, Pace pace, Encode encode);
  template <typename Member, typename Encode>
  absl::Status BlameMember(MemberCommand command, const std::string& name, model::IpFamily family,
                           std::span<const Member> members, Encode encode);
  template <typename Member, typename Encode>
  void AppendMessage(MemberCommand command, const std::string& name, model::IpFamily family,
                     std::span<const Member> members, Encode encode);
  nlmsghdr* BeginMessage(MemberCommand command, const std::string& name, model::IpFamily family);
  struct Outcome {
    int error = 0;  // errno, or an IPSET_ERR code; that of the first message which failed
    std::size_t message = 0;
  };
  // Sends what was appended and waits for the answers.
  absl::StatusOr<Outcome> Flush();
  [[nodiscard]] std::string What(MemberCommand command, const std::string& name) const;

  mnl_socket* socket_;
  std::uint32_t port_ = 0;
  std::uint32_t sequence_ = 0;
  std::vector<char> out_;
  std::size_t out_size_ = 0;
  std::size_t messages_ = 0;
  nlmsghdr* last_ = nullptr;
};

}  // namespace felix::ipset
