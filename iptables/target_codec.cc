// SPDX-License-Identifier: Apache-2.0
#include "iptables/target_codec.h"

#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_NFLOG.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_set.h>
#include <linux/netfilter_ipv4/ipt_LOG.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6t_LOG.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <variant>

#include "fmt/format.h"

#include "iptables/nat_codec.h"
#include "model/base/status_macros.h"

namespace felix::iptables {
namespace {

// Size and layout are the same in both families; the number of "port unreachable" is not.
static_assert(sizeof(ipt_log_info) == sizeof(ip6t_log_info));
static_assert(sizeof(ipt_reject_info) == sizeof(std::uint32_t));
static_assert(sizeof(ip6t_reject_info) == sizeof(std::uint32_t));
constexpr std::size_t kMaxLogPrefix = sizeof(ipt_log_info::prefix) - 1;
constexpr std::size_t kMaxNetlinkLogPrefix = sizeof(xt_nflog_info::prefix) - 1;
constexpr std::uint8_t kMaxLogLevel = 7;

constexpr int kMaxSetDimensions = IPSET_DIM_THREE;

// One bit per dimension, from the second lowest on.
std::uint8_t SidesOf(const ir::MapSet& map) {
  if (map.side == ir::Side::kDestination) return 0;
  return static_cast<std::uint8_t>(((1U << map.dimensions) - 1U) << IPSET_DIM_ONE);
}

std::uint32_t PortUnreachable(model::IpFamily family) {
  return family == model::IpFamily::kV4 ? std::uint32_t{IPT_ICMP_PORT_UNREACHABLE}
                                        : std::uint32_t{IP6T_ICMP6_PORT_UNREACH};
}

class TargetWriter {
 public:
  TargetWriter(std::optional<model::Protocol> protocol, model::IpFamily family,
               const SetIndexResolver& index_of, EncodedRule& rule)
      : protocol_(protocol), family_(family), index_of_(index_of), rule_(rule) {}

  absl::Status operator()(const ir::Accept&) const { return Verdict("ACCEPT"); }
  absl::Status operator()(const ir::Drop&) const { return Verdict("DROP"); }
  absl::Status operator()(const ir::Return&) const { return Verdict("RETURN"); }
  absl::Status operator()(const ir::Jump& jump) const { return ToChain(jump.chain); }
  absl::Status operator()(const ir::Goto& go) const { return ToChain(go.chain); }

  absl::Status operator()(const ir::Reject&) const {
    return Add("REJECT", 0, AsBytes(PortUnreachable(family_)));
  }

  absl::Status operator()(const ir::SetMark& mark) const {
    ZeroedBytes<xt_mark_tginfo2> data;
    data->mark = mark.value;
    // The kernel clears the mask's bits and flips those of the value.
    data->mask = mark.mask | mark.value;
    return Add("MARK", 2, data.view());
  }

  absl::Status operator()(const ir::Log& log) const {
    FELIX_RETURN_IF_ERROR(CheckPrefix(log.prefix, kMaxLogPrefix));
    if (log.level > kMaxLogLevel) {
      return absl::InvalidArgumentError(fmt::format("log level {}", static_cast<int>(log.level)));
    }
    ZeroedBytes<ipt_log_info> data;
    data->level = log.level;
    std::memcpy(data->prefix, log.prefix.data(), log.prefix.size());
    return Add("LOG", 0, data.view());
  }

  absl::Status operator()(const ir::NetlinkLog& log) const {
    FELIX_RETURN_IF_ERROR(CheckPrefix(log.prefix, kMaxNetlinkLogPrefix));
    ZeroedBytes<xt_nflog_info> data;
    data->group = log.group;
    data->len = log.size;
    data->flags = log.size == 0 ? 0 : XT_NFLOG_F_COPY_LEN;
    std::memcpy(data->prefix, log.prefix.data(), log.prefix.size());
    return Add("NFLOG", 0, data.view());
  }

  absl::Status operator()(const ir::NoTrack&) const {
    ZeroedBytes<xt_ct_target_info_v1> data;
    data->flags = XT_CT_NOTRACK;
    return Add("CT", 2, data.view());
  }

