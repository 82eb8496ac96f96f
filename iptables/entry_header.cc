// SPDX-License-Identifier: Apache-2.0
#include "iptables/entry_header.h"

// The kernel's headers yield to the C library's, but only if those come first.
// clang-format off
#include <netinet/in.h>
#include <net/if.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
// clang-format on

#include <algorithm>
#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <variant>

#include "fmt/format.h"

#include "iptables/entry_bytes.h"
#include "model/base/status_macros.h"

namespace felix::iptables {
namespace {

// Flags of inversion have the same values in both families.
static_assert(IPT_INV_VIA_IN == IP6T_INV_VIA_IN && IPT_INV_VIA_OUT == IP6T_INV_VIA_OUT);
static_assert(IPT_INV_SRCIP == IP6T_INV_SRCIP && IPT_INV_DSTIP == IP6T_INV_DSTIP);
// No padding between the fields of the packet part, which is the first of an entry.
static_assert(offsetof(ipt_ip, invflags) == 4 * 4 + 4 * IFNAMSIZ + 3 &&
              offsetof(ipt_entry, ip) == 0);
static_assert(offsetof(ip6t_ip6, invflags) == 4 * 16 + 4 * IFNAMSIZ + 4 &&
              offsetof(ip6t_entry, ipv6) == 0);

struct V4 {
  using Entry = ipt_entry;
  using Ip = ipt_ip;
  static constexpr auto kFamily = model::IpFamily::kV4;
  static constexpr unsigned kGoto = IPT_F_GOTO;
  static constexpr unsigned kHasProtocol = 0;
  static Ip& ip(Entry& entry) { return entry.ip; }
  static model::IpAddress Address(const in_addr& a) {
    return model::IpAddress::V4(ntohl(a.s_addr));
  }
};

struct V6 {
  using Entry = ip6t_entry;
  using Ip = ip6t_ip6;
  static constexpr auto kFamily = model::IpFamily::kV6;
  static constexpr unsigned kGoto = IP6T_F_GOTO;
  // Without this flag the kernel does not look at the protocol at all.
  static constexpr unsigned kHasProtocol = IP6T_F_PROTO;
  static Ip& ip(Entry& entry) { return entry.ipv6; }
  static model::IpAddress Address(const in6_addr& a) {
    return model::IpAddress::V6(std::to_array(a.s6_addr));
  }
};

template <typename Body>
auto WithFamily(model::IpFamily family, Body body) {
  return family == model::IpFamily::kV4 ? body(V4{}) : body(V6{});
}

template <typename Flags>
void SetFlag(Flags& flags, unsigned flag) {
  flags = static_cast<Flags>(flags | flag);
}

template <typename F>
class HeaderWriter {
 public:
  absl::Status operator()(const ir::InterfaceMatch& m) {
    if (m.name.empty() || m.name.size() > kMaxInterfaceNameLength ||
        m.name.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(fmt::format("interface name '{}' is not of 1 to {} bytes",
                                                    m.name, kMaxInterfaceNameLength));
    }
    const bool in = m.way == ir::InterfaceMatch::Way::kIn;
    char* name = in ? ip().iniface : ip().outiface;
    unsigned char* mask = in ? ip().iniface_mask : ip().outiface_mask;
    if (mask[0] != 0) return Twice(in ? "incoming interface" : "outgoing interface");
    std::copy(m.name.begin(), m.name.end(), name);
    // The NUL under the mask is what tells a whole name from a prefix. No name can go on behind a
    // prefix of full length; as one, iptables-save would print what iptables-restore refuses.
    const bool is_prefix = m.is_prefix && m.name.size() < kMaxInterfaceNameLength;
    std::memset(mask, 0xff, m.name.size() + (is_prefix ? 0 : 1));
    if (m.negated) SetFlag(ip().invflags, in ? IPT_INV_VIA_IN : IPT_INV_VIA_OUT);
    return absl::OkStatus();
  }

  absl::Status operator()(const ir::AddressMatch& m) {
    if (m.net.family() != F::kFamily) {
      return absl::InvalidArgumentError(
          fmt::format("network {} is of the other family", m.net.ToString()));
    }
    const bool source = m.side == ir::Side::kSource;
    bool& seen = source ? seen_source_ : seen_destination_;
    if (seen) return Twice(source ? "source network" : "destination network");
    seen = true;
    auto& address = source ? ip().src : ip().dst;
    auto& mask = source ? ip().smsk : ip().dmsk;
    std::memcpy(&address, m.net.address().bytes().data(), sizeof(address));
    WriteMask(m.net.prefix_length(), mask);
    if (m.negated) SetFlag(ip().invflags, source ? IPT_INV_SRCIP : IPT_INV_DSTIP);
    return absl::OkStatus();
  }

