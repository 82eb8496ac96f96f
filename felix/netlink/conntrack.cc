// SPDX-License-Identifier: Apache-2.0
#include "felix/netlink/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <vector>

#include "libmnl/libmnl.h"

#include "felix/netlink/attributes.h"
#include "model/base/status_macros.h"

namespace felix::netlink {
namespace {

// Two IPv6 addresses, ports, a zone and a number take about 150 bytes.
struct alignas(nlmsghdr) Message {
  std::array<char, 512> bytes{};
};

nlmsghdr* Begin(Message& message, int type, model::IpFamily family) {
  nlmsghdr* header = mnl_nlmsg_put_header(message.bytes.data());
  header->nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_CTNETLINK << 8) | type);
  auto* netfilter = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  netfilter->nfgen_family = family == model::IpFamily::kV4 ? AF_INET : AF_INET6;
  netfilter->version = NFNETLINK_V0;
  return header;
}

bool TupleHasOneOf(const nlattr* tuple, const absl::btree_set<model::IpAddress>& addresses) {
  const nlattr* ip = tuple == nullptr ? nullptr : FindAttribute(*tuple, CTA_TUPLE_IP);
  if (ip == nullptr) return false;
  for (const int type : {CTA_IP_V4_SRC, CTA_IP_V4_DST, CTA_IP_V6_SRC, CTA_IP_V6_DST}) {
    const std::optional<model::IpAddress> address = AddressOf(FindAttribute(*ip, type));
    if (address && addresses.contains(*address)) return true;
  }
  return false;
}

// The request that removes exactly this connection: its number tells it from a later one that has
// the same addresses and ports.
std::optional<Message> DeletionOf(const nlmsghdr& connection, model::IpFamily family) {
  Message message;
  nlmsghdr* header = Begin(message, IPCTNL_MSG_CT_DELETE, family);
  header->nlmsg_flags = NLM_F_ACK;
  for (const int type : {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID}) {
    const nlattr* attribute = FindAttribute(connection, sizeof(nfgenmsg), type);
    if (attribute == nullptr) continue;
    // With its flags, which say that it is nested.
    if (!mnl_attr_put_check(header, message.bytes.size(), attribute->nla_type,
                            PayloadSize(*attribute), Payload(*attribute))) {
      return std::nullopt;
    }
  }
  return message;
}

// How many connections there are in our namespace, of both families; none if the kernel does not
// say.
absl::StatusOr<std::optional<std::uint32_t>> CountAll(Socket& socket) {
  Message message;
  nlmsghdr* request = Begin(message, IPCTNL_MSG_CT_GET_STATS, model::IpFamily::kV4);
  request->nlmsg_flags = NLM_F_ACK;
  std::optional<std::uint32_t> count;
  FELIX_RETURN_IF_ERROR(
      socket.Ask("counting the connections", *request, [&](const nlmsghdr& answer) {
        count = ValueOf<std::uint32_t>(
            FindAttribute(answer, sizeof(nfgenmsg), CTA_STATS_GLOBAL_ENTRIES));
      }));
  if (count.has_value()) count = ntohl(*count);
  return count;
}

}  // namespace

absl::StatusOr<std::uint64_t> Conntrack::ForgetWith(
    Socket& socket, model::IpFamily family, const absl::btree_set<model::IpAddress>& addresses) {
  // The kernel walks through a table that all namespaces share, which takes it up to tens of
  // milliseconds, be there connections of ours or not.
  FELIX_ASSIGN_OR_RETURN(const std::optional<std::uint32_t> all, CountAll(socket));
  if (all == 0U) return 0;
  Message message;
  nlmsghdr* request = Begin(message, IPCTNL_MSG_CT_GET, family);
  request->nlmsg_flags = NLM_F_DUMP;
  std::vector<Message> deletions;
  FELIX_RETURN_IF_ERROR(
      socket.Ask("listing the connections", *request, [&](const nlmsghdr& connection) {
        if (!TupleHasOneOf(FindAttribute(connection, sizeof(nfgenmsg), CTA_TUPLE_ORIG),
                           addresses) &&
            !TupleHasOneOf(FindAttribute(connection, sizeof(nfgenmsg), CTA_TUPLE_REPLY),
                           addresses)) {
          return;
        }
        if (const auto deletion = DeletionOf(connection, family)) deletions.push_back(*deletion);
      }));
  std::uint64_t removed = 0;
  for (Message& deletion : deletions) {
    void* start = deletion.bytes.data();
    const absl::Status status = socket.Ask("removing a connection", *static_cast<nlmsghdr*>(start));
    // Many end by themselves meanwhile.
    if (absl::IsNotFound(status)) continue;
    FELIX_RETURN_IF_ERROR(status);
    ++removed;
  }
  return removed;
}

absl::StatusOr<std::uint64_t> Conntrack::Forget(
    model::IpFamily family, const absl::btree_set<model::IpAddress>& addresses) {
  if (socket_ == nullptr) {
    FELIX_ASSIGN_OR_RETURN(socket_, Socket::Open(NETLINK_NETFILTER));
  }
  absl::StatusOr<std::uint64_t> removed = ForgetWith(*socket_, family, addresses);
  if (!removed.ok()) socket_.reset();
  return removed;
}

}  // namespace felix::netlink
