// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "libmnl/libmnl.h"

#include "ipset/netlink_error.h"

namespace felix::ipset {

// Attributes of one level of a netlink message by type; null where absent. Views into the message,
// which must outlive the object. Types from kMaxAttributes on are passed over.
class Attributes {
 public:
  static constexpr std::size_t kMaxAttributes = 32;

  Attributes(const void* data, std::size_t length) {
    std::size_t left = length;
    const auto* attribute = static_cast<const nlattr*>(data);
    while (left >= sizeof(nlattr) && mnl_attr_ok(attribute, static_cast<int>(left))) {
      const std::uint16_t type = mnl_attr_get_type(attribute);
      if (type < kMaxAttributes) by_type_.at(type) = attribute;
      left -= std::min<std::size_t>(left, MNL_ALIGN(attribute->nla_len));
      attribute = mnl_attr_next(attribute);
    }
  }
  explicit Attributes(const nlattr& parent)
      : Attributes(mnl_attr_get_payload(&parent), mnl_attr_get_payload_len(&parent)) {}

  [[nodiscard]] const nlattr* Find(int type) const {
    return by_type_.at(static_cast<std::size_t>(type));
  }
  [[nodiscard]] bool Has(int type) const { return Find(type) != nullptr; }

  // Integers in network order; nothing if absent or of another size.
  [[nodiscard]] std::optional<std::uint8_t> U8(int type) const {
    return Integer<std::uint8_t>(type);
  }
  [[nodiscard]] std::optional<std::uint16_t> U16(int type) const {
    const auto value = Integer<std::uint16_t>(type);
    if (!value.has_value()) return std::nullopt;
    return ntohs(*value);
  }
  [[nodiscard]] std::uint32_t U32(int type, std::uint32_t fallback) const {
    const auto value = Integer<std::uint32_t>(type);
    return value.has_value() ? ntohl(*value) : fallback;
  }
  [[nodiscard]] std::optional<std::uint64_t> U64(int type) const {
    const auto value = Integer<std::uint64_t>(type);
    if (!value.has_value()) return std::nullopt;
    return be64toh(*value);
  }
  [[nodiscard]] std::string_view Text(int type) const {
    const nlattr* attribute = Find(type);
    if (attribute == nullptr) return {};
    const std::string_view text(static_cast<const char*>(mnl_attr_get_payload(attribute)),
                                mnl_attr_get_payload_len(attribute));
    return text.substr(0, text.find('\0'));
  }

 private:
  template <typename Int>
  [[nodiscard]] std::optional<Int> Integer(int type) const {
    const nlattr* attribute = Find(type);
    if (attribute == nullptr || mnl_attr_get_payload_len(attribute) != sizeof(Int)) {
      return std::nullopt;
    }
    Int value = 0;
    std::memcpy(&value, mnl_attr_get_payload(attribute), sizeof(Int));
    return value;
  }

  std::array<const nlattr*, kMaxAttributes> by_type_{};
};

// A bound socket to nfnetlink, of which ip_set is a part; the caller closes it. Errors: as
// NetlinkError.
[[nodiscard]] inline absl::StatusOr<mnl_socket*> OpenNetfilterSocket() {
  mnl_socket* socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
  if (socket == nullptr || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
    const int error = errno;
    if (socket != nullptr) mnl_socket_close(socket);
    return NetlinkError("opening a netfilter socket", error);
  }
  return socket;
}

}  // namespace felix::ipset
