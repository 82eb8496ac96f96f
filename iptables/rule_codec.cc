// SPDX-License-Identifier: Apache-2.0
#include "iptables/rule_codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <variant>

#include "fmt/format.h"

#include "iptables/entry_bytes.h"
#include "iptables/entry_header.h"
#include "iptables/match_codec.h"
#include "iptables/target_codec.h"
#include "model/base/status_macros.h"

namespace felix::iptables {
namespace {

absl::StatusOr<EncodedRule> EncodeWithTag(const ir::Rule& rule, bool tag, model::IpFamily family,
                                          const SetIndexResolver& index_of) {
  EncodedRule out;
  FELIX_ASSIGN_OR_RETURN(
      out.bytes, EncodeHeader(rule.matches, std::holds_alternative<ir::Goto>(rule.action), family));
  const auto protocol = RequiredProtocol(rule.matches);
  if (tag) AppendTag(out.bytes);
  for (const ir::Match& match : rule.matches) {
    if (IsHeaderMatch(match)) continue;
    FELIX_RETURN_IF_ERROR(AppendMatch(match, protocol, family, index_of, out.bytes));
  }
  const std::size_t target_offset = out.bytes.size();
  FELIX_RETURN_IF_ERROR(AppendTarget(rule.action, protocol, family, index_of, out));
  SetEntryOffsets(out.bytes, target_offset, family);
  out.is_tagged = tag;
  return out;
}

bool GoesToChainOfOurs(const ir::Action& action) {
  if (const auto* jump = std::get_if<ir::Jump>(&action)) return IsOurChainName(jump->chain);
  if (const auto* go = std::get_if<ir::Goto>(&action)) return IsOurChainName(go->chain);
  return false;
}

absl::StatusOr<EntryParts> Split(std::string_view entry, model::IpFamily family) {
  const std::size_t header_size = EntryHeaderSize(family);
  if (entry.size() < header_size) {
    return absl::InvalidArgumentError("rule entry shorter than its head");
  }
  return SplitEntry(entry, header_size, TargetOffset(entry, family));
}

void ClearBehind(std::string_view data, std::size_t size, std::string_view entry,
                 std::string& out) {
  const auto offset = static_cast<std::size_t>(data.data() - entry.data());
  std::memset(out.data() + offset + size, 0, data.size() - size);
}

}  // namespace

absl::StatusOr<EncodedRule> Encode(const ir::Rule& rule, model::IpFamily family,
                                   const SetIndexResolver& index_of) {
  return EncodeWithTag(rule, false, family, index_of);
}

absl::StatusOr<EncodedRule> EncodeHookRule(const ir::Rule& rule, model::IpFamily family,
                                           const SetIndexResolver& index_of) {
  return EncodeWithTag(rule, !GoesToChainOfOurs(rule.action), family, index_of);
}

absl::StatusOr<ir::Rule> Decode(const EncodedRule& rule, model::IpFamily family,
                                const SetIdResolver& id_of) {
  FELIX_ASSIGN_OR_RETURN(const EntryParts parts, Split(rule.bytes, family));
  FELIX_ASSIGN_OR_RETURN(DecodedHeader header, DecodeHeader(parts.header, family));
  ir::Rule out;
  out.matches = std::move(header.matches);
  for (const Extension& extension : parts.matches) {
    FELIX_ASSIGN_OR_RETURN(auto match, DecodeMatch(extension, family, id_of));
    if (match) out.matches.push_back(*std::move(match));
  }
  FELIX_ASSIGN_OR_RETURN(out.action,
                         DecodeTarget(parts.target, rule, header.is_goto, family, id_of));
  return out;
}

absl::StatusOr<EncodedRule> Normalise(std::string_view entry, std::string_view target,
                                      model::IpFamily family) {
  EncodedRule out;
  FELIX_ASSIGN_OR_RETURN(const EntryParts parts, Split(entry, family));
  for (const Extension& match : parts.matches) out.is_tagged = out.is_tagged || IsTag(match);
  out.bytes.assign(entry);
  for (const Extension& match : parts.matches) {
    ClearBehind(match.data, PublicMatchSize(match), entry, out.bytes);
  }
  ClearBehind(parts.target.data, PublicTargetSize(parts.target), entry, out.bytes);
  NormaliseHeader(out.bytes, family);
  const std::size_t target_offset = TargetOffset(entry, family);
  ClearNameTails(out.bytes, EntryHeaderSize(family), target_offset);
  out.target = std::string(target);
  if (parts.target.name.empty()) {
    out.is_jump = !target.empty() && !IsVerdict(target);
    out.bytes.resize(target_offset);
    AppendStandardTarget(target, out.bytes);
  }
  return out;
}

bool IsOurChainName(std::string_view name) {
  static constexpr std::array<std::string_view, 8> kPrefixes = {
      "cali-", "califw-", "calitw-", "califh-", "calith-", "calipi-", "calipo-", "felix-"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](std::string_view prefix) {
    return name.substr(0, prefix.size()) == prefix;
  });
}

}  // namespace felix::iptables