  absl::Status operator()(const ir::ProtocolMatch& m) {
    if (m.protocol.number == 0) return absl::InvalidArgumentError("protocol 0 means any protocol");
    if (ip().proto != 0) return Twice("protocol");
    ip().proto = m.protocol.number;
    SetFlag(ip().flags, F::kHasProtocol);
    if (m.negated) SetFlag(ip().invflags, XT_INV_PROTO);
    return absl::OkStatus();
  }

  template <typename Other>
  absl::Status operator()(const Other&) {
    return absl::OkStatus();
  }

  void SetGoto() { SetFlag(ip().flags, F::kGoto); }
  [[nodiscard]] std::string bytes() const {
    std::string out(ip_.view());  // the first field of the entry
    out.resize(sizeof(typename F::Entry), '\0');
    return out;
  }

 private:
  typename F::Ip& ip() { return *ip_; }

  static absl::Status Twice(std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("two conditions on the {} in one rule", what));
  }

  template <typename Mask>
  static void WriteMask(int prefix_length, Mask& mask) {
    std::uint8_t bytes[sizeof(Mask)] = {};
    for (int bit = 0; bit < prefix_length; ++bit) {
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | (0x80 >> (bit % 8)));
    }
    std::memcpy(&mask, bytes, sizeof(Mask));
  }

  ZeroedBytes<typename F::Ip> ip_;
  bool seen_source_ = false;
  bool seen_destination_ = false;
};

void AddInterface(std::span<const char, IFNAMSIZ> name,
                  std::span<const unsigned char, IFNAMSIZ> mask, bool negated,
                  ir::InterfaceMatch::Way way, std::vector<ir::Match>& out) {
  const auto masked =
      static_cast<std::size_t>(std::find(mask.begin(), mask.end(), 0) - mask.begin());
  if (masked == 0) return;
  const std::string_view text(name.data(), masked);
  const bool is_prefix = text.back() != '\0';
  out.emplace_back(ir::InterfaceMatch{.way = way,
                                      .name = std::string(text.substr(0, text.find('\0'))),
                                      .is_prefix = is_prefix,
                                      .negated = negated});
}

template <typename F, typename Address>
absl::Status AddAddress(const Address& address, const Address& mask, bool negated, ir::Side side,
                        std::vector<ir::Match>& out) {
  std::array<unsigned char, sizeof(Address)> bytes;
  std::memcpy(bytes.data(), &mask, sizeof(Address));
  int length = 0;
  const auto bit = [&](int i) {
    return ((bytes[static_cast<std::size_t>(i / 8)] >> (7 - i % 8)) & 1) != 0;
  };
  const int bits = static_cast<int>(sizeof(Address)) * 8;
  while (length < bits && bit(length)) ++length;
  for (int i = length; i < bits; ++i) {
    if (bit(i)) return absl::InvalidArgumentError("network mask with holes");
  }
  if (length == 0 && !negated) return absl::OkStatus();
  out.emplace_back(ir::AddressMatch{
      .side = side, .net = model::Cidr(F::Address(address), length), .negated = negated});
  return absl::OkStatus();
}

