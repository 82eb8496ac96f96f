// SPDX-License-Identifier: Apache-2.0
#include "model/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "fmt/format.h"

#include "model/base/check.h"
#include "model/base/status_macros.h"
#include "model/base/strings.h"

namespace felix::model {
namespace {

constexpr std::size_t kLongestText = INET6_ADDRSTRLEN - 1;
constexpr int kMappedPrefixLength = 96;

int Width(IpFamily family) {
  return family == IpFamily::kV4 ? 32 : 128;
}

absl::Status Refuse(std::string_view what, std::string_view text) {
  return absl::InvalidArgumentError(
      fmt::format("parse {} \"{}\": not valid", what,
                  absl::CHexEscape(ToAbsl(text.substr(0, kLongestText + 4)))));
}

// Keeps IPv4-mapped addresses as IPv6: for networks the prefix length decides what they are.
std::optional<IpAddress> ParseUnmapped(std::string_view text) {
  // inet_pton reads up to the first NUL; the text must not end there for us to agree with it.
  if (text.size() > kLongestText || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  in_addr v4{};
  if (inet_pton(AF_INET, terminated.c_str(), &v4) == 1) return IpAddress::V4(ntohl(v4.s_addr));
  std::array<std::uint8_t, 16> v6{};
  if (inet_pton(AF_INET6, terminated.c_str(), v6.data()) == 1) return IpAddress::V6(v6);
  return std::nullopt;
}

bool IsMapped(const IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return address.family() == IpFamily::kV6 &&
         std::equal(kMapped.begin(), kMapped.end(), address.bytes().begin());
}

IpAddress Unmap(const IpAddress& address) {
  if (!IsMapped(address)) return address;
  std::uint32_t value = 0;
  for (const std::uint8_t byte : address.bytes().subspan(12)) value = (value << 8U) | byte;
  return IpAddress::V4(value);
}

std::optional<int> ParsePrefixLength(std::string_view text, int width) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  unsigned value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value > static_cast<unsigned>(width)) {
    return std::nullopt;
  }
  return static_cast<int>(value);
}

// The bits of byte `index` that belong to the network.
std::uint8_t ByteMask(int prefix_length, int index) {
  const int bits = std::clamp(prefix_length - 8 * index, 0, 8);
  return static_cast<std::uint8_t>(0xff00U >> static_cast<unsigned>(bits));
}

IpAddress Masked(const IpAddress& address, int prefix_length) {
  std::array<std::uint8_t, 16> masked{};
  const auto bytes = address.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    masked.at(i) =
        static_cast<std::uint8_t>(bytes[i] & ByteMask(prefix_length, static_cast<int>(i)));
  }
  if (address.family() == IpFamily::kV6) return IpAddress::V6(masked);
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = (value << 8U) | masked.at(i);
  return IpAddress::V4(value);
}

}  // namespace

absl::StatusOr<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::optional<IpAddress> address = ParseUnmapped(text);
  if (!address.has_value()) return Refuse("IP address", text);
  return Unmap(*address);
}

IpAddress IpAddress::V4(std::uint32_t host_order) {
  IpAddress address;
  for (std::size_t i = 0; i < 4; ++i) {
    address.bytes_.at(i) = static_cast<std::uint8_t>(host_order >> (24U - 8U * i));
  }
  return address;
}

IpAddress IpAddress::V6(const std::array<std::uint8_t, 16>& network_order) {
  IpAddress address;
  address.family_ = IpFamily::kV6;
  address.bytes_ = network_order;
  return address;
}

std::uint32_t IpAddress::v4_host_order() const {
  FELIX_CHECK(family_ == IpFamily::kV4, "an IPv6 address has no 32-bit value");
  std::uint32_t value = 0;
  for (const std::uint8_t byte : bytes()) value = (value << 8U) | byte;
  return value;
}

std::string IpAddress::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = family_ == IpFamily::kV4 ? AF_INET : AF_INET6;
  const char* end = inet_ntop(family, bytes_.data(), text.data(), text.size());
  FELIX_CHECK(end != nullptr, "inet_ntop needs more room than its own constant says");
  return text.data();
}

Cidr::Cidr(const IpAddress& address, int prefix_length)
    : prefix_length_(static_cast<std::uint8_t>(prefix_length)) {
  FELIX_CHECK(prefix_length >= 0 && prefix_length <= Width(address.family()),
              "the prefix length does not fit the family");
  address_ = Masked(address, prefix_length);
}

absl::StatusOr<Cidr> Cidr::Parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    const std::optional<IpAddress> address = ParseUnmapped(text);
    if (!address.has_value()) return Refuse("network", text);
    return Host(Unmap(*address));
  }
  const std::optional<IpAddress> address = ParseUnmapped(text.substr(0, slash));
  if (!address.has_value()) return Refuse("network", text);
  const std::optional<int> length =
      ParsePrefixLength(text.substr(slash + 1), Width(address->family()));
  if (!length.has_value()) return Refuse("network", text);
  // A network inside ::ffff:0:0/96 holds IPv4 addresses only; a shorter prefix reaches beyond them.
  if (IsMapped(*address) && *length >= kMappedPrefixLength) {
    return Cidr(Unmap(*address), *length - kMappedPrefixLength);
  }
  return Cidr(*address, *length);
}

Cidr Cidr::Host(const IpAddress& address) {
  return Cidr(address, Width(address.family()));
}

Cidr Cidr::All(IpFamily family) {
  return Cidr(family == IpFamily::kV4 ? IpAddress::V4(0) : IpAddress::V6({}), 0);
}

bool Cidr::Contains(const IpAddress& address) const {
  if (address.family() != family()) return false;
  const auto ours = address_.bytes();
  const auto theirs = address.bytes();
  for (std::size_t i = 0; i < ours.size() && static_cast<int>(8 * i) < prefix_length_; ++i) {
    if (((ours[i] ^ theirs[i]) & ByteMask(prefix_length_, static_cast<int>(i))) != 0) return false;
  }
  return true;
}

std::string Cidr::ToString() const {
  return fmt::format("{}/{}", address_.ToString(), static_cast<int>(prefix_length_));
}

}  // namespace felix::model
