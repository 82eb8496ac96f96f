// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "compiler/options.h"
#include "felix/replay/address_book.h"
#include "model/rule.h"

namespace felix::replay {

// The first packet of a connection, as far as policies ask.
struct Flow {
  model::Protocol protocol = model::kTcp;
  std::uint16_t source_port = 0;  // 0: one that no rule names
  std::uint16_t destination_port = 0;
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
};

// Whether all that the rule asks holds for the flow from one address to the other, as the host with
// these options sees it, whatever the rule's action. If it does not and `why` is given, the first
// condition that fails is put there in words.
[[nodiscard]] bool RuleMatches(const AddressBook& book, const compiler::Options& options,
                               const model::PolicyRule& rule, const Flow& flow,
                               const AddressInfo& source, const AddressInfo& destination,
                               std::string* why);

// What the rule asks, in a few words.
[[nodiscard]] std::string Summary(const model::PolicyRule& rule);
[[nodiscard]] std::string_view ActionName(model::RuleAction action);

}  // namespace felix::replay
