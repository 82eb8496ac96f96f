// SPDX-License-Identifier: Apache-2.0
#include "iptables/left_overs.h"

#include <linux/netfilter/xt_addrtype.h>

#include <algorithm>
#include <string>

#include "iptables/entry_bytes.h"
#include "iptables/entry_header.h"

namespace felix::iptables {
namespace {

bool NamesSet(const Extension& match, std::uint16_t set) {
  // In every revision of the match the set's number comes first.
  return match.name == "set" && match.data.size() >= sizeof(set) &&
         LoadBytes<std::uint16_t>(match.data) == set;
}

bool IsFromLocal(const Extension& match, std::uint32_t flags) {
  if (match.name != "addrtype" || match.revision != 1 ||
      match.data.size() < sizeof(xt_addrtype_info_v1)) {
    return false;
  }
  const auto data = LoadBytes<xt_addrtype_info_v1>(match.data);
  return data.source == XT_ADDRTYPE_LOCAL && data.dest == 0 && data.flags == flags;
}

// -o tunl0 -m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL
bool IsOldTunnelRule(const EncodedRule& rule, const EntryParts& parts, model::IpFamily family) {
  const auto header = DecodeHeader(rule.bytes, family);
  const ir::Match tunnel =
      ir::InterfaceMatch{.way = ir::InterfaceMatch::Way::kOut, .name = "tunl0"};
  return header.ok() && header->matches == std::vector<ir::Match>{tunnel} &&
         parts.matches.size() == 2 &&
         IsFromLocal(parts.matches[0], XT_ADDRTYPE_INVERT_SOURCE | XT_ADDRTYPE_LIMIT_IFACE_OUT) &&
         IsFromLocal(parts.matches[1], 0);
}

}  // namespace

bool IsOldMasquerade(const EncodedRule& rule, model::IpFamily family,
                     std::optional<std::uint16_t> old_set) {
  if (rule.is_jump || rule.target != "MASQUERADE") return false;
  const auto parts =
      SplitEntry(rule.bytes, EntryHeaderSize(family), TargetOffset(rule.bytes, family));
  if (!parts.ok()) return false;
  const bool names_old_set =
      old_set && std::any_of(parts->matches.begin(), parts->matches.end(),
                             [&](const Extension& match) { return NamesSet(match, *old_set); });
  return names_old_set || IsOldTunnelRule(rule, *parts, family);
}

}  // namespace felix::iptables