  absl::Status operator()(const ir::MapSet& map) const {
    if (map.dimensions < 1 || map.dimensions > kMaxSetDimensions) {
      return absl::InvalidArgumentError(fmt::format("a set of {} dimensions", map.dimensions));
    }
    FELIX_ASSIGN_OR_RETURN(const std::uint16_t index,
                           index_of_(ir::SetKey{.family = family_, .id = map.set_id}));
    ZeroedBytes<xt_set_info_target_v3> data;
    data->add_set.index = IPSET_INVALID_ID;
    data->del_set.index = IPSET_INVALID_ID;
    data->map_set.index = index;
    data->map_set.dim = static_cast<std::uint8_t>(map.dimensions);
    data->map_set.flags = SidesOf(map);
    data->flags = IPSET_FLAG_MAP_SKBMARK;
    data->timeout = std::numeric_limits<std::uint32_t>::max();
    return Add("SET", 3, data.view());
  }

  absl::Status operator()(const ir::Masquerade& nat) const { return Translate(nat); }
  absl::Status operator()(const ir::SourceNat& nat) const { return Translate(nat); }
  absl::Status operator()(const ir::DestinationNat& nat) const { return Translate(nat); }

 private:
  template <typename Translation>
  [[nodiscard]] absl::Status Translate(const Translation& nat) const {
    FELIX_ASSIGN_OR_RETURN(const NatTarget target, EncodeNat(nat, protocol_, family_));
    return Add(target.name, target.revision, target.data);
  }

  [[nodiscard]] static absl::Status CheckPrefix(const std::string& prefix, std::size_t longest) {
    if (prefix.size() > longest) {
      return absl::InvalidArgumentError(
          fmt::format("log prefix '{}' is longer than {} bytes", prefix, longest));
    }
    const auto is_control = [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; };
    if (std::any_of(prefix.begin(), prefix.end(), is_control)) {
      return absl::InvalidArgumentError("log prefix with a control character");
    }
    return absl::OkStatus();
  }

  [[nodiscard]] absl::Status Verdict(std::string_view name) const {
    AppendStandardTarget(name, rule_.bytes);
    rule_.target = name;
    return absl::OkStatus();
  }

  [[nodiscard]] absl::Status ToChain(const std::string& chain) const {
    if (chain.empty() || chain.size() > kMaxTargetNameLength) {
      return absl::InvalidArgumentError(fmt::format(
          "target chain name '{}' is not of 1 to {} bytes", chain, kMaxTargetNameLength));
    }
    AppendStandardTarget(chain, rule_.bytes);
    rule_.target = chain;
    rule_.is_jump = true;
    return absl::OkStatus();
  }

  [[nodiscard]] absl::Status Add(std::string_view name, std::uint8_t revision,
                                 std::string_view data) const {
    AppendExtension(name, revision, data, rule_.bytes);
    rule_.target = name;
    return absl::OkStatus();
  }

