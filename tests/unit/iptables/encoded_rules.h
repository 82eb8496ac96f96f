// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "iptables/kernel_table.h"
#include "iptables/rule_codec.h"
#include "model/base/check.h"

// Rules in one word each, for tests that care for places and not for meaning.
namespace felix::testing {

inline ir::Rule MarkRule(std::uint32_t number, ir::Action action = ir::Accept{}) {
  return ir::Rule{.matches = {ir::MarkMatch{.value = number, .mask = 0xffffffff}},
                  .action = std::move(action),
                  .provenance = {}};
}

inline ir::Rule JumpRule(const std::string& chain) {
  return ir::Rule{.matches = {}, .action = ir::Jump{chain}, .provenance = {}};
}

inline absl::StatusOr<std::uint16_t> NoSets(const ir::SetKey& key) {
  return absl::NotFoundError("no set " + key.id);
}

// Rule number `number`, told from others by its bytes; foreign where it stands among foreign ones.
inline iptables::EncodedRule Numbered(std::uint32_t number) {
  auto rule = iptables::Encode(MarkRule(number), model::IpFamily::kV4, NoSets);
  FELIX_CHECK(rule.ok(), "test rule does not encode");
  return *rule;
}

// The same, as a hook: tagged.
inline iptables::EncodedRule Tagged(std::uint32_t number) {
  auto rule = iptables::EncodeHookRule(MarkRule(number), model::IpFamily::kV4, NoSets);
  FELIX_CHECK(rule.ok(), "test rule does not encode");
  return *rule;
}

inline iptables::EncodedRule JumpTo(const std::string& chain) {
  auto rule = iptables::Encode(JumpRule(chain), model::IpFamily::kV4, NoSets);
  FELIX_CHECK(rule.ok(), "test rule does not encode");
  return *rule;
}

inline iptables::KernelRule InKernel(iptables::EncodedRule rule, iptables::Counters counters = {}) {
  return {.rule = std::move(rule), .counters = counters};
}

// Chains, policies and rules in their order, one line each; for comparing and for reading.
inline std::string Dump(const iptables::TableContent& table) {
  std::string out;
  for (const auto& chain : table.chains) {
    out += ":" + chain.name + " " + chain.policy + "\n";
    for (const auto& [rule, counters] : chain.rules) {
      const auto decoded = iptables::Decode(rule, model::IpFamily::kV4, [](std::uint16_t index) {
        return absl::StatusOr<std::string>(std::to_string(index));
      });
      std::uint32_t number = 0;
      if (decoded.ok() && !decoded->matches.empty()) {
        if (const auto* mark = std::get_if<ir::MarkMatch>(&decoded->matches[0])) {
          number = mark->value;
        }
      }
      out += (rule.is_tagged ? "tagged " : "") + std::to_string(number) + " " + rule.target + "\n";
    }
  }
  return out;
}

}  // namespace felix::testing
