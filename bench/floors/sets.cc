// SPDX-License-Identifier: Apache-2.0
#include "bench/floors/sets.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>

#include "libmnl/libmnl.h"

#include "model/base/check.h"

namespace felix::bench {
namespace {

constexpr std::size_t kMembers = 100;
constexpr std::size_t kMessages = 32;

nlmsghdr* Begin(char* at, int command, std::uint32_t sequence, const std::string& name) {
  nlmsghdr* message = mnl_nlmsg_put_header(at);
  message->nlmsg_type = static_cast<std::uint16_t>((NFNL_SUBSYS_IPSET << 8U) | command);
  message->nlmsg_flags = NLM_F_REQUEST;
  message->nlmsg_seq = sequence;
  auto* extra = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  extra->nfgen_family = AF_INET;
  mnl_attr_put_u8(message, IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL_MIN);
  mnl_attr_put_strz(message, IPSET_ATTR_SETNAME, name.c_str());
  return message;
}

void PutHost(nlmsghdr* message, std::uint32_t host) {
  nlattr* address = mnl_attr_nest_start(message, IPSET_ATTR_IP);
  mnl_attr_put_u32(message, IPSET_ATTR_IPADDR_IPV4 | NLA_F_NET_BYTEORDER, htonl(host));
  mnl_attr_nest_end(message, address);
  mnl_attr_put_u8(message, IPSET_ATTR_CIDR, 32);
}

void Put(nlmsghdr* message, std::uint32_t host) {
  nlattr* data = mnl_attr_nest_start(message, IPSET_ATTR_DATA);
  PutHost(message, host);
  mnl_attr_nest_end(message, data);
}

void PutU64(nlmsghdr* message, int type, std::uint64_t value) {
  const std::uint64_t ordered = htobe64(value);
  mnl_attr_put(message, static_cast<std::uint16_t>(type | NLA_F_NET_BYTEORDER), sizeof(ordered),
               &ordered);
}

}  // namespace

BareSets::BareSets() : socket_(mnl_socket_open(NETLINK_NETFILTER)), buffer_(1U << 18U) {
  FELIX_CHECK(socket_ != nullptr && mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) == 0,
              "no netfilter socket");
}

BareSets::~BareSets() {
  mnl_socket_close(socket_);
}

void BareSets::Ask(const void* message, std::size_t size) {
  FELIX_CHECK(mnl_socket_sendto(socket_, message, size) >= 0, "a message was not sent");
  std::array<char, 8192> answer{};
  const auto got = mnl_socket_recvfrom(socket_, answer.data(), answer.size());
  const int result = mnl_cb_run(answer.data(), static_cast<std::size_t>(got), sequence_,
                                mnl_socket_get_portid(socket_), nullptr, nullptr);
  FELIX_CHECK(result >= 0, "the kernel refuses what the floor asks");
}

void BareSets::Create(const std::string& name, std::uint32_t hash_size, std::uint32_t max_members) {
  CreateAny(name, "hash:net", 6, hash_size, max_members, 0);
}

void BareSets::CreateMarked(const std::string& name, std::uint32_t hash_size,
                            std::uint32_t max_members, bool counts) {
  CreateAny(name, "hash:net,iface", 7, hash_size, max_members,
            std::uint32_t{IPSET_FLAG_WITH_SKBINFO} |
                (counts ? std::uint32_t{IPSET_FLAG_WITH_COUNTERS} : 0U));
}

void BareSets::CreateAny(const std::string& name, const char* type, std::uint8_t revision,
                         std::uint32_t hash_size, std::uint32_t max_members, std::uint32_t flags) {
  nlmsghdr* message = Begin(buffer_.data(), IPSET_CMD_CREATE, ++sequence_, name);
  message->nlmsg_flags |= NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
  mnl_attr_put_strz(message, IPSET_ATTR_TYPENAME, type);
  mnl_attr_put_u8(message, IPSET_ATTR_REVISION, revision);
  mnl_attr_put_u8(message, IPSET_ATTR_FAMILY, AF_INET);
  nlattr* data = mnl_attr_nest_start(message, IPSET_ATTR_DATA);
  mnl_attr_put_u32(message, IPSET_ATTR_HASHSIZE | NLA_F_NET_BYTEORDER, htonl(hash_size));
  mnl_attr_put_u32(message, IPSET_ATTR_MAXELEM | NLA_F_NET_BYTEORDER, htonl(max_members));
  if (flags != 0) {
    mnl_attr_put_u32(message, IPSET_ATTR_CADT_FLAGS | NLA_F_NET_BYTEORDER, htonl(flags));
  }
  mnl_attr_nest_end(message, data);
  Ask(message, message->nlmsg_len);
}

