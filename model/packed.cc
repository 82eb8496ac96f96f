// SPDX-License-Identifier: Apache-2.0
#include "model/packed.h"

#include <cstring>

namespace felix::model {
namespace {

// A length of a prefix with the family: IPv6 begins behind IPv4's 32.
constexpr std::uint8_t kV6Lengths = 64;

}  // namespace

void Packer::Clear() {
  bytes_.clear();
  label_sets_.clear();
  selectors_.clear();
}

void Packer::Number(std::uint64_t number) {
  for (; number >= 0x80; number >>= 7U) bytes_ += static_cast<char>(number | 0x80U);
  bytes_ += static_cast<char>(number);
}

void Packer::Bytes(const void* data, std::size_t size) {
  bytes_.append(static_cast<const char*>(data), size);
}

void Packer::Text(std::string_view text) {
  Number(text.size());
  bytes_.append(text);
}

void Packer::Net(const Cidr& net) {
  const bool v6 = net.family() == IpFamily::kV6;
  bytes_ += static_cast<char>(net.prefix_length() + (v6 ? kV6Lengths : 0));
  Bytes(net.address().bytes().data(), net.address().bytes().size());
}

std::uint64_t Unpacker::Number() {
  std::uint64_t number = 0;
  for (unsigned shift = 0;; shift += 7) {
    const auto byte = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    number |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return number;
  }
}

void Unpacker::Bytes(void* data, std::size_t size) {
  std::memcpy(data, bytes_.data(), size);
  bytes_.remove_prefix(size);
}

std::string Unpacker::Text() {
  const std::uint64_t size = Number();
  std::string text(bytes_.substr(0, size));
  bytes_.remove_prefix(size);
  return text;
}

Cidr Unpacker::Net() {
  const auto length = static_cast<std::uint8_t>(bytes_.front());
  bytes_.remove_prefix(1);
  std::array<std::uint8_t, 16> address{};
  if (length >= kV6Lengths) {
    Bytes(address.data(), 16);
    return Cidr(IpAddress::V6(address), length - kV6Lengths);
  }
  Bytes(address.data(), 4);
  return Cidr(IpAddress::V4(std::uint32_t{address[0]} << 24U | std::uint32_t{address[1]} << 16U |
                            std::uint32_t{address[2]} << 8U | std::uint32_t{address[3]}),
              length);
}

}  // namespace felix::model
