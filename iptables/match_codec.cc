// SPDX-License-Identifier: Apache-2.0
#include "iptables/match_codec.h"

#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_rpfilter.h>
#include <linux/netfilter/xt_set.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "fmt/format.h"

#include "model/base/check.h"
#include "model/base/status_macros.h"

namespace felix::iptables {
namespace {

static_assert(sizeof(ipt_icmp) == sizeof(ip6t_icmp));
static_assert(XT_MULTI_PORTS == ir::kMaxPortSlots);
// The kernel's type has this bit for addresses of the host (RTN_LOCAL of rtnetlink).
constexpr std::uint16_t kLocalType = XT_ADDRTYPE_LOCAL;
constexpr std::uint32_t kSecondsPerDay = 86400;
constexpr std::uint8_t kAnyIcmpType = 255;  // the kernel's wildcard in IPv4

struct StateBit {
  std::uint8_t ours;
  std::uint16_t kernel;
};
constexpr StateBit kStates[] = {
    {ir::ConntrackMatch::kNew, XT_CONNTRACK_STATE_BIT(IP_CT_NEW)},
    {ir::ConntrackMatch::kEstablished, XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED)},
    {ir::ConntrackMatch::kRelated, XT_CONNTRACK_STATE_BIT(IP_CT_RELATED)},
    {ir::ConntrackMatch::kInvalid, XT_CONNTRACK_STATE_INVALID},
    {ir::ConntrackMatch::kDnat, XT_CONNTRACK_STATE_DNAT},
};

class MatchWriter {
 public:
  MatchWriter(std::optional<model::Protocol> protocol, model::IpFamily family,
              const SetIndexResolver& index_of, std::string& entry)
      : protocol_(protocol), family_(family), index_of_(index_of), entry_(entry) {}

  absl::Status operator()(const ir::PortsMatch& m) const {
    if (!protocol_ || !protocol_->HasPorts()) {
      return absl::InvalidArgumentError("ports in a rule without a protocol that has ports");
    }
    if (m.ranges.empty()) return absl::InvalidArgumentError("ports match without ports");
    ZeroedBytes<xt_multiport_v1> data;
    data->flags = m.side == ir::Side::kSource ? XT_MULTIPORT_SOURCE : XT_MULTIPORT_DESTINATION;
    data->invert = m.negated ? 1 : 0;
    int slots = 0;
    for (const model::PortRange& range : m.ranges) {
      if (range.first > range.last) {
        return absl::InvalidArgumentError(fmt::format("reversed ports {}", range.ToString()));
      }
      const bool is_range = range.first != range.last;
      if (slots + (is_range ? 2 : 1) > XT_MULTI_PORTS) {
        return absl::InvalidArgumentError(
            fmt::format("more than {} port slots in one match", XT_MULTI_PORTS));
      }
      data->pflags[slots] = is_range ? 1 : 0;
      data->ports[slots++] = range.first;
      if (is_range) data->ports[slots++] = range.last;
    }
    data->count = static_cast<std::uint8_t>(slots);
    AppendExtension("multiport", 1, data.view(), entry_);
    return absl::OkStatus();
  }

  absl::Status operator()(const ir::SetMatch& m) const {
    FELIX_ASSIGN_OR_RETURN(const std::uint16_t index,
                           index_of_(ir::SetKey{.family = family_, .id = m.set_id}));
    ZeroedBytes<xt_set_info_match_v4> data;
    data->match_set.index = index;
    data->match_set.dim = m.with_port ? IPSET_DIM_TWO : IPSET_DIM_ONE;
    unsigned flags = 0;
    if (m.side == ir::Side::kSource) flags |= IPSET_DIM_ONE_SRC;
    if (m.side == ir::Side::kSource && m.with_port) flags |= IPSET_DIM_TWO_SRC;
    if (m.negated) flags |= IPSET_INV_MATCH;
    data->match_set.flags = static_cast<std::uint8_t>(flags);
    AppendExtension("set", 4, data.view(), entry_);
    return absl::OkStatus();
  }

