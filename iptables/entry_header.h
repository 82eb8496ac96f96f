// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "compiler/ir/match.h"
#include "model/address.h"

// The head of an entry (`ipt_entry`, `ip6t_entry`): interfaces, addresses and protocol, which need
// no match extension. At most one of each.
namespace felix::iptables {

std::size_t EntryHeaderSize(model::IpFamily family);

// True for what the head of an entry can say.
bool IsHeaderMatch(const ir::Match& match);

// The head for those of `matches` that belong there; offsets are not set yet. kInvalidArgument for
// two matches of one kind, an address of the other family, a name that is no interface's.
absl::StatusOr<std::string> EncodeHeader(const std::vector<ir::Match>& matches, bool is_goto,
                                         model::IpFamily family);
// Writes into a complete entry where its target is and where it ends.
void SetEntryOffsets(std::string& entry, std::size_t target_offset, model::IpFamily family);
std::size_t TargetOffset(std::string_view entry, model::IpFamily family);

struct DecodedHeader {
  std::vector<ir::Match> matches;  // interfaces, addresses, protocol
  bool is_goto = false;
};
// kInvalidArgument for what no match of ours says (fragments, TOS, masks with holes).
absl::StatusOr<DecodedHeader> DecodeHeader(std::string_view entry, model::IpFamily family);

// Clears counters, private fields, padding, and bytes that a mask hides.
void NormaliseHeader(std::string& entry, model::IpFamily family);

}  // namespace felix::iptables
