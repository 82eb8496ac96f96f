// SPDX-License-Identifier: Apache-2.0
#include "iptables/nat_codec.h"

// The C library's header goes first: the kernel's yields to it.
// clang-format off
#include <netinet/in.h>
#include <linux/netfilter/nf_nat.h>
// clang-format on

#include <algorithm>
#include <array>
#include <cstring>

#include "fmt/format.h"

#include "model/base/status_macros.h"

namespace felix::iptables {
namespace {

// What all the structs say.
struct Range {
  std::optional<model::IpAddress> address;
  std::optional<model::PortRange> ports;
  bool fully_random = false;
};

unsigned FlagsOf(const Range& range) {
  unsigned flags = 0;
  if (range.address.has_value()) flags |= NF_NAT_RANGE_MAP_IPS;
  if (range.ports.has_value()) flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
  if (range.fully_random) flags |= NF_NAT_RANGE_PROTO_RANDOM_FULLY;
  return flags;
}

absl::Status Check(const Range& range, std::optional<model::Protocol> protocol,
                   model::IpFamily family) {
  if (range.address.has_value() && range.address->family() != family) {
    return absl::InvalidArgumentError(
        fmt::format("translation to {}, which is of the other family", range.address->ToString()));
  }
  if (!range.ports.has_value()) return absl::OkStatus();
  if (!protocol || !protocol->HasPorts()) {
    return absl::InvalidArgumentError(
        "translation of ports in a rule without a protocol that has ports");
  }
  if (range.ports->first > range.ports->last) {
    return absl::InvalidArgumentError(fmt::format("reversed ports {}", range.ports->ToString()));
  }
  return absl::OkStatus();
}

std::string InCompatStruct(const Range& range) {
  ZeroedBytes<nf_nat_ipv4_multi_range_compat> data;
  data->rangesize = 1;
  nf_nat_ipv4_range& out = data->range[0];
  out.flags = FlagsOf(range);
  if (range.address.has_value()) {
    out.min_ip = htonl(range.address->v4_host_order());
    out.max_ip = out.min_ip;
  }
  if (range.ports.has_value()) {
    out.min.all = htons(range.ports->first);
    out.max.all = htons(range.ports->last);
  }
  return std::string(data.view());
}

template <typename Struct>
std::string InStruct(const Range& range) {
  ZeroedBytes<Struct> data;
  data->flags = FlagsOf(range);
  if (range.address.has_value()) {
    const auto bytes = range.address->bytes();
    std::memcpy(&data->min_addr, bytes.data(), bytes.size());
    std::memcpy(&data->max_addr, bytes.data(), bytes.size());
  }
  if (range.ports.has_value()) {
    data->min_proto.all = htons(range.ports->first);
    data->max_proto.all = htons(range.ports->last);
  }
  return std::string(data.view());
}

absl::StatusOr<Range> Read(unsigned flags, const model::IpAddress& first,
                           const model::IpAddress& last, std::uint16_t first_port,
                           std::uint16_t last_port) {
  constexpr unsigned kOurs =
      NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED | NF_NAT_RANGE_PROTO_RANDOM_FULLY;
  if ((flags & ~kOurs) != 0 || first != last) {
    return absl::InvalidArgumentError("options of a translation that are never ours");
  }
  Range range;
  if ((flags & NF_NAT_RANGE_MAP_IPS) != 0) range.address = first;
  if ((flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0) {
    range.ports = model::PortRange{.first = ntohs(first_port), .last = ntohs(last_port)};
  }
  range.fully_random = (flags & NF_NAT_RANGE_PROTO_RANDOM_FULLY) != 0;
  return range;
}

absl::StatusOr<Range> FromCompatStruct(std::string_view bytes) {
  const auto data = LoadBytes<nf_nat_ipv4_multi_range_compat>(bytes);
  const nf_nat_ipv4_range& in = data.range[0];
  if (data.rangesize != 1) return absl::InvalidArgumentError("translation to several ranges");
  return Read(in.flags, model::IpAddress::V4(ntohl(in.min_ip)),
              model::IpAddress::V4(ntohl(in.max_ip)), in.min.all, in.max.all);
}

model::IpAddress AddressOf(const nf_inet_addr& address, model::IpFamily family) {
  if (family == model::IpFamily::kV4) return model::IpAddress::V4(ntohl(address.ip));
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &address, bytes.size());
  return model::IpAddress::V6(bytes);
}

template <typename Struct>
absl::StatusOr<Range> FromStruct(std::string_view bytes, model::IpFamily family) {
  const auto data = LoadBytes<Struct>(bytes);
  return Read(data.flags, AddressOf(data.min_addr, family), AddressOf(data.max_addr, family),
              data.min_proto.all, data.max_proto.all);
}

enum class Layout : std::uint8_t { kCompat, kRange, kRange2 };
struct Form {
  std::string_view name;
  model::IpFamily family;
  std::uint8_t revision;
  Layout layout;
};
constexpr std::array<Form, 6> kForms = {{
    {"MASQUERADE", model::IpFamily::kV4, 0, Layout::kCompat},
    {"MASQUERADE", model::IpFamily::kV6, 0, Layout::kRange},
    {"SNAT", model::IpFamily::kV4, 0, Layout::kCompat},
    {"SNAT", model::IpFamily::kV6, 1, Layout::kRange},
    {"DNAT", model::IpFamily::kV4, 2, Layout::kRange2},
    {"DNAT", model::IpFamily::kV6, 2, Layout::kRange2},
}};

const Form* FindForm(std::string_view name, model::IpFamily family) {
  const auto* const form = std::find_if(kForms.begin(), kForms.end(), [&](const Form& f) {
    return f.name == name && f.family == family;
  });
  return form == kForms.end() ? nullptr : form;
}

std::size_t SizeOf(Layout layout) {
  switch (layout) {
    case Layout::kCompat:
      return sizeof(nf_nat_ipv4_multi_range_compat);
    case Layout::kRange:
      return sizeof(nf_nat_range);
    case Layout::kRange2:
      break;
  }
  return sizeof(nf_nat_range2);
}

absl::StatusOr<NatTarget> EncodeRange(std::string_view name, const Range& range,
                                      std::optional<model::Protocol> protocol,
                                      model::IpFamily family) {
  FELIX_RETURN_IF_ERROR(Check(range, protocol, family));
  const Form& form = *FindForm(name, family);
  NatTarget target{.name = name, .revision = form.revision, .data = {}};
  switch (form.layout) {
    case Layout::kCompat:
      target.data = InCompatStruct(range);
      break;
    case Layout::kRange:
      target.data = InStruct<nf_nat_range>(range);
      break;
    case Layout::kRange2:
      target.data = InStruct<nf_nat_range2>(range);
      break;
  }
  return target;
}

absl::StatusOr<Range> DecodeRange(const Form& form, std::string_view bytes) {
  switch (form.layout) {
    case Layout::kCompat:
      return FromCompatStruct(bytes);
    case Layout::kRange:
      return FromStruct<nf_nat_range>(bytes, form.family);
    case Layout::kRange2:
      break;
  }
  return FromStruct<nf_nat_range2>(bytes, form.family);
}

}  // namespace

absl::StatusOr<NatTarget> EncodeNat(const ir::Masquerade& nat,
                                    std::optional<model::Protocol> protocol,
                                    model::IpFamily family) {
  const Range range{.address = {}, .ports = nat.ports, .fully_random = nat.fully_random};
  return EncodeRange("MASQUERADE", range, protocol, family);
}

absl::StatusOr<NatTarget> EncodeNat(const ir::SourceNat& nat,
                                    std::optional<model::Protocol> protocol,
                                    model::IpFamily family) {
  const Range range{.address = nat.address, .ports = nat.ports, .fully_random = nat.fully_random};
  return EncodeRange("SNAT", range, protocol, family);
}

absl::StatusOr<NatTarget> EncodeNat(const ir::DestinationNat& nat,
                                    std::optional<model::Protocol> protocol,
                                    model::IpFamily family) {
  const Range range{.address = nat.address, .ports = nat.ports, .fully_random = nat.fully_random};
  return EncodeRange("DNAT", range, protocol, family);
}

bool IsNat(const Extension& target) {
  return FindForm(target.name, model::IpFamily::kV4) != nullptr;
}

absl::StatusOr<ir::Action> DecodeNat(const Extension& target, model::IpFamily family) {
  const Form* form = FindForm(target.name, family);
  if (form == nullptr || target.revision != form->revision ||
      target.data.size() < SizeOf(form->layout)) {
    return absl::InvalidArgumentError(fmt::format("target {} revision {} is never ours",
                                                  target.name, static_cast<int>(target.revision)));
  }
  FELIX_ASSIGN_OR_RETURN(const Range range, DecodeRange(*form, target.data));
  if (target.name == "MASQUERADE") {
    return ir::Masquerade{.ports = range.ports, .fully_random = range.fully_random};
  }
  if (!range.address.has_value()) {
    return absl::InvalidArgumentError("translation without an address");
  }
  if (target.name == "SNAT") {
    return ir::SourceNat{
        .address = *range.address, .ports = range.ports, .fully_random = range.fully_random};
  }
  return ir::DestinationNat{
      .address = *range.address, .ports = range.ports, .fully_random = range.fully_random};
}

}  // namespace felix::iptables
