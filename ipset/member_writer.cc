// SPDX-License-Identifier: Apache-2.0
#include "ipset/member_writer.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <type_traits>
#include <utility>

#include "fmt/format.h"
#include "libmnl/libmnl.h"

#include "ipset/netlink_attributes.h"
#include "ipset/netlink_error.h"
#include "model/base/check.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::ipset {
namespace {

// Larger than any message: header, set's name, and members of 92 bytes with their interfaces.
constexpr std::size_t kMaxMessage = 256 + MemberWriter::kMembersPerMessage * 96;

void PutAddress(nlmsghdr* message, const model::IpAddress& address) {
  nlattr* nest = mnl_attr_nest_start(message, IPSET_ATTR_IP);
  const auto bytes = address.bytes();
  const int type = bytes.size() == 4 ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6;
  mnl_attr_put(message, static_cast<std::uint16_t>(type | NLA_F_NET_BYTEORDER), bytes.size(),
               bytes.data());
  mnl_attr_nest_end(message, nest);
}

void PutPrefix(nlmsghdr* message, const model::Cidr& net) {
  PutAddress(message, net.address());
  mnl_attr_put_u8(message, IPSET_ATTR_CIDR, static_cast<std::uint8_t>(net.prefix_length()));
}

void PutU64(nlmsghdr* message, int type, std::uint64_t value) {
  const std::uint64_t ordered = htobe64(value);
  mnl_attr_put(message, static_cast<std::uint16_t>(type | NLA_F_NET_BYTEORDER), sizeof(ordered),
               &ordered);
}

void EncodeNet(nlmsghdr* message, const ir::SetMember& member) {
  PutPrefix(message, member.net);
}

void EncodePort(nlmsghdr* message, const ir::SetMember& member) {
  PutAddress(message, member.net.address());
  mnl_attr_put_u16(message, IPSET_ATTR_PORT | NLA_F_NET_BYTEORDER, htons(member.port));
  mnl_attr_put_u8(message, IPSET_ATTR_PROTO, member.protocol.number);
}

// What an element is, and what its rules do with it if it is to come.
void EncodeInterface(nlmsghdr* message, const InterfaceMember& member, MemberCommand command) {
  PutPrefix(message, member.net);
  mnl_attr_put_strz(message, IPSET_ATTR_IFACE, member.interface.c_str());
  if (command == MemberCommand::kDelete) return;
  PutU64(message, IPSET_ATTR_SKBMARK, (std::uint64_t{member.mark} << 32U) | member.mask);
  if (!member.counters.has_value()) return;
  PutU64(message, IPSET_ATTR_PACKETS, member.counters->packets);
  PutU64(message, IPSET_ATTR_BYTES, member.counters->bytes);
}

// IFNAMSIZ, the final zero included; the kernel cuts nothing, it refuses without saying why.
bool IsInterfaceName(const std::string& name) {
  return !name.empty() && name.size() <= 15;
}

template <typename T>
constexpr bool kWritesMembers = std::is_same_v<T, AddMembers> || std::is_same_v<T, DeleteMembers>;
template <typename T>
constexpr bool kWritesInterfaceMembers =
    std::is_same_v<T, AddInterfaceMembers> || std::is_same_v<T, DeleteInterfaceMembers>;

}  // namespace

absl::StatusOr<std::unique_ptr<MemberWriter>> MemberWriter::Open() {
  FELIX_ASSIGN_OR_RETURN(mnl_socket* const socket, OpenNetfilterSocket());
  // Without it an error would bring its whole request back.
  int on = 1;
  mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof(on));
  return std::unique_ptr<MemberWriter>(new MemberWriter(socket));
}

MemberWriter::MemberWriter(mnl_socket* socket)
    : socket_(socket),
      port_(mnl_socket_get_portid(socket)),
      out_(kMaxMessage * kMessagesPerBurst) {}

MemberWriter::~MemberWriter() {
  mnl_socket_close(socket_);
}

absl::Status MemberWriter::Write(MemberCommand command, const std::string& name,
                                 model::IpFamily family, std::span<const ir::SetMember> members,
                                 ir::SetKind kind, Pace pace) {
  if (kind == ir::SetKind::kIpPort) {
    return WriteAll(command, name, family, members, pace, EncodePort);
  }
  return WriteAll(command, name, family, members, pace, EncodeNet);
}