void BareSets::Destroy(const std::string& name) {
  nlmsghdr* message = Begin(buffer_.data(), IPSET_CMD_DESTROY, ++sequence_, name);
  message->nlmsg_flags |= NLM_F_ACK;
  Ask(message, message->nlmsg_len);
}

void BareSets::One(int command, const std::string& name, std::uint32_t host) {
  nlmsghdr* message = Begin(buffer_.data(), command, ++sequence_, name);
  message->nlmsg_flags |= NLM_F_ACK;
  Put(message, host);
  Ask(message, message->nlmsg_len);
}

void BareSets::Add(const std::string& name, std::uint32_t host) {
  One(IPSET_CMD_ADD, name, host);
}

void BareSets::Delete(const std::string& name, std::uint32_t host) {
  One(IPSET_CMD_DEL, name, host);
}

void BareSets::AddMarked(const std::string& name, std::uint32_t host, const std::string& interface,
                         std::uint32_t mark, bool counts) {
  nlmsghdr* message = Begin(buffer_.data(), IPSET_CMD_ADD, ++sequence_, name);
  message->nlmsg_flags |= NLM_F_ACK;
  nlattr* data = mnl_attr_nest_start(message, IPSET_ATTR_DATA);
  PutHost(message, host);
  mnl_attr_put_strz(message, IPSET_ATTR_IFACE, interface.c_str());
  PutU64(message, IPSET_ATTR_SKBMARK, (std::uint64_t{mark} << 32U) | 0xffffffffU);
  if (counts) {
    PutU64(message, IPSET_ATTR_PACKETS, 0);
    PutU64(message, IPSET_ATTR_BYTES, 0);
  }
  mnl_attr_nest_end(message, data);
  Ask(message, message->nlmsg_len);
}

void BareSets::DeleteMarked(const std::string& name, std::uint32_t host,
                            const std::string& interface) {
  nlmsghdr* message = Begin(buffer_.data(), IPSET_CMD_DEL, ++sequence_, name);
  message->nlmsg_flags |= NLM_F_ACK;
  nlattr* data = mnl_attr_nest_start(message, IPSET_ATTR_DATA);
  PutHost(message, host);
  mnl_attr_put_strz(message, IPSET_ATTR_IFACE, interface.c_str());
  mnl_attr_nest_end(message, data);
  Ask(message, message->nlmsg_len);
}

void BareSets::AddAll(const std::string& name, std::span<const std::uint32_t> hosts) {
  while (!hosts.empty()) {
    char* at = buffer_.data();
    for (std::size_t i = 0; i < kMessages && !hosts.empty(); ++i) {
      nlmsghdr* message = Begin(at, IPSET_CMD_ADD, ++sequence_, name);
      mnl_attr_put_u32(message, IPSET_ATTR_LINENO | NLA_F_NET_BYTEORDER, 0);
      nlattr* all = mnl_attr_nest_start(message, IPSET_ATTR_ADT);
      const std::size_t count = std::min(kMembers, hosts.size());
      for (const std::uint32_t host : hosts.first(count)) Put(message, host);
      mnl_attr_nest_end(message, all);
      hosts = hosts.subspan(count);
      if (i + 1 == kMessages || hosts.empty()) message->nlmsg_flags |= NLM_F_ACK;
      at += MNL_ALIGN(message->nlmsg_len);
    }
    Ask(buffer_.data(), static_cast<std::size_t>(at - buffer_.data()));
  }
}

}  // namespace felix::bench
