// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace felix::model {

enum class IpFamily : std::uint8_t { kV4 = 4, kV6 = 6 };

inline constexpr std::array<IpFamily, 2> kIpFamilies = {IpFamily::kV4, IpFamily::kV6};

// An IPv4 or IPv6 address. A value of 17 bytes; IPv4 orders before IPv6, then by the bytes in
// network order. An IPv4-mapped IPv6 text ("::ffff:10.0.0.1") is the IPv4 address, as in Go.
class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0

  // Errors: kInvalidArgument for zones, leading zeros in IPv4, anything inet_pton refuses.
  static absl::StatusOr<IpAddress> Parse(std::string_view text);
  static IpAddress V4(std::uint32_t host_order);
  static IpAddress V6(const std::array<std::uint8_t, 16>& network_order);

  [[nodiscard]] IpFamily family() const { return family_; }
  // 4 or 16 bytes in network order.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const {
    return {bytes_.data(), family_ == IpFamily::kV4 ? 4U : 16U};
  }
  // IPv4 only.
  [[nodiscard]] std::uint32_t v4_host_order() const;
  // Compressed lower-case text, as `ipset` and `iptables` print it.
  [[nodiscard]] std::string ToString() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const IpAddress& a) {
    return H::combine(std::move(h), a.family_, a.bytes_);
  }

 private:
  IpFamily family_ = IpFamily::kV4;
  std::array<std::uint8_t, 16> bytes_{};  // IPv4 uses the first four
};

// A network: an address whose bits behind the prefix are zero, and the prefix length. Orders by
// address, then by length.
class Cidr {
 public:
  Cidr() = default;  // 0.0.0.0/0
  // Host bits are cleared. `prefix_length` must fit the family.
  Cidr(const IpAddress& address, int prefix_length);

  // "10.0.0.0/8" or a plain address, which is its /32 or /128. Host bits are cleared.
  static absl::StatusOr<Cidr> Parse(std::string_view text);
  static Cidr Host(const IpAddress& address);
  static Cidr All(IpFamily family);

  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] int prefix_length() const { return prefix_length_; }
  [[nodiscard]] IpFamily family() const { return address_.family(); }
  [[nodiscard]] bool IsHost() const {
    return prefix_length_ == (family() == IpFamily::kV4 ? 32 : 128);
  }
  [[nodiscard]] bool Contains(const IpAddress& address) const;
  // Always with the prefix length: "10.0.0.1/32".
  [[nodiscard]] std::string ToString() const;

  friend auto operator<=>(const Cidr&, const Cidr&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const Cidr& c) {
    return H::combine(std::move(h), c.address_, c.prefix_length_);
  }

 private:
  IpAddress address_;
  std::uint8_t prefix_length_ = 0;
};

}  // namespace felix::model
