// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "model/address.h"

namespace felix::iptables {

// Where the fields of an entry are that both families have.
struct EntryLayout {
  std::size_t header;
  std::size_t target_offset;
  std::size_t next_offset;
  std::size_t comefrom;  // the kernel's own remark; only the counters are behind it
};

constexpr EntryLayout LayoutOf(model::IpFamily family) {
  if (family == model::IpFamily::kV4) {
    return {sizeof(ipt_entry), offsetof(ipt_entry, target_offset), offsetof(ipt_entry, next_offset),
            offsetof(ipt_entry, comefrom)};
  }
  return {sizeof(ip6t_entry), offsetof(ip6t_entry, target_offset),
          offsetof(ip6t_entry, next_offset), offsetof(ip6t_entry, comefrom)};
}

// One entry among those of a table; reads without a copy and without checks.
class EntryView {
 public:
  // The layout must live longer.
  EntryView(const char* at, const EntryLayout& layout) : at_(at), layout_(layout) {}
  EntryView(const char* at, EntryLayout&& layout) = delete;

  [[nodiscard]] std::uint32_t size() const { return Load<std::uint16_t>(layout_.next_offset); }
  [[nodiscard]] std::uint32_t target_offset() const {
    return Load<std::uint16_t>(layout_.target_offset);
  }
  [[nodiscard]] std::string_view target_name() const {
    const char* name = at_ + target_offset() + sizeof(std::uint16_t);
    return {name, strnlen(name, XT_EXTENSION_MAXNAMELEN)};
  }
  // A verdict, or a place in the table to go on at.
  [[nodiscard]] bool is_standard() const {
    return at_[target_offset() + sizeof(std::uint16_t)] == '\0';
  }
  [[nodiscard]] std::int32_t verdict() const { return Load<std::int32_t>(verdict_offset()); }
  [[nodiscard]] std::size_t verdict_offset() const {
    return target_offset() + sizeof(xt_entry_target);
  }

 private:
  template <typename T>
  [[nodiscard]] T Load(std::size_t offset) const {
    T value;
    std::memcpy(&value, at_ + offset, sizeof value);
    return value;
  }

  const char* at_;
  const EntryLayout& layout_;
};

inline constexpr std::string_view kErrorTarget = XT_ERROR_TARGET;

}  // namespace felix::iptables
