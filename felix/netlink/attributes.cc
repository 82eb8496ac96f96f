// SPDX-License-Identifier: Apache-2.0
#include "felix/netlink/attributes.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>

#include "libmnl/libmnl.h"

namespace felix::netlink {
namespace {

const nlattr* Find(const void* data, std::size_t length, int type) {
  std::size_t left = length;
  const auto* attribute = static_cast<const nlattr*>(data);
  while (left >= sizeof(nlattr) && mnl_attr_ok(attribute, static_cast<int>(left))) {
    if (mnl_attr_get_type(attribute) == type) return attribute;
    left -= std::min<std::size_t>(left, MNL_ALIGN(attribute->nla_len));
    attribute = mnl_attr_next(attribute);
  }
  return nullptr;
}

}  // namespace

const nlattr* FindAttribute(const nlmsghdr& message, std::size_t header, int type) {
  const std::size_t offset = MNL_ALIGN(header);
  const std::size_t length = mnl_nlmsg_get_payload_len(&message);
  if (length < offset) return nullptr;
  return Find(mnl_nlmsg_get_payload_offset(&message, offset), length - offset, type);
}

const nlattr* FindAttribute(const nlattr& parent, int type) {
  return Find(Payload(parent), PayloadSize(parent), type);
}

std::optional<model::IpAddress> AddressOf(const nlattr* attribute) {
  if (const auto v4 = ValueOf<std::uint32_t>(attribute)) return model::IpAddress::V4(ntohl(*v4));
  if (const auto v6 = ValueOf<std::array<std::uint8_t, 16>>(attribute)) {
    return model::IpAddress::V6(*v6);
  }
  return std::nullopt;
}

std::size_t PayloadSize(const nlattr& attribute) {
  return mnl_attr_get_payload_len(&attribute);
}

const void* Payload(const nlattr& attribute) {
  return mnl_attr_get_payload(&attribute);
}

}  // namespace felix::netlink
