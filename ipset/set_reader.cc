// SPDX-License-Identifier: Apache-2.0
#include "ipset/set_reader.h"

#include <arpa/inet.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fmt/format.h"
#include "libmnl/libmnl.h"

#include "ipset/netlink_attributes.h"
#include "ipset/netlink_error.h"
#include "model/base/check.h"
#include "model/base/status_macros.h"

namespace felix::ipset {
namespace {

// The oldest protocol that has all we ask; kernels answer in the version of the question.
constexpr std::uint8_t kProtocol = IPSET_PROTOCOL_MIN;
// IPSET_ATTR_BITMASK, which older kernel headers lack.
constexpr int kBitmaskAttribute = 12;

Attributes MessageAttributes(const nlmsghdr& message) {
  const std::size_t offset = MNL_ALIGN(sizeof(nfgenmsg));
  const std::size_t length = mnl_nlmsg_get_payload_len(&message);
  return {mnl_nlmsg_get_payload_offset(&message, offset), length < offset ? 0 : length - offset};
}

std::uint8_t NetfilterFamily(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? AF_INET : AF_INET6;
}

std::optional<model::IpAddress> DecodeAddress(const Attributes& member) {
  const nlattr* nested = member.Find(IPSET_ATTR_IP);
  if (nested == nullptr) return std::nullopt;
  const Attributes address(*nested);
  if (const nlattr* v4 = address.Find(IPSET_ATTR_IPADDR_IPV4)) {
    std::uint32_t value = 0;
    if (mnl_attr_get_payload_len(v4) != sizeof(value)) return std::nullopt;
    std::memcpy(&value, mnl_attr_get_payload(v4), sizeof(value));
    return model::IpAddress::V4(ntohl(value));
  }
  if (const nlattr* v6 = address.Find(IPSET_ATTR_IPADDR_IPV6)) {
    std::array<std::uint8_t, 16> value{};
    if (mnl_attr_get_payload_len(v6) != value.size()) return std::nullopt;
    std::memcpy(value.data(), mnl_attr_get_payload(v6), value.size());
    return model::IpAddress::V6(value);
  }
  return std::nullopt;
}

std::optional<ir::SetMember> DecodeMember(ir::SetKind kind, const Attributes& attributes) {
  const std::optional<model::IpAddress> address = DecodeAddress(attributes);
  if (!address.has_value() || attributes.U32(IPSET_ATTR_CADT_FLAGS, 0) != 0) return std::nullopt;
  ir::SetMember member;
  member.net = model::Cidr::Host(*address);
  if (kind == ir::SetKind::kNet) {
    const std::uint8_t length =
        attributes.U8(IPSET_ATTR_CIDR)
            .value_or(static_cast<std::uint8_t>(member.net.prefix_length()));
    if (length > member.net.prefix_length()) return std::nullopt;
    member.net = model::Cidr(*address, length);
    return member;
  }
  const auto protocol = attributes.U8(IPSET_ATTR_PROTO);
  const auto port = attributes.U16(IPSET_ATTR_PORT);
  if (!protocol.has_value() || !port.has_value()) return std::nullopt;
  member.protocol.number = *protocol;
  member.port = *port;
  return member;
}

void DecodeHeader(const Attributes& message, SetHeader& header) {
  header.type = std::string(message.Text(IPSET_ATTR_TYPENAME));
  const std::uint8_t family = message.U8(IPSET_ATTR_FAMILY).value_or(AF_UNSPEC);
  if (family == AF_INET) header.family = model::IpFamily::kV4;
  if (family == AF_INET6) header.family = model::IpFamily::kV6;
  const Attributes data(*message.Find(IPSET_ATTR_DATA));
  const std::uint32_t flags = data.U32(IPSET_ATTR_CADT_FLAGS, 0);
  header.has_marks = (flags & IPSET_FLAG_WITH_SKBINFO) != 0;
  header.has_counters = (flags & IPSET_FLAG_WITH_COUNTERS) != 0;
  const std::uint32_t usual =
      header.type == kInterfaceTypeName
          ? std::uint32_t{IPSET_FLAG_WITH_SKBINFO} | std::uint32_t{IPSET_FLAG_WITH_COUNTERS}
          : 0;
  header.size = data.U32(IPSET_ATTR_ELEMENTS, 0);
  header.hash_size = data.U32(IPSET_ATTR_HASHSIZE, 0);
  header.max_members = data.U32(IPSET_ATTR_MAXELEM, 0);
  header.references = data.U32(IPSET_ATTR_REFERENCES, 0);
  header.plain = !data.Has(IPSET_ATTR_TIMEOUT) && !data.Has(IPSET_ATTR_NETMASK) &&
                 !data.Has(kBitmaskAttribute) && flags == usual;
}

std::optional<ir::SetKind> KindOf(std::string_view type) {
  for (const ir::SetKind kind : {ir::SetKind::kNet, ir::SetKind::kIpPort}) {
    if (TypeName(kind) == type) return kind;
  }
  return std::nullopt;
}

std::optional<InterfaceMember> DecodeInterfaceMember(const Attributes& attributes) {
  const std::optional<ir::SetMember> net = DecodeMember(ir::SetKind::kNet, attributes);
  const std::string_view interface = attributes.Text(IPSET_ATTR_IFACE);
  if (!net.has_value() || interface.empty()) return std::nullopt;
  InterfaceMember member{net->net, std::string(interface)};
  if (attributes.Has(IPSET_ATTR_SKBMARK)) {
    const std::optional<std::uint64_t> both = attributes.U64(IPSET_ATTR_SKBMARK);
    if (!both.has_value()) return std::nullopt;
    member.mark = static_cast<std::uint32_t>(*both >> 32U);
    member.mask = static_cast<std::uint32_t>(*both);
  }
  const auto packets = attributes.U64(IPSET_ATTR_PACKETS);
  const auto bytes = attributes.U64(IPSET_ATTR_BYTES);
  if (packets.has_value() && bytes.has_value()) member.counters = MemberCounters{*packets, *bytes};
  return member;
}

template <typename Member>
void Append(const std::optional<Member>& member, std::vector<Member>& members,
            SetContent& content) {
  if (member.has_value()) {
    members.push_back(*member);
  } else {
    ++content.strange_members;
  }
}

template <typename Member>
void SortUnique(std::vector<Member>& members) {
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
}

// One message of a dump: the header comes with the first, members with any.
void DecodeSetMessage(const nlmsghdr& message, SetContent& content) {
  const Attributes attributes = MessageAttributes(message);
  if (attributes.Has(IPSET_ATTR_DATA)) DecodeHeader(attributes, content.header);
  const nlattr* members = attributes.Find(IPSET_ATTR_ADT);
  const std::optional<ir::SetKind> kind = KindOf(content.header.type);
  const bool with_interfaces = content.header.type == kInterfaceTypeName;
  if (members == nullptr || (!kind.has_value() && !with_interfaces)) return;
  std::size_t left = mnl_attr_get_payload_len(members);
  const auto* entry = static_cast<const nlattr*>(mnl_attr_get_payload(members));
  while (left >= sizeof(nlattr) && mnl_attr_ok(entry, static_cast<int>(left))) {
    if (with_interfaces) {
      Append(DecodeInterfaceMember(Attributes(*entry)), content.interface_members, content);
    } else {
      Append(DecodeMember(*kind, Attributes(*entry)), content.members, content);
    }
    left -= std::min<std::size_t>(left, MNL_ALIGN(entry->nla_len));
    entry = mnl_attr_next(entry);
  }
}

// The end of a dump carries the error that cut it short, if any.
absl::Status DumpEnd(std::string_view what, const nlmsghdr& done) {
  int error = 0;
  if (mnl_nlmsg_get_payload_len(&done) >= sizeof(error)) {
    std::memcpy(&error, mnl_nlmsg_get_payload(&done), sizeof(error));
  }
  return error < 0 ? NetlinkError(what, -error) : absl::OkStatus();
}

}  // namespace

struct SetReader::Request {
  std::string what;  // for error messages
  ipset_cmd command = IPSET_CMD_NONE;
  bool dump = false;
  std::string set_name = {};
  std::string_view type_name = {};
  std::optional<model::IpFamily> family = std::nullopt;
  std::uint32_t flags = 0;
};

absl::StatusOr<std::unique_ptr<SetReader>> SetReader::Open() {
  FELIX_ASSIGN_OR_RETURN(mnl_socket* const socket, OpenNetfilterSocket());
  return std::unique_ptr<SetReader>(new SetReader(socket));
}

SetReader::~SetReader() {
  mnl_socket_close(socket_);
}

absl::StatusOr<std::vector<std::string>> SetReader::ListNames() {
  std::vector<std::string> names;
  Request request{"listing the sets", IPSET_CMD_LIST, true};
  request.flags = IPSET_FLAG_LIST_SETNAME;
  FELIX_RETURN_IF_ERROR(Ask(request, [&](const nlmsghdr& message) {
    names.emplace_back(MessageAttributes(message).Text(IPSET_ATTR_SETNAME));
  }));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

absl::StatusOr<std::optional<SetContent>> SetReader::Read(const std::string& name) {
  SetContent content;
  content.header.name = name;
  Request request{fmt::format("reading set {}", name), IPSET_CMD_LIST, true, name};
  const absl::Status status =
      Ask(request, [&](const nlmsghdr& message) { DecodeSetMessage(message, content); });
  if (absl::IsNotFound(status)) return std::nullopt;
  FELIX_RETURN_IF_ERROR(status);
  if (content.header.type.empty()) {
    return absl::UnavailableError(fmt::format("{}: the kernel sent no header", request.what));
  }
  // A dump that meets a resize of the hash may show a member twice.
  SortUnique(content.members);
  SortUnique(content.interface_members);
  return content;
}

absl::StatusOr<VersionRange> SetReader::ProtocolVersions() {
  VersionRange range;
  FELIX_RETURN_IF_ERROR(
      Ask({"asking for the ip_set protocol", IPSET_CMD_PROTOCOL}, [&](const nlmsghdr& message) {
        const Attributes answer = MessageAttributes(message);
        range.max = answer.U8(IPSET_ATTR_PROTOCOL).value_or(0);
        range.min = answer.U8(IPSET_ATTR_PROTOCOL_MIN).value_or(range.max);
      }));
  return range;
}

absl::StatusOr<VersionRange> SetReader::TypeRevisions(std::string_view type,
                                                      model::IpFamily family) {
  VersionRange range;
  Request request{fmt::format("asking for set type {}", type), IPSET_CMD_TYPE};
  request.type_name = type;
  request.family = family;
  FELIX_RETURN_IF_ERROR(Ask(request, [&](const nlmsghdr& message) {
    const Attributes answer = MessageAttributes(message);
    range.max = answer.U8(IPSET_ATTR_REVISION).value_or(0);
    range.min = answer.U8(IPSET_ATTR_REVISION_MIN).value_or(range.max);
  }));
  return range;
}

absl::StatusOr<std::vector<SetHeader>> SetReader::ListHeaders() {
  std::vector<SetHeader> headers;
  Request request{"listing the sets' headers", IPSET_CMD_LIST, true};
  request.flags = IPSET_FLAG_LIST_HEADER;
  FELIX_RETURN_IF_ERROR(Ask(request, [&](const nlmsghdr& message) {
    const Attributes attributes = MessageAttributes(message);
    if (!attributes.Has(IPSET_ATTR_DATA)) return;
    SetHeader header;
    header.name = std::string(attributes.Text(IPSET_ATTR_SETNAME));
    DecodeHeader(attributes, header);
    headers.push_back(std::move(header));
  }));
  std::sort(headers.begin(), headers.end(),
            [](const SetHeader& a, const SetHeader& b) { return a.name < b.name; });
  return headers;
}

absl::StatusOr<Portion> SetReader::ReadPortion(const std::string& name) {
  const Request request{fmt::format("reading set {}", name), IPSET_CMD_LIST, true, name};
  const bool first = portions_of_.empty();
  if (first) {
    FELIX_RETURN_IF_ERROR(Send(request));
    portions_of_ = name;
    portions_type_.clear();
  }
  FELIX_CHECK(portions_of_ == name, "two sets read in portions at once");
  SetContent content;
  content.header.type = portions_type_;
  const std::optional<absl::Status> end = ReceiveOnce(
      sequence_, request, [&](const nlmsghdr& message) { DecodeSetMessage(message, content); });
  portions_type_ = content.header.type;
  if (end.has_value()) {
    portions_of_.clear();
    FELIX_RETURN_IF_ERROR(*end);
  }
  return Portion{std::move(content.members), content.strange_members, first, end.has_value()};
}

absl::Status SetReader::Ask(const Request& request, const OnReply& on_reply) {
  FELIX_RETURN_IF_ERROR(Send(request));
  std::optional<absl::Status> end;
  while (!end.has_value()) end = ReceiveOnce(sequence_, request, on_reply);
  return *std::move(end);
}

absl::Status SetReader::Send(const Request& request) {
  alignas(nlmsghdr) std::array<char, 512> memory{};
  nlmsghdr* message = mnl_nlmsg_put_header(memory.data());
  message->nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_IPSET << 8U) | request.command);
  message->nlmsg_flags =
      static_cast<std::uint16_t>(NLM_F_REQUEST | (request.dump ? NLM_F_DUMP : 0));
  message->nlmsg_seq = ++sequence_;
  auto* family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  family->nfgen_family = AF_INET;
  family->version = NFNETLINK_V0;
  mnl_attr_put_u8(message, IPSET_ATTR_PROTOCOL, kProtocol);
  if (!request.set_name.empty()) {
    mnl_attr_put_strz(message, IPSET_ATTR_SETNAME, request.set_name.c_str());
  }
  if (!request.type_name.empty()) {
    mnl_attr_put_strz(message, IPSET_ATTR_TYPENAME, std::string(request.type_name).c_str());
  }
  if (request.family.has_value()) {
    mnl_attr_put_u8(message, IPSET_ATTR_FAMILY, NetfilterFamily(*request.family));
  }
  if (request.flags != 0) {
    mnl_attr_put_u32(message, IPSET_ATTR_FLAGS | NLA_F_NET_BYTEORDER, htonl(request.flags));
  }
  if (mnl_socket_sendto(socket_, message, message->nlmsg_len) < 0) {
    return NetlinkError(request.what, errno);
  }
  return absl::OkStatus();
}

