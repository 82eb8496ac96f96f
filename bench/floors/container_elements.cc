// SPDX-License-Identifier: Apache-2.0
#include "bench/floors/container_elements.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>

#include "libmnl/libmnl.h"

#include "ipset/set_name.h"
#include "model/base/check.h"

namespace felix::bench {
namespace {

void PutU64(nlmsghdr* message, int type, std::uint64_t value) {
  const std::uint64_t ordered = htobe64(value);
  mnl_attr_put(message, static_cast<std::uint16_t>(type | NLA_F_NET_BYTEORDER), sizeof(ordered),
               &ordered);
}

nlmsghdr* HeaderOf(std::vector<char>& messages, std::size_t at) {
  return static_cast<nlmsghdr*>(static_cast<void*>(messages.data() + at));
}

}  // namespace

ContainerElements::ContainerElements() : socket_(mnl_socket_open(NETLINK_NETFILTER)) {
  FELIX_CHECK(socket_ != nullptr && mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) == 0,
              "no netfilter socket");
}

ContainerElements::~ContainerElements() {
  mnl_socket_close(socket_);
}

std::vector<char> ContainerElements::Message(bool add, const Element& element) const {
  std::vector<char> bytes(512);
  nlmsghdr* message = mnl_nlmsg_put_header(bytes.data());
  message->nlmsg_type =
      static_cast<std::uint16_t>((NFNL_SUBSYS_IPSET << 8U) | (add ? IPSET_CMD_ADD : IPSET_CMD_DEL));
  message->nlmsg_flags = NLM_F_REQUEST;
  const bool v4 = element.address.family() == model::IpFamily::kV4;
  auto* extra = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  extra->nfgen_family = v4 ? AF_INET : AF_INET6;
  mnl_attr_put_u8(message, IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL_MIN);
  mnl_attr_put_strz(message, IPSET_ATTR_SETNAME, element.set.c_str());
  nlattr* data = mnl_attr_nest_start(message, IPSET_ATTR_DATA);
  nlattr* address = mnl_attr_nest_start(message, IPSET_ATTR_IP);
  const auto raw = element.address.bytes();
  const int type = v4 ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6;
  mnl_attr_put(message, static_cast<std::uint16_t>(type | NLA_F_NET_BYTEORDER), raw.size(),
               raw.data());
  mnl_attr_nest_end(message, address);
  mnl_attr_put_u8(message, IPSET_ATTR_CIDR, v4 ? 32 : 128);
  if (!element.interface_name.empty()) {
    mnl_attr_put_strz(message, IPSET_ATTR_IFACE, element.interface_name.c_str());
    if (add) {
      PutU64(message, IPSET_ATTR_SKBMARK, (std::uint64_t{element.mark} << 32U) | element.mask);
      PutU64(message, IPSET_ATTR_PACKETS, 0);
      PutU64(message, IPSET_ATTR_BYTES, 0);
    }
  }
  mnl_attr_nest_end(message, data);
  bytes.resize(MNL_ALIGN(message->nlmsg_len));
  return bytes;
}

void ContainerElements::Take(const ir::DesiredDelta& start, const std::string& interface_name,
                             const std::vector<model::IpAddress>& addresses) {
  start_.clear();
  stop_.clear();
  std::vector<Element> elements;
  const auto append = [&](const ir::SetKey& key, std::uint32_t mark, bool marked) {
    for (const model::IpAddress& address : addresses) {
      if (address.family() != key.family) continue;
      elements.push_back({.set = ipset::KernelSetName(key),
                          .address = address,
                          .interface_name = marked ? interface_name : std::string(),
                          .mark = mark,
                          .mask = marked ? 0xffffffffU : 0});
    }
  };
  for (const auto& [key, change] : start.changed_sets) append(key, 0, false);
  for (const auto& [key, change] : start.changed_mark_maps) {
    append(key, change.set.front().second, true);
  }
  for (const Element& element : elements) start_.push_back(Message(true, element));
  for (auto element = elements.rbegin(); element != elements.rend(); ++element) {
    stop_.push_back(Message(false, *element));
  }
}

void ContainerElements::Ask(std::vector<char>& messages, std::size_t last) {
  for (std::size_t at = 0; at < messages.size();) {
    nlmsghdr* message = HeaderOf(messages, at);
    message->nlmsg_seq = ++sequence_;
    message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | (at == last ? NLM_F_ACK : 0));
    at += MNL_ALIGN(message->nlmsg_len);
  }
  FELIX_CHECK(mnl_socket_sendto(socket_, messages.data(), messages.size()) >= 0,
              "a message was not sent");
  std::array<char, 8192> answer{};
  const auto got = mnl_socket_recvfrom(socket_, answer.data(), answer.size());
  const int result = mnl_cb_run(answer.data(), static_cast<std::size_t>(got), sequence_,
                                mnl_socket_get_portid(socket_), nullptr, nullptr);
  FELIX_CHECK(result >= 0, "the kernel refuses what the floor asks");
}

void ContainerElements::OneByOne(bool starts) {
  for (std::vector<char>& message : starts ? start_ : stop_) Ask(message, 0);
}

void ContainerElements::AtOnce(bool starts) {
  std::vector<char> all;
  std::size_t last = 0;
  for (const std::vector<char>& message : starts ? start_ : stop_) {
    last = all.size();
    all.insert(all.end(), message.begin(), message.end());
  }
  Ask(all, last);
}

}  // namespace felix::bench