  absl::Status operator()(const ir::IcmpTypeMatch& m) const {
    const bool v4 = family_ == model::IpFamily::kV4;
    if (protocol_ != (v4 ? model::kIcmp : model::kIcmpV6)) {
      return absl::InvalidArgumentError(
          fmt::format("ICMP type in a rule without protocol {}", v4 ? "icmp" : "icmpv6"));
    }
    if (m.icmp.type == kAnyIcmpType) return absl::InvalidArgumentError("ICMP type 255");
    ZeroedBytes<ipt_icmp> data;
    data->type = m.icmp.type;
    data->code[0] = m.icmp.code.value_or(0);
    data->code[1] = m.icmp.code.value_or(255);
    data->invflags = m.negated ? IPT_ICMP_INV : 0;
    AppendExtension(v4 ? "icmp" : "icmp6", 0, data.view(), entry_);
    return absl::OkStatus();
  }

  absl::Status operator()(const ir::ConntrackMatch& m) const {
    ZeroedBytes<xt_conntrack_mtinfo3> data;
    for (const auto& [ours, kernel] : kStates) {
      if ((m.states & ours) != 0) {
        data->state_mask = static_cast<std::uint16_t>(data->state_mask | kernel);
      }
    }
    if (data->state_mask == 0) return absl::InvalidArgumentError("conntrack match without states");
    data->match_flags = XT_CONNTRACK_STATE;
    data->invert_flags = m.negated ? XT_CONNTRACK_STATE : 0;
    AppendExtension("conntrack", 3, data.view(), entry_);
    return absl::OkStatus();
  }

  absl::Status operator()(const ir::MarkMatch& m) const {
    ZeroedBytes<xt_mark_mtinfo1> data;
    data->mark = m.value;
    data->mask = m.mask;
    data->invert = m.negated ? 1 : 0;
    AppendExtension("mark", 1, data.view(), entry_);
    return absl::OkStatus();
  }

  absl::Status operator()(const ir::LocalAddressMatch& m) const {
    const bool source = m.side == ir::Side::kSource;
    ZeroedBytes<xt_addrtype_info_v1> data;
    (source ? data->source : data->dest) = kLocalType;
    unsigned flags = 0;
    if (m.negated) flags |= source ? XT_ADDRTYPE_INVERT_SOURCE : XT_ADDRTYPE_INVERT_DEST;
    if (m.of_out_interface) flags |= XT_ADDRTYPE_LIMIT_IFACE_OUT;
    data->flags = flags;
    AppendExtension("addrtype", 1, data.view(), entry_);
    return absl::OkStatus();
  }

  absl::Status operator()(const ir::ReversePathMatch& m) const {
    ZeroedBytes<xt_rpfilter_info> data;
    data->flags = static_cast<std::uint8_t>((m.with_mark ? unsigned{XT_RPFILTER_VALID_MARK} : 0U) |
                                            (m.negated ? unsigned{XT_RPFILTER_INVERT} : 0U));
    AppendExtension("rpfilter", 0, data.view(), entry_);
    return absl::OkStatus();
  }

  absl::Status operator()(const ir::LimitMatch& m) const {
    const std::uint64_t scaled_period =
        std::uint64_t{XT_LIMIT_SCALE} * ir::SecondsOf(m.unit) / std::max(m.rate, 1U);
    if (m.rate == 0 || scaled_period == 0) {
      return absl::InvalidArgumentError(fmt::format("limit of {} packets", ir::LimitText(m)));
    }
    // The kernel refuses what overflows its counters; how much that is depends on its clock, but a
    // day's worth always fits.
    if (m.burst == 0 || m.burst * scaled_period > std::uint64_t{kSecondsPerDay} * XT_LIMIT_SCALE) {
      return absl::InvalidArgumentError(
          fmt::format("limit of {} with a burst of {}: not 1 to a day's worth of packets",
                      ir::LimitText(m), m.burst));
    }
    ZeroedBytes<xt_rateinfo> data;
    data->avg = static_cast<std::uint32_t>(scaled_period);
    data->burst = m.burst;
    AppendExtension("limit", 0, data.view(), entry_);
    return absl::OkStatus();
  }

  template <typename HeaderMatch>
  absl::Status operator()(const HeaderMatch&) const {
    FELIX_CHECK(false, "a header match is no extension");
  }