absl::Status MemberWriter::Write(MemberCommand command, const std::string& name,
                                 model::IpFamily family, std::span<const InterfaceMember> members,
                                 Pace pace) {
  for (const InterfaceMember& member : members) {
    if (!IsInterfaceName(member.interface)) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: interface names have 1 to 15 bytes, not {}", What(command, name), member.interface));
    }
  }
  return WriteAll(command, name, family, members, pace,
                  [command](nlmsghdr* message, const InterfaceMember& member) {
                    EncodeInterface(message, member, command);
                  });
}

bool MemberWriter::CanWriteTogether(const Operation& operation) {
  return std::visit(
      [](const auto& any) {
        using T = std::decay_t<decltype(any)>;
        if constexpr (kWritesMembers<T>) {
          return !any.members.empty() && any.members.size() <= kMembersPerMessage;
        } else if constexpr (kWritesInterfaceMembers<T>) {
          return !any.members.empty() && any.members.size() <= kMembersPerMessage &&
                 std::all_of(any.members.begin(), any.members.end(),
                             [](const auto& member) { return IsInterfaceName(member.interface); });
        } else {
          return false;
        }
      },
      operation);
}

absl::Status MemberWriter::WriteTogether(std::span<const Operation> operations) {
  for (const Operation& operation : operations) {
    std::visit(
        [this](const auto& any) {
          using T = std::decay_t<decltype(any)>;
          constexpr bool kAdds =
              std::is_same_v<T, AddMembers> || std::is_same_v<T, AddInterfaceMembers>;
          constexpr MemberCommand kCommand = kAdds ? MemberCommand::kAdd : MemberCommand::kDelete;
          if constexpr (kWritesMembers<T>) {
            AppendMessage(kCommand, any.name, any.family,
                          std::span<const ir::SetMember>(any.members),
                          any.kind == ir::SetKind::kIpPort ? EncodePort : EncodeNet);
          } else if constexpr (kWritesInterfaceMembers<T>) {
            AppendMessage(kCommand, any.name, any.family,
                          std::span<const InterfaceMember>(any.members),
                          [](nlmsghdr* message, const InterfaceMember& member) {
                            EncodeInterface(message, member, kCommand);
                          });
          }
        },
        operation);
  }
  FELIX_ASSIGN_OR_RETURN(const Outcome outcome, Flush());
  if (outcome.error == 0) return absl::OkStatus();
  return NetlinkError("writing members of several sets", outcome.error);
}

template <typename Member, typename Encode>
absl::Status MemberWriter::WriteAll(MemberCommand command, const std::string& name,
                                    model::IpFamily family, std::span<const Member> members,
                                    Pace pace, Encode encode) {
  constexpr bool kLarge = std::is_same_v<Member, InterfaceMember>;
  constexpr std::size_t kMessages = kLarge ? kMessagesPerBurst / 2 : kMessagesPerBurst;
  const std::size_t burst =
      kMembersPerMessage * (pace == Pace::kShort ? std::size_t{1} : kMessages);
  for (std::size_t start = 0; start < members.size(); start += burst) {
    if (start != 0 && pace == Pace::kShort) std::this_thread::yield();
    const auto part = members.subspan(start, std::min(burst, members.size() - start));
    for (std::size_t at = 0; at < part.size(); at += kMembersPerMessage) {
      AppendMessage(command, name, family,
                    part.subspan(at, std::min(kMembersPerMessage, part.size() - at)), encode);
    }
    FELIX_ASSIGN_OR_RETURN(const Outcome outcome, Flush());
    if (outcome.error == 0) continue;
    const std::size_t at = outcome.message * kMembersPerMessage;
    FELIX_RETURN_IF_ERROR(
        BlameMember(command, name, family,
                    part.subspan(at, std::min(kMembersPerMessage, part.size() - at)), encode));
  }
  return absl::OkStatus();
}