  std::optional<model::Protocol> protocol_;
  model::IpFamily family_;
  const SetIndexResolver& index_of_;
  EncodedRule& rule_;
};

absl::Status Foreign(std::string_view target) {
  return absl::InvalidArgumentError(fmt::format("target '{}' that is never ours", target));
}

absl::StatusOr<ir::Action> DecodeLog(const ipt_log_info& data) {
  if (data.logflags != 0) return Foreign("LOG");
  const std::string_view prefix(data.prefix, sizeof(data.prefix));
  return ir::Log{.prefix = std::string(prefix.substr(0, prefix.find('\0'))), .level = data.level};
}

absl::StatusOr<ir::Action> DecodeNetlinkLog(const xt_nflog_info& data) {
  const bool sized = data.flags == XT_NFLOG_F_COPY_LEN;
  if (data.threshold != 0 || (data.flags != 0 && !sized) || sized != (data.len != 0)) {
    return Foreign("NFLOG");
  }
  const std::string_view prefix(data.prefix, sizeof(data.prefix));
  return ir::NetlinkLog{.group = data.group,
                        .prefix = std::string(prefix.substr(0, prefix.find('\0'))),
                        .size = data.len};
}

absl::StatusOr<ir::Action> DecodeMapSet(const xt_set_info_target_v3& data,
                                        const SetIdResolver& id_of) {
  ir::MapSet map{.set_id = {}, .dimensions = data.map_set.dim, .side = ir::Side::kSource};
  if (data.map_set.flags == 0) map.side = ir::Side::kDestination;
  if (data.add_set.index != IPSET_INVALID_ID || data.del_set.index != IPSET_INVALID_ID ||
      data.flags != IPSET_FLAG_MAP_SKBMARK || data.map_set.flags != SidesOf(map)) {
    return Foreign("SET");
  }
  FELIX_ASSIGN_OR_RETURN(map.set_id, id_of(data.map_set.index));
  return map;
}

absl::StatusOr<ir::Action> DecodeTracking(const xt_ct_target_info_v1& data) {
  const bool other = data.zone != 0 || data.ct_events != 0 || data.exp_events != 0 ||
                     data.helper[0] != '\0' || data.timeout[0] != '\0';
  if (data.flags != XT_CT_NOTRACK || other) return Foreign("CT");
  return ir::NoTrack{};
}

}  // namespace

bool IsVerdict(std::string_view target) {
  return target == "ACCEPT" || target == "DROP" || target == "QUEUE" || target == "RETURN";
}

void AppendStandardTarget(std::string_view name, std::string& entry) {
  const std::uint64_t no_verdict = 0;
  AppendExtension(name.substr(0, kMaxTargetNameLength), 0, AsBytes(no_verdict), entry);
}

absl::Status AppendTarget(const ir::Action& action, std::optional<model::Protocol> protocol,
                          model::IpFamily family, const SetIndexResolver& index_of,
                          EncodedRule& rule) {
  return std::visit(TargetWriter(protocol, family, index_of, rule), action);
}

std::size_t PublicTargetSize(const Extension& target) {
  const bool is_ct = target.name == "CT" && target.data.size() >= sizeof(xt_ct_target_info_v1);
  return is_ct ? offsetof(xt_ct_target_info_v1, ct) : target.data.size();
}

absl::StatusOr<ir::Action> DecodeTarget(const Extension& target, const EncodedRule& rule,
                                        bool is_goto, model::IpFamily family,
                                        const SetIdResolver& id_of) {
  if (rule.is_jump) {
    return is_goto ? ir::Action(ir::Goto{rule.target}) : ir::Action(ir::Jump{rule.target});
  }
  if (rule.target == "ACCEPT") return ir::Accept{};
  if (rule.target == "DROP") return ir::Drop{};
  if (rule.target == "RETURN") return ir::Return{};
  const auto is = [&](std::string_view name, int revision, std::size_t size) {
    return target.name == name && target.revision == revision && target.data.size() >= size;
  };
  if (is("MARK", 2, sizeof(xt_mark_tginfo2))) {
    const auto data = LoadBytes<xt_mark_tginfo2>(target.data);
    return ir::SetMark{.value = data.mark, .mask = data.mask};
  }
  if (is("LOG", 0, sizeof(ipt_log_info))) return DecodeLog(LoadBytes<ipt_log_info>(target.data));
  if (is("NFLOG", 0, sizeof(xt_nflog_info))) {
    return DecodeNetlinkLog(LoadBytes<xt_nflog_info>(target.data));
  }
  if (is("CT", 2, sizeof(xt_ct_target_info_v1))) {
    return DecodeTracking(LoadBytes<xt_ct_target_info_v1>(target.data));
  }
  if (is("SET", 3, sizeof(xt_set_info_target_v3))) {
    return DecodeMapSet(LoadBytes<xt_set_info_target_v3>(target.data), id_of);
  }
  if (IsNat(target)) return DecodeNat(target, family);
  if (is("REJECT", 0, sizeof(std::uint32_t)) &&
      LoadBytes<std::uint32_t>(target.data) == PortUnreachable(family)) {
    return ir::Reject{};
  }
  return Foreign(rule.target);
}

}  // namespace felix::iptables