 private:
  std::optional<model::Protocol> protocol_;
  model::IpFamily family_;
  const SetIndexResolver& index_of_;
  std::string& entry_;
};

absl::Status Foreign(std::string_view name) {
  return absl::InvalidArgumentError(fmt::format("options of match {} that are never ours", name));
}

absl::StatusOr<ir::Match> DecodePorts(const xt_multiport_v1& data) {
  if (data.flags > XT_MULTIPORT_DESTINATION || data.count > XT_MULTI_PORTS) {
    return Foreign("multiport");
  }
  ir::PortsMatch match{
      .side = data.flags == XT_MULTIPORT_SOURCE ? ir::Side::kSource : ir::Side::kDestination,
      .ranges = {},
      .negated = data.invert != 0};
  for (int i = 0; i < data.count; ++i) {
    const std::uint16_t first = data.ports[i];
    if (data.pflags[i] != 0 && ++i >= data.count) return Foreign("multiport");
    match.ranges.push_back({.first = first, .last = data.ports[i]});
  }
  return match;
}

absl::StatusOr<ir::Match> DecodeSet(const xt_set_info_match_v4& data, const SetIdResolver& id_of) {
  const unsigned flags = data.match_set.flags;
  const bool with_port = data.match_set.dim == IPSET_DIM_TWO;
  const unsigned source =
      unsigned{IPSET_DIM_ONE_SRC} | (with_port ? unsigned{IPSET_DIM_TWO_SRC} : 0U);
  const unsigned sides = flags & ~unsigned{IPSET_INV_MATCH};
  if ((!with_port && data.match_set.dim != IPSET_DIM_ONE) || (sides != 0 && sides != source) ||
      data.flags != 0 || data.packets.op != IPSET_COUNTER_NONE ||
      data.bytes.op != IPSET_COUNTER_NONE) {
    return Foreign("set");
  }
  FELIX_ASSIGN_OR_RETURN(std::string id, id_of(data.match_set.index));
  return ir::SetMatch{.set_id = std::move(id),
                      .with_port = with_port,
                      .side = sides == 0 ? ir::Side::kDestination : ir::Side::kSource,
                      .negated = (flags & IPSET_INV_MATCH) != 0};
}

absl::StatusOr<ir::Match> DecodeIcmp(const ipt_icmp& data) {
  ir::IcmpTypeMatch match{.icmp = {.type = data.type, .code = {}}, .negated = data.invflags != 0};
  if (data.code[0] == data.code[1]) {
    match.icmp.code = data.code[0];
  } else if (data.code[0] != 0 || data.code[1] != 255) {
    return Foreign("icmp");
  }
  return match;
}

absl::StatusOr<ir::Match> DecodeConntrack(const xt_conntrack_mtinfo3& data) {
  ir::ConntrackMatch match{.states = 0, .negated = data.invert_flags != 0};
  unsigned unknown = data.state_mask;
  for (const auto& [ours, kernel] : kStates) {
    if ((data.state_mask & kernel) == 0) continue;
    match.states = static_cast<std::uint8_t>(match.states | ours);
    unknown &= ~unsigned{kernel};
  }
  if (unknown != 0 || data.match_flags != XT_CONNTRACK_STATE ||
      (data.invert_flags & ~XT_CONNTRACK_STATE) != 0) {
    return Foreign("conntrack");
  }
  return match;
}

absl::StatusOr<ir::Match> DecodeAddressType(const xt_addrtype_info_v1& data) {
  const bool source = data.source == kLocalType && data.dest == 0;
  const bool destination = data.dest == kLocalType && data.source == 0;
  const unsigned inverted = source ? XT_ADDRTYPE_INVERT_SOURCE : XT_ADDRTYPE_INVERT_DEST;
  if ((!source && !destination) ||
      (data.flags & ~(inverted | unsigned{XT_ADDRTYPE_LIMIT_IFACE_OUT})) != 0) {
    return Foreign("addrtype");
  }
  return ir::LocalAddressMatch{.side = source ? ir::Side::kSource : ir::Side::kDestination,
                               .of_out_interface = (data.flags & XT_ADDRTYPE_LIMIT_IFACE_OUT) != 0,
                               .negated = (data.flags & inverted) != 0};
}

absl::StatusOr<ir::Match> DecodeReversePath(const xt_rpfilter_info& data) {
  const unsigned flags = data.flags;
  if ((flags & ~unsigned{XT_RPFILTER_VALID_MARK | XT_RPFILTER_INVERT}) != 0) {
    return Foreign("rpfilter");
  }
  return ir::ReversePathMatch{.with_mark = (flags & XT_RPFILTER_VALID_MARK) != 0,
                              .negated = (flags & XT_RPFILTER_INVERT) != 0};
}

// The kernel keeps the time between two packets. The smallest unit that says it in whole packets.
absl::StatusOr<ir::Match> DecodeLimit(const xt_rateinfo& data) {
  using Unit = ir::LimitMatch::Unit;
  for (const Unit unit : {Unit::kSecond, Unit::kMinute, Unit::kHour, Unit::kDay}) {
    const std::uint32_t scaled = XT_LIMIT_SCALE * ir::SecondsOf(unit);
    const std::uint32_t rate = data.avg == 0 ? 0 : scaled / data.avg;
    if (rate != 0 && scaled / rate == data.avg) {
      return ir::LimitMatch{.rate = rate, .unit = unit, .burst = data.burst};
    }
  }
  return Foreign("limit");
}

template <typename T>
bool Is(const Extension& match, std::string_view name, std::uint8_t revision) {
  return match.name == name && match.revision == revision && match.data.size() >= sizeof(T);
}

}  // namespace