std::optional<absl::Status> SetReader::ReceiveOnce(std::uint32_t sequence, const Request& request,
                                                   const OnReply& on_reply) {
  const ssize_t received = mnl_socket_recvfrom(socket_, buffer_.data(), buffer_.size());
  if (received < 0 && errno == EINTR) return std::nullopt;
  if (received < 0) return NetlinkError(request.what, errno);
  std::optional<absl::Status> end;
  int left = static_cast<int>(received);
  const void* position = buffer_.data();
  for (const auto* message = static_cast<const nlmsghdr*>(position);
       !end.has_value() && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
    // The end of an earlier question that failed may still lie in the socket.
    if (message->nlmsg_seq == sequence) end = Digest(*message, request, on_reply);
  }
  return end;
}

std::optional<absl::Status> SetReader::Digest(const nlmsghdr& message, const Request& request,
                                              const OnReply& on_reply) {
  if (message.nlmsg_type == NLMSG_DONE) return DumpEnd(request.what, message);
  if (message.nlmsg_type == NLMSG_ERROR) {
    const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message));
    return error->error == 0 ? absl::OkStatus() : NetlinkError(request.what, -error->error);
  }
  on_reply(message);
  if (request.dump) return std::nullopt;
  return absl::OkStatus();
}

}  // namespace felix::ipset
