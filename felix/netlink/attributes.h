// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>

#include "model/address.h"

struct nlattr;
struct nlmsghdr;

namespace felix::netlink {

// The first attribute of that type in the message behind a fixed header of that size, or in another
// attribute; null if there is none. What the kernel sent is not trusted to be well-formed.
[[nodiscard]] const nlattr* FindAttribute(const nlmsghdr& message, std::size_t header, int type);
[[nodiscard]] const nlattr* FindAttribute(const nlattr& parent, int type);

// The payload as a value of that size; none if the attribute is null or has another size.
template <typename Value>
[[nodiscard]] std::optional<Value> ValueOf(const nlattr* attribute);
// Four or sixteen bytes in network order.
[[nodiscard]] std::optional<model::IpAddress> AddressOf(const nlattr* attribute);

[[nodiscard]] std::size_t PayloadSize(const nlattr& attribute);
[[nodiscard]] const void* Payload(const nlattr& attribute);

template <typename Value>
std::optional<Value> ValueOf(const nlattr* attribute) {
  Value value{};
  if (attribute == nullptr || PayloadSize(*attribute) != sizeof(value)) return std::nullopt;
  std::memcpy(&value, Payload(*attribute), sizeof(value));
  return value;
}

}  // namespace felix::netlink