std::optional<model::Protocol> RequiredProtocol(const std::vector<ir::Match>& matches) {
  for (const ir::Match& match : matches) {
    const auto* protocol = std::get_if<ir::ProtocolMatch>(&match);
    if (protocol != nullptr && !protocol->negated) return protocol->protocol;
  }
  return std::nullopt;
}

absl::Status AppendMatch(const ir::Match& match, std::optional<model::Protocol> protocol,
                         model::IpFamily family, const SetIndexResolver& index_of,
                         std::string& entry) {
  return std::visit(MatchWriter(protocol, family, index_of, entry), match);
}

void AppendTag(std::string& entry) {
  std::string data(kTag);
  data.resize(XT_MAX_COMMENT_LEN, '\0');
  AppendExtension("comment", 0, data, entry);
}

bool IsTag(const Extension& match) {
  if (match.name != "comment") return false;
  const std::string_view text = match.data.substr(0, match.data.find('\0'));
  if (text.size() <= kTagPrefix.size() || text.substr(0, kTagPrefix.size()) != kTagPrefix) {
    return false;
  }
  const std::string_view id = text.substr(kTagPrefix.size());
  return std::all_of(id.begin(), id.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
}

std::size_t PublicMatchSize(const Extension& match) {
  return Is<xt_rateinfo>(match, "limit", 0) ? offsetof(xt_rateinfo, prev) : match.data.size();
}

absl::StatusOr<std::optional<ir::Match>> DecodeMatch(const Extension& match, model::IpFamily family,
                                                     const SetIdResolver& id_of) {
  if (match.name == "comment") return std::optional<ir::Match>();
  absl::StatusOr<ir::Match> decoded = absl::InvalidArgumentError(fmt::format(
      "match {} revision {} is never ours", match.name, static_cast<int>(match.revision)));
  const std::string_view icmp = family == model::IpFamily::kV4 ? "icmp" : "icmp6";
  if (Is<xt_multiport_v1>(match, "multiport", 1)) {
    decoded = DecodePorts(LoadBytes<xt_multiport_v1>(match.data));
  } else if (Is<xt_set_info_match_v4>(match, "set", 4)) {
    decoded = DecodeSet(LoadBytes<xt_set_info_match_v4>(match.data), id_of);
  } else if (Is<ipt_icmp>(match, icmp, 0)) {
    decoded = DecodeIcmp(LoadBytes<ipt_icmp>(match.data));
  } else if (Is<xt_conntrack_mtinfo3>(match, "conntrack", 3)) {
    decoded = DecodeConntrack(LoadBytes<xt_conntrack_mtinfo3>(match.data));
  } else if (Is<xt_mark_mtinfo1>(match, "mark", 1)) {
    const auto data = LoadBytes<xt_mark_mtinfo1>(match.data);
    decoded = ir::MarkMatch{.value = data.mark, .mask = data.mask, .negated = data.invert != 0};
  } else if (Is<xt_addrtype_info_v1>(match, "addrtype", 1)) {
    decoded = DecodeAddressType(LoadBytes<xt_addrtype_info_v1>(match.data));
  } else if (Is<xt_rpfilter_info>(match, "rpfilter", 0)) {
    decoded = DecodeReversePath(LoadBytes<xt_rpfilter_info>(match.data));
  } else if (Is<xt_rateinfo>(match, "limit", 0)) {
    decoded = DecodeLimit(LoadBytes<xt_rateinfo>(match.data));
  }
  FELIX_RETURN_IF_ERROR(decoded.status());
  return std::optional<ir::Match>(*std::move(decoded));
}

}  // namespace felix::iptables