// An error says which message failed, not at which member. Going through that one message again,
// member by member, finds out, and does no harm where all goes well this time.
template <typename Member, typename Encode>
absl::Status MemberWriter::BlameMember(MemberCommand command, const std::string& name,
                                       model::IpFamily family, std::span<const Member> members,
                                       Encode encode) {
  for (const Member& member : members) {
    AppendMessage(command, name, family, std::span<const Member>(&member, 1), encode);
    FELIX_ASSIGN_OR_RETURN(const Outcome outcome, Flush());
    if (outcome.error == 0) continue;
    const std::string_view verb = command == MemberCommand::kAdd ? "adding" : "deleting";
    return NetlinkError(fmt::format("{} {} of set {}", verb, member.ToString(), name),
                        outcome.error);
  }
  return absl::OkStatus();
}

nlmsghdr* MemberWriter::BeginMessage(MemberCommand command, const std::string& name,
                                     model::IpFamily family) {
  FELIX_CHECK(out_size_ + kMaxMessage <= out_.size(), "too many messages in a burst");
  nlmsghdr* message = mnl_nlmsg_put_header(out_.data() + out_size_);
  const int verb = command == MemberCommand::kAdd ? IPSET_CMD_ADD : IPSET_CMD_DEL;
  message->nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_IPSET << 8U) | verb);
  message->nlmsg_flags = NLM_F_REQUEST;
  message->nlmsg_seq = ++sequence_;
  auto* extra = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  extra->nfgen_family = family == model::IpFamily::kV4 ? AF_INET : AF_INET6;
  extra->version = NFNETLINK_V0;
  mnl_attr_put_u8(message, IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL_MIN);
  mnl_attr_put_strz(message, IPSET_ATTR_SETNAME, name.c_str());
  return message;
}

template <typename Member, typename Encode>
void MemberWriter::AppendMessage(MemberCommand command, const std::string& name,
                                 model::IpFamily family, std::span<const Member> members,
                                 Encode encode) {
  nlmsghdr* message = BeginMessage(command, name, family);
  const auto append = [&](const Member& member) {
    nlattr* data = mnl_attr_nest_start(message, IPSET_ATTR_DATA);
    encode(message, member);
    mnl_attr_nest_end(message, data);
  };
  if (members.size() == 1) {
    append(members.front());
  } else {
    // The kernel asks for it where there are several members.
    mnl_attr_put_u32(message, IPSET_ATTR_LINENO | NLA_F_NET_BYTEORDER, 0);
    nlattr* all = mnl_attr_nest_start(message, IPSET_ATTR_ADT);
    for (const Member& member : members) append(member);
    mnl_attr_nest_end(message, all);
  }
  last_ = message;
  out_size_ += MNL_ALIGN(message->nlmsg_len);
  ++messages_;
}

absl::StatusOr<MemberWriter::Outcome> MemberWriter::Flush() {
  // Only the last message is acknowledged; the others speak up if they fail.
  last_->nlmsg_flags |= NLM_F_ACK;
  const std::uint32_t last = sequence_;
  const auto first = last - static_cast<std::uint32_t>(messages_) + 1;
  const std::size_t size = std::exchange(out_size_, 0);
  messages_ = 0;
  if (mnl_socket_sendto(socket_, out_.data(), size) < 0) {
    return NetlinkError("sending members of a set", errno);
  }
  Outcome outcome;
  for (bool done = false; !done;) {
    alignas(nlmsghdr) std::array<char, 4096> in{};
    const ssize_t received = mnl_socket_recvfrom(socket_, in.data(), in.size());
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return NetlinkError("hearing what became of members of a set", errno);
    int left = static_cast<int>(received);
    for (const auto* message = static_cast<const nlmsghdr*>(static_cast<const void*>(in.data()));
         mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      const std::uint32_t index = message->nlmsg_seq - first;
      if (message->nlmsg_type != NLMSG_ERROR || index > last - first) continue;
      const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
      if (error->error != 0 && outcome.error == 0) outcome = {-error->error, index};
      done = done || message->nlmsg_seq == last;
    }
  }
  return outcome;
}

std::string MemberWriter::What(MemberCommand command, const std::string& name) const {
  return fmt::format("{} members of set {}", command == MemberCommand::kAdd ? "adding" : "deleting",
                     name);
}

}  // namespace felix::ipset