template <typename F>
absl::StatusOr<DecodedHeader> Decode(std::string_view bytes) {
  if (bytes.size() < sizeof(typename F::Entry)) {
    return absl::InvalidArgumentError("rule entry shorter than its head");
  }
  auto entry = LoadBytes<typename F::Entry>(bytes);
  const auto& ip = F::ip(entry);
  if (ip.proto > 255 || (ip.flags & ~(F::kGoto | F::kHasProtocol)) != 0 ||
      (ip.invflags &
       ~(IPT_INV_VIA_IN | IPT_INV_VIA_OUT | IPT_INV_SRCIP | IPT_INV_DSTIP | XT_INV_PROTO)) != 0) {
    return absl::InvalidArgumentError("rule entry with conditions that are never ours");
  }
  DecodedHeader header;
  header.is_goto = (ip.flags & F::kGoto) != 0;
  auto& out = header.matches;
  using Way = ir::InterfaceMatch::Way;
  const auto inverted = [&](unsigned flag) { return (ip.invflags & flag) != 0; };
  AddInterface(ip.iniface, ip.iniface_mask, inverted(IPT_INV_VIA_IN), Way::kIn, out);
  AddInterface(ip.outiface, ip.outiface_mask, inverted(IPT_INV_VIA_OUT), Way::kOut, out);
  FELIX_RETURN_IF_ERROR(
      AddAddress<F>(ip.src, ip.smsk, inverted(IPT_INV_SRCIP), ir::Side::kSource, out));
  FELIX_RETURN_IF_ERROR(
      AddAddress<F>(ip.dst, ip.dmsk, inverted(IPT_INV_DSTIP), ir::Side::kDestination, out));
  if (ip.proto != 0) {
    out.emplace_back(ir::ProtocolMatch{.protocol = {static_cast<std::uint8_t>(ip.proto)},
                                       .negated = inverted(XT_INV_PROTO)});
  }
  return header;
}

void MaskName(char* name, const unsigned char* mask) {
  for (int i = 0; i < IFNAMSIZ; ++i) {
    if (mask[i] == 0) name[i] = '\0';
  }
}

template <typename Address>
void MaskAddress(Address& address, const Address& mask) {
  auto* bytes = reinterpret_cast<unsigned char*>(&address);
  const auto* mask_bytes = reinterpret_cast<const unsigned char*>(&mask);
  for (std::size_t i = 0; i < sizeof(Address); ++i) {
    bytes[i] = static_cast<unsigned char>(bytes[i] & mask_bytes[i]);
  }
}

}  // namespace

std::size_t EntryHeaderSize(model::IpFamily family) {
  return WithFamily(family, [](auto f) { return sizeof(typename decltype(f)::Entry); });
}

bool IsHeaderMatch(const ir::Match& match) {
  return std::holds_alternative<ir::InterfaceMatch>(match) ||
         std::holds_alternative<ir::AddressMatch>(match) ||
         std::holds_alternative<ir::ProtocolMatch>(match);
}

absl::StatusOr<std::string> EncodeHeader(const std::vector<ir::Match>& matches, bool is_goto,
                                         model::IpFamily family) {
  return WithFamily(family, [&](auto f) -> absl::StatusOr<std::string> {
    HeaderWriter<decltype(f)> writer;
    for (const ir::Match& match : matches) FELIX_RETURN_IF_ERROR(std::visit(writer, match));
    if (is_goto) writer.SetGoto();
    return writer.bytes();
  });
}

void SetEntryOffsets(std::string& entry, std::size_t target_offset, model::IpFamily family) {
  WithFamily(family, [&](auto f) {
    using Entry = typename decltype(f)::Entry;
    const auto set = [&entry](std::size_t field, std::size_t value) {
      const auto offset = static_cast<std::uint16_t>(value);
      std::memcpy(entry.data() + field, &offset, sizeof(offset));
    };
    set(offsetof(Entry, target_offset), target_offset);
    set(offsetof(Entry, next_offset), entry.size());
  });
}

std::size_t TargetOffset(std::string_view entry, model::IpFamily family) {
  return WithFamily(family, [&](auto f) {
    return std::size_t{LoadBytes<typename decltype(f)::Entry>(entry).target_offset};
  });
}

absl::StatusOr<DecodedHeader> DecodeHeader(std::string_view entry, model::IpFamily family) {
  return WithFamily(family, [&](auto f) { return Decode<decltype(f)>(entry); });
}

void NormaliseHeader(std::string& entry, model::IpFamily family) {
  WithFamily(family, [&](auto f) {
    using F = decltype(f);
    auto original = LoadBytes<typename F::Entry>(entry);
    auto& from = F::ip(original);
    MaskName(from.iniface, from.iniface_mask);
    MaskName(from.outiface, from.outiface_mask);
    MaskAddress(from.src, from.smsk);
    MaskAddress(from.dst, from.dmsk);
    const auto target_offset = original.target_offset;
    std::memset(entry.data(), 0, sizeof(original));
    // Not the padding behind the last field.
    std::memcpy(entry.data(), &from, offsetof(typename F::Ip, invflags) + sizeof(from.invflags));
    SetEntryOffsets(entry, target_offset, family);
  });
}

}  // namespace felix::iptables
