// SPDX-License-Identifier: Apache-2.0
#include "felix/netlink/route_messages.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <array>
#include <string>

#include "fmt/format.h"
#include "libmnl/libmnl.h"

#include "felix/netlink/attributes.h"
#include "model/base/status_macros.h"

namespace felix::netlink {
namespace {

constexpr int kDumpAttempts = 4;
using Buffer = std::array<char, 256>;

absl::Status DumpUntilWhole(Socket& socket, std::string_view what, nlmsghdr& request,
                            const std::function<void()>& begin, const Socket::OnMessage& visit) {
  absl::Status status;
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    begin();
    status = socket.Ask(what, request, visit);
    if (!absl::IsAborted(status)) return status;
  }
  return status;
}

absl::Status ListLinks(Socket& socket, InterfaceTracker::Listing& listing) {
  alignas(nlmsghdr) Buffer memory{};
  nlmsghdr* request = mnl_nlmsg_put_header(memory.data());
  request->nlmsg_type = RTM_GETLINK;
  request->nlmsg_flags = NLM_F_DUMP;
  mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg));
  mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return DumpUntilWhole(
      socket, "listing the links", *request, [&] { listing.links.clear(); },
      [&](const nlmsghdr& message) {
        if (const auto link = DecodeLink(message)) {
          listing.links.insert_or_assign(link->link, link->name);
        }
      });
}

absl::Status ListAddresses(Socket& socket, model::IpFamily family,
                           InterfaceTracker::Listing& listing) {
  alignas(nlmsghdr) Buffer memory{};
  nlmsghdr* request = mnl_nlmsg_put_header(memory.data());
  request->nlmsg_type = RTM_GETROUTE;
  request->nlmsg_flags = NLM_F_DUMP;
  auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
  route->rtm_family = family == model::IpFamily::kV4 ? AF_INET : AF_INET6;
  route->rtm_table = RT_TABLE_LOCAL;
  route->rtm_type = RTN_LOCAL;
  std::set<std::pair<int, model::IpAddress>> found;
  const absl::Status status = DumpUntilWhole(
      socket, fmt::format("listing the local ipv{} routes", family == model::IpFamily::kV4 ? 4 : 6),
      *request, [&] { found.clear(); },
      [&](const nlmsghdr& message) {
        if (const auto address = DecodeLocalRoute(message)) {
          found.insert({address->link, address->address});
        }
      });
  listing.addresses.insert(found.begin(), found.end());
  // A namespace in which that family was never used has no such table.
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace

std::optional<LocalAddress> DecodeLocalRoute(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE && message.nlmsg_type != RTM_DELROUTE) return std::nullopt;
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(rtmsg)) return std::nullopt;
  const auto& route = *static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
  if (route.rtm_type != RTN_LOCAL || route.rtm_table != RT_TABLE_LOCAL ||
      (route.rtm_flags & RTM_F_CLONED) != 0) {
    return std::nullopt;
  }
  const auto link = ValueOf<std::uint32_t>(FindAttribute(message, sizeof(rtmsg), RTA_OIF));
  const auto address = AddressOf(FindAttribute(message, sizeof(rtmsg), RTA_DST));
  // A prefix, such as that of the loopback, is no address that anybody would expect.
  if (!link || !address || route.rtm_dst_len != address->bytes().size() * 8) return std::nullopt;
  return LocalAddress{static_cast<int>(*link), *address};
}

std::optional<LinkName> DecodeLink(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return std::nullopt;
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(ifinfomsg)) return std::nullopt;
  const auto& link = *static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  // Bridges report their ports under their own family; that a port leaves does not end the link.
  if (link.ifi_family != AF_UNSPEC) return std::nullopt;
  const nlattr* name = FindAttribute(message, sizeof(ifinfomsg), IFLA_IFNAME);
  if (name == nullptr) return std::nullopt;
  const std::string_view text(static_cast<const char*>(Payload(*name)), PayloadSize(*name));
  return LinkName{link.ifi_index, std::string(text.substr(0, text.find('\0')))};
}

absl::StatusOr<InterfaceTracker::Listing> ListInterfaces(Socket& socket) {
  InterfaceTracker::Listing listing;
  FELIX_RETURN_IF_ERROR(ListLinks(socket, listing));
  for (const model::IpFamily family : model::kIpFamilies) {
    FELIX_RETURN_IF_ERROR(ListAddresses(socket, family, listing));
  }
  return listing;
}

}  // namespace felix::netlink
